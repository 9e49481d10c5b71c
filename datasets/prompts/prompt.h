#pragma once

#include <string>
#include <vector>

#include "datasets/sample.h"
#include "datasets/task.h"

namespace moebench {

struct PromptMessage {
  std::string role;  ///< "system", "user", "assistant"
  std::string content;
};

/// Either messages (chat form) or text (text form); the other is empty.
struct Prompt {
  std::vector<PromptMessage> messages;
  std::string text;
};

/// `shots` as read_shots returned them (their count must be the task's). Pure.
Prompt build_prompt(const Task& task, const std::vector<Sample>& shots, const Sample& sample);

/// sha256 over the prompt's templates and the shots' texts: two runs with the same hash asked the
/// same thing in the same way.
std::string prompt_hash(const Task& task, const std::vector<Sample>& shots);

}  // namespace moebench
