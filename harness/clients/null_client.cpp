#include "harness/clients/null_client.h"

#include <algorithm>
#include <thread>

namespace moebench {

namespace {

constexpr const char* kAnswer = "Nothing was computed, so the answer is \\boxed{0}.\n#### 0";
constexpr std::int64_t kAnswerTokens = 16;

// There is no tokenizer here: a word is a token.
std::int64_t count_words(const GenerationRequest& request) {
  const auto words = [](const std::string& text) {
    return static_cast<std::int64_t>(std::count(text.begin(), text.end(), ' ')) + 1;
  };
  if (const auto* text = std::get_if<std::string>(&request.prompt)) return words(*text);
  if (const auto* tokens = std::get_if<std::vector<std::int32_t>>(&request.prompt)) {
    return static_cast<std::int64_t>(tokens->size());
  }
  std::int64_t total = 0;
  for (const ChatMessage& message : std::get<std::vector<ChatMessage>>(request.prompt)) {
    total += words(message.content);
  }
  return total;
}

}  // namespace

NullClient::NullClient(std::int64_t max_in_flight, std::chrono::milliseconds answer_time)
    : max_in_flight_(max_in_flight),
      answer_time_(answer_time),
      last_due_(std::chrono::steady_clock::now()) {
  info_.engine_name = "null";
  info_.engine.model_name = "null";
  info_.engine.family = "none";
  info_.engine.format = "none";
  info_.engine.device = "none";
  info_.engine.has_chat_template = true;
}

void NullClient::submit(GenerationRequest request) {
  last_due_ = std::max(last_due_, std::chrono::steady_clock::now()) + answer_time_;
  pending_.push_back({request.id, count_words(request), last_due_, false});
}

void NullClient::cancel(std::uint64_t request_id) {
  for (Pending& pending : pending_) {
    if (pending.id == request_id) pending.cancelled = true;
  }
}

std::vector<GenerationEvent> NullClient::next_events(std::chrono::milliseconds timeout) {
  const auto give_up = std::chrono::steady_clock::now() + timeout;
  const bool any_cancelled = std::any_of(pending_.begin(), pending_.end(),
                                         [](const Pending& pending) { return pending.cancelled; });
  if (!any_cancelled) {
    std::this_thread::sleep_until(pending_.empty() ? give_up
                                                   : std::min(give_up, pending_.front().due));
  }
  const auto now = std::chrono::steady_clock::now();
  std::vector<GenerationEvent> events;
  std::deque<Pending> waiting;
  for (const Pending& pending : pending_) {
    if (!pending.cancelled && pending.due > now) {
      waiting.push_back(pending);
      continue;
    }
    GenerationEvent event;
    event.request_id = pending.id;
    event.time = now;
    event.usage.prompt_tokens = pending.prompt_tokens;
    if (pending.cancelled) {
      event.finish = FinishReason::kCancelled;
    } else {
      event.text_delta = kAnswer;
      event.finish = FinishReason::kEos;
      event.usage.output_tokens = kAnswerTokens;
    }
    events.push_back(std::move(event));
  }
  pending_ = std::move(waiting);
  return events;
}

}  // namespace moebench
