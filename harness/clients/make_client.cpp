#include <charconv>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "harness/clients/engine_client.h"
#include "harness/clients/in_process_client.h"
#include "harness/clients/null_client.h"

namespace moebench {

namespace {

constexpr std::string_view kNullPrefix = "null:";

std::chrono::milliseconds parse_answer_time(std::string_view text) {
  long milliseconds = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), milliseconds);
  if (error != std::errc() || end != text.data() + text.size() || milliseconds < 0 ||
      milliseconds > 3'600'000) {
    throw Error(ErrorCode::kUsage,
                "--model null:" + std::string(text) + ": not a number of milliseconds",
                "--model null, or --model null:20");
  }
  return std::chrono::milliseconds(milliseconds);
}

}  // namespace

std::unique_ptr<EngineClient> make_client(const EngineOptions& options) {
  if (options.model == "null") {
    return std::make_unique<NullClient>(options.max_batch_sequences, std::chrono::milliseconds(0));
  }
  if (options.model.starts_with(kNullPrefix)) {
    return std::make_unique<NullClient>(
        options.max_batch_sequences,
        parse_answer_time(std::string_view(options.model).substr(kNullPrefix.size())));
  }
  return std::make_unique<InProcessClient>(options);
}

std::string finish_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEos:
      return "eos";
    case FinishReason::kStopString:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kContext:
      return "context";
    case FinishReason::kCancelled:
      return "cancelled";
    case FinishReason::kFailed:
      return "failed";
    case FinishReason::kNone:
      break;
  }
  MOEBENCH_CHECK(false);
}

}  // namespace moebench
