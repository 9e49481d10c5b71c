#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/expected.h"
#include "harness/clients/engine_client.h"

namespace moebench {

// What `moebench run` and its workers say to each other over pipes: frames, each a length (four
// bytes, little-endian) and that many bytes of JSON. The worker greets; the harness says what to
// load; then requests go one way and events the other. Either side may be fed anything: sizes and
// depths are bounded, and what is no message is an error value, never a crash.

/// Rises with every change of a message: both sides must be of the same.
inline constexpr int kWorkerProtocolVersion = 1;
inline constexpr std::size_t kMaxFrameBytes = std::size_t{64} << 20;

/// Worker, first of all.
struct HelloMessage {
  int protocol = kWorkerProtocolVersion;
  std::string build;  ///< for the error when the versions differ
};

/// Harness, once.
struct LoadMessage {
  EngineOptions options;
};

/// Worker: loaded.
struct ReadyMessage {
  ClientInfo info;
};

/// Worker: the engine can't be loaded, or can't go on. The worker ends after it.
struct FailureMessage {
  ErrorCode code = ErrorCode::kInternal;
  std::string what, remedy;
};

/// Harness.
struct SubmitMessage {
  GenerationRequest request;
};
struct CancelMessage {
  std::uint64_t request_id = 0;
};

/// Worker: what happened since the last one. The totals are there when the worker went idle, and
/// about once a second.
struct EventsMessage {
  std::vector<GenerationEvent> events;
  std::vector<StepRecord> steps;
  std::vector<std::int64_t> expert_token_counts;  ///< since the worker loaded; empty: not told now
  std::int64_t peak_memory_bytes = 0;             ///< 0: not told now
};

using WorkerMessage = std::variant<HelloMessage, LoadMessage, ReadyMessage, FailureMessage,
                                   SubmitMessage, CancelMessage, EventsMessage>;

/// The message as a frame. Throws Error(kUsage) when it is larger than kMaxFrameBytes, or when what
/// goes to a worker is no UTF-8 (it would arrive as something else).
std::string encode_frame(const WorkerMessage& message);

/// The message in a frame's body, or what is wrong with it.
Expected<WorkerMessage, std::string> decode_message(std::string_view body);

/// Cuts a stream of bytes into frames.
class FrameReader {
 public:
  void add(std::string_view bytes) { buffer_.append(bytes); }

  /// The next whole frame's body, nothing while more bytes are needed, or what is wrong with the
  /// stream, which then is wrong for good.
  Expected<std::optional<std::string>, std::string> next();

 private:
  std::string buffer_;
  std::size_t begin_ = 0;
};

}  // namespace moebench
