#include "harness/score/score.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "datasets/grading/corrections.h"
#include "engine/base/error.h"

namespace moebench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Where outputs stand: this program's records, lm-eval's samples_*.jsonl, OpenAI-style responses
// (plain and batch), then plain pairs.
constexpr const char* kAnswerFields[] = {"output",
                                         "resps.0.0",
                                         "choices.0.message.content",
                                         "response.body.choices.0.message.content",
                                         "choices.0.text",
                                         "completion",
                                         "generation",
                                         "prediction",
                                         "response",
                                         "model_output",
                                         "output_text",
                                         "answer"};
constexpr const char* kTargetFields[] = {"target",     "gold",         "ground_truth",
                                         "reference",  "expected",     "label",
                                         "doc.answer", "doc.solution", "solution"};
constexpr const char* kQuestionFields[] = {"question", "doc.question", "doc.problem", "problem"};

const json* at_path(const json& row, const std::string& path) {
  const json* value = &row;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string key = path.substr(begin, end - begin);
    if (value->is_object()) {
      const auto found = value->find(key);
      if (found == value->end()) return nullptr;
      value = &*found;
    } else if (value->is_array()) {
      std::size_t index = 0;
      const auto [rest, code] = std::from_chars(key.data(), key.data() + key.size(), index);
      if (code != std::errc() || rest != key.data() + key.size() || index >= value->size())
        return nullptr;
      value = &(*value)[index];
    } else {
      return nullptr;
    }
    begin = end + 1;
  }
  return value;
}

std::optional<std::string> text_at(const json& row, const std::string& path) {
  const json* value = at_path(row, path);
  if (!value) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  if (value->is_number()) return value->dump();
  return std::nullopt;
}

template <class Names>
std::string first_present(const json& row, const Names& names, const std::string& except = {}) {
  for (const char* name : names) {
    if (name != except && text_at(row, name)) return name;
  }
  return {};
}

fs::path rows_file(const fs::path& input) {
  if (!fs::exists(input))
    throw Error(ErrorCode::kConfiguration, input.string() + ": is not there",
                "name a run's folder or a JSONL file");
  if (!fs::is_directory(input)) return input;
  const fs::path rows = input / "samples.jsonl";
  if (!fs::exists(rows))
    throw Error(ErrorCode::kConfiguration, input.string() + ": holds no samples.jsonl",
                "name a run's folder or a JSONL file");
  return rows;
}

/// A gold that is a whole worked solution: its answer.
std::string bare_target(const std::string& target) {
  if (const std::size_t mark = target.rfind("####"); mark != std::string::npos) {
    const std::size_t begin = target.find_first_not_of(" \t", mark + 4);
    return begin == std::string::npos ? std::string() : target.substr(begin);
  }
  if (target.find("\\boxed") != std::string::npos || target.find("\\fbox") != std::string::npos) {
    const std::string boxed = last_boxed(target);
    if (!boxed.empty()) return boxed;
  }
  return target;
}

std::string key_of(const json& row, std::int64_t number) {
  std::string key;
  for (const char* part :
       {"task", "question_id", "attempt", "doc_id", "custom_id", "id", "unique_id"}) {
    if (const auto value = text_at(row, part)) key += (key.empty() ? "" : " ") + *value;
  }
  return key.empty() ? "row " + std::to_string(number) : key;
}

template <class Visit>
void for_each_row(const fs::path& path, const Visit& visit) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    throw Error(ErrorCode::kIo, path.string() + ": cannot be opened", "check its permissions");
  std::string line;
  for (std::int64_t number = 0; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    visit(number, json::parse(line, nullptr, false));
  }
}

}  // namespace

std::int64_t ScoreReport::count(VerdictKind kind) const {
  return std::count_if(rows.begin(), rows.end(),
                       [&](const ScoredRow& row) { return row.verdict.kind == kind; });
}

std::int64_t ScoreReport::count_corrected() const {
  return std::count_if(rows.begin(), rows.end(), [](const ScoredRow& row) {
    return row.verdict.corrected_kind.value_or(row.verdict.kind) == VerdictKind::kCorrect;
  });
}

ScoreReport score(const ScoreRequest& request) {
  ScoreReport report;
  const fs::path path = rows_file(request.input);
  std::map<std::string, Task> tasks;
  const auto begin = std::chrono::steady_clock::now();
  for_each_row(path, [&](std::int64_t number, const json& row) {
    if (!row.is_object()) {
      report.unscored.push_back({number, "not a JSON object"});
      return;
    }
    const std::string own_task = text_at(row, "task").value_or("");
    const std::string task_name = !request.task.empty() ? request.task
                                  : own_task.empty()    ? "math"
                                                        : own_task;
    auto task = tasks.find(task_name);
    if (task == tasks.end()) task = tasks.emplace(task_name, load_task(task_name)).first;
    const std::string target_field =
        request.target_field.empty() ? first_present(row, kTargetFields) : request.target_field;
    const std::string answer_field = request.answer_field.empty()
                                         ? first_present(row, kAnswerFields, target_field)
                                         : request.answer_field;
    const auto target = target_field.empty() ? std::nullopt : text_at(row, target_field);
    const auto output = answer_field.empty() ? std::nullopt : text_at(row, answer_field);
    if (!target || !output) {
      report.unscored.push_back(
          {number,
           !output
               ? "has no answer at \"" +
                     (answer_field.empty() ? std::string("any known field") : answer_field) + "\""
               : "has no gold at \"" +
                     (target_field.empty() ? std::string("any known field") : target_field) +
                     "\""});
      return;
    }
    report.answer_field = answer_field;
    report.target_field = target_field;
    ScoredRow scored;
    scored.row = number;
    scored.task = own_task;
    scored.key = key_of(row, number);
    scored.output = *output;
    Sample sample;
    sample.target = scored.target = bare_target(*target);
    const std::string question_field = request.question_field.empty()
                                           ? first_present(row, kQuestionFields)
                                           : request.question_field;
    if (!question_field.empty()) sample.question = text_at(row, question_field).value_or("");
    sample.corrected_targets = corrected_targets(sample.question, sample.target);
    scored.old_verdict = text_at(row, "verdict").value_or("");
    if (scored.old_verdict == "failed") {
      scored.verdict = failed_verdict(text_at(row, "failure").value_or("as recorded"));
    } else if (request.bare_answers) {
      scored.verdict = grade_answer(task->second, sample, *output);
    } else {
      const std::string finish =
          text_at(row, "finish_reason")
              .value_or(text_at(row, "choices.0.finish_reason").value_or(""));
      scored.verdict =
          grade(task->second, sample, *output, finish == "length" || finish == "context");
    }
    report.rows.push_back(std::move(scored));
  });
  report.grading_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (report.rows.empty()) {
    throw Error(ErrorCode::kConfiguration,
                path.string() + ": no row can be graded" +
                    (report.unscored.empty() ? " (it is empty)"
                                             : " (row " + std::to_string(report.unscored[0].row) +
                                                   " " + report.unscored[0].reason + ")"),
                "name the fields: --answer-field and --target-field, with dots for nested ones "
                "(resps.0.0)");
  }
  return report;
}

std::vector<ChangedVerdict> diff_verdicts(const fs::path& old_input, const fs::path& new_input) {
  struct Recorded {
    std::string verdict, extracted, target;
  };
  const auto read = [](const fs::path& input) {
    std::vector<std::pair<std::string, Recorded>> rows;
    for_each_row(rows_file(input), [&](std::int64_t number, const json& row) {
      if (!row.is_object() || !text_at(row, "verdict")) return;
      const auto own_key = text_at(row, "key");
      rows.emplace_back(own_key ? *own_key : key_of(row, number),
                        Recorded{*text_at(row, "verdict"), text_at(row, "extracted").value_or(""),
                                 text_at(row, "target").value_or("")});
    });
    if (rows.empty())
      throw Error(ErrorCode::kConfiguration, input.string() + ": holds no verdicts",
                  "moebench score INPUT -o verdicts.jsonl writes them");
    return rows;
  };
  const auto old_rows = read(old_input);
  const auto new_rows = read(new_input);
  std::map<std::string, const Recorded*> by_key;
  for (const auto& [key, row] : new_rows) by_key[key] = &row;
  std::vector<ChangedVerdict> changes;
  for (const auto& [key, row] : old_rows) {
    const auto found = by_key.find(key);
    if (found == by_key.end()) {
      changes.push_back({key, row.verdict, "absent", row.extracted, "", row.target});
      continue;
    }
    if (found->second->verdict != row.verdict) {
      changes.push_back({key, row.verdict, found->second->verdict, row.extracted,
                         found->second->extracted, row.target});
    }
    by_key.erase(found);
  }
  for (const auto& [key, row] : new_rows) {
    if (by_key.contains(key))
      changes.push_back({key, "absent", row.verdict, "", row.extracted, row.target});
  }
  return changes;
}

std::string to_json_line(const ScoredRow& row) {
  json line = {{"row", row.row},
               {"key", row.key},
               {"target", row.target},
               {"verdict", to_string(row.verdict.kind)},
               {"extracted", row.verdict.extracted},
               {"extraction", to_string(row.verdict.rule)},
               {"reason", to_string(row.verdict.reason)}};
  if (!row.verdict.detail.empty()) line["detail"] = row.verdict.detail;
  if (row.verdict.corrected_kind)
    line["corrected_verdict"] = to_string(*row.verdict.corrected_kind);
  return line.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace moebench
