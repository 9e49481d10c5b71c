#include "datasets/prompts/prompt.h"

#include "datasets/fetch/sha256.h"
#include "engine/base/error.h"

namespace moebench {
namespace {

/// Replaces {question}, {solution} and {target} in one pass, so that a problem which happens to
/// contain "{target}" is not expanded again.
std::string fill(const std::string& pattern, const Sample& sample) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size();) {
    const std::string_view rest = std::string_view(pattern).substr(i);
    if (rest.starts_with("{question}")) {
      out += sample.question;
      i += 10;
    } else if (rest.starts_with("{solution}")) {
      out += sample.solution;
      i += 10;
    } else if (rest.starts_with("{target}")) {
      out += sample.target;
      i += 8;
    } else {
      out += pattern[i++];
    }
  }
  return out;
}

}  // namespace

Prompt build_prompt(const Task& task, const std::vector<Sample>& shots, const Sample& sample) {
  const PromptSpec& spec = task.prompt;
  if (shots.size() != spec.shot_rows.size()) {
    throw Error(ErrorCode::kInternal, "task " + task.name + " needs " +
                                          std::to_string(spec.shot_rows.size()) + " shots, got " +
                                          std::to_string(shots.size()));
  }
  Prompt prompt;
  if (spec.form == PromptForm::kText) {
    for (const Sample& shot : shots) {
      prompt.text += fill(spec.shot_question_template, shot);
      prompt.text += fill(spec.shot_answer_template, shot);
      prompt.text += spec.shot_separator;
    }
    prompt.text += fill(spec.question_template, sample);
    return prompt;
  }
  if (!spec.system.empty()) prompt.messages.push_back({"system", spec.system});
  for (const Sample& shot : shots) {
    prompt.messages.push_back({"user", fill(spec.shot_question_template, shot)});
    prompt.messages.push_back({"assistant", fill(spec.shot_answer_template, shot)});
  }
  prompt.messages.push_back({"user", fill(spec.question_template, sample)});
  return prompt;
}

std::string prompt_hash(const Task& task, const std::vector<Sample>& shots) {
  Sample placeholder;
  placeholder.question = "{question}";
  placeholder.solution = "{solution}";
  placeholder.target = "{target}";
  const Prompt prompt = build_prompt(task, shots, placeholder);
  std::string bytes = prompt.text;
  for (const PromptMessage& message : prompt.messages) {
    bytes += message.role + '\0' + message.content + '\0';
  }
  return sha256_hex(bytes);
}

}  // namespace moebench
