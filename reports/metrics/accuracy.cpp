#include "reports/metrics/accuracy.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "reports/record/record_files.h"

namespace moebench {
namespace {

AccuracyGroup summarize(std::span<const QuestionAttempts* const> questions) {
  AccuracyGroup group;
  std::vector<QuestionCount> question_counts;
  double output_tokens = 0, thinking_tokens = 0, answered = 0;
  for (const QuestionAttempts* question : questions) {
    QuestionCount& count = question_counts.emplace_back();
    for (const SampleRecord* sample : question->attempts) {
      ++count.attempts;
      count.correct += sample->correct();
      count_verdict(group.counts, *sample);
      if (sample->output_tokens == 0) continue;
      ++answered;
      output_tokens += static_cast<double>(sample->output_tokens);
      thinking_tokens += static_cast<double>(sample->thinking_tokens);
    }
  }
  group.questions = static_cast<std::int64_t>(questions.size());
  group.accuracy = estimate_proportion(question_counts);
  if (answered > 0) {
    group.mean_output_tokens = output_tokens / answered;
    group.mean_thinking_tokens = thinking_tokens / answered;
  }
  return group;
}

bool level_less(const std::string& a, const std::string& b) {
  const auto number = [](const std::string& s, double& value) {
    const auto result = std::from_chars(s.data(), s.data() + s.size(), value);
    return result.ec == std::errc() && result.ptr == s.data() + s.size();
  };
  double x = 0, y = 0;
  if (number(a, x) && number(b, y)) return x < y;
  return a < b;
}

std::vector<QuestionAttempts> graded_questions(std::span<const SampleRecord> samples) {
  auto questions = group_by_question(samples);
  for (QuestionAttempts& question : questions)
    std::erase_if(question.attempts, [](const SampleRecord* s) { return !s->graded(); });
  std::erase_if(questions, [](const QuestionAttempts& q) { return q.attempts.empty(); });
  return questions;
}

template <class Key>
std::vector<AccuracyGroup> accuracy_by(std::span<const SampleRecord> samples, Key key,
                                       std::string AccuracyGroup::*field) {
  const auto questions = graded_questions(samples);
  std::vector<std::string> tasks;
  std::map<std::string, std::map<std::string, std::vector<const QuestionAttempts*>>> groups;
  for (const QuestionAttempts& question : questions) {
    if (tasks.empty() || tasks.back() != question.task) tasks.push_back(question.task);
    if (!key(question).empty()) groups[question.task][key(question)].push_back(&question);
  }
  std::vector<AccuracyGroup> result;
  for (const std::string& task : tasks) {
    std::vector<AccuracyGroup> of_task;
    for (const auto& [name, members] : groups[task]) {
      of_task.push_back(summarize(members));
      of_task.back().task = task;
      of_task.back().*field = name;
    }
    std::stable_sort(of_task.begin(), of_task.end(), [field](const auto& a, const auto& b) {
      return level_less(a.*field, b.*field);
    });
    std::move(of_task.begin(), of_task.end(), std::back_inserter(result));
  }
  return result;
}

}  // namespace

std::vector<QuestionAttempts> group_by_question(std::span<const SampleRecord> samples) {
  std::vector<std::string> tasks;  // in order of first appearance
  std::map<std::string, std::map<std::string, std::size_t>> index;
  std::map<std::string, std::vector<QuestionAttempts>> by_task;
  for (const SampleRecord& sample : samples) {
    auto& questions = by_task[sample.task];
    if (questions.empty()) tasks.push_back(sample.task);
    const auto [it, is_new] = index[sample.task].emplace(sample.question_id, questions.size());
    if (is_new)
      questions.push_back({sample.task, sample.question_id, sample.level, sample.subject, {}});
    questions[it->second].attempts.push_back(&sample);
  }
  std::vector<QuestionAttempts> result;
  for (const std::string& task : tasks)
    std::move(by_task[task].begin(), by_task[task].end(), std::back_inserter(result));
  for (QuestionAttempts& question : result)
    std::stable_sort(question.attempts.begin(), question.attempts.end(),
                     [](auto* a, auto* b) { return a->attempt < b->attempt; });
  return result;
}

std::vector<AccuracyGroup> accuracy_by_task(std::span<const SampleRecord> samples) {
  const auto questions = graded_questions(samples);
  std::vector<AccuracyGroup> result;
  for (std::size_t begin = 0; begin < questions.size();) {
    std::vector<const QuestionAttempts*> members;
    std::size_t end = begin;
    for (; end < questions.size() && questions[end].task == questions[begin].task; ++end)
      members.push_back(&questions[end]);
    result.push_back(summarize(members));
    result.back().task = questions[begin].task;
    begin = end;
  }
  return result;
}

std::vector<AccuracyGroup> accuracy_by_level(std::span<const SampleRecord> samples) {
  return accuracy_by(
      samples, [](const QuestionAttempts& q) -> const std::string& { return q.level; },
      &AccuracyGroup::level);
}

std::vector<AccuracyGroup> accuracy_by_subject(std::span<const SampleRecord> samples) {
  return accuracy_by(
      samples, [](const QuestionAttempts& q) -> const std::string& { return q.subject; },
      &AccuracyGroup::subject);
}

}  // namespace moebench
