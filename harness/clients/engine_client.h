#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "harness/clients/remote_options.h"

namespace moebench {

/// What serves the requests, for the record. Fields that a client cannot know keep their defaults.
struct ClientInfo {
  std::string engine_name;     ///< "moebench", "null", "openai-http"
  std::string engine_version;  ///< as the engine says it
  std::string endpoint;        ///< of a remote engine
  EngineInfo engine;
};

/// How often a request that has ended had to be asked again.
struct RequestRetries {
  std::uint64_t request_id = 0;
  std::int64_t retries = 0;  ///< attempts after its first
};

/// As records and outputs spell it: "eos", "stop", "length", "context", "cancelled", "failed".
/// Precondition: the request has finished.
std::string finish_name(FinishReason reason);

/// Anything that turns requests into tokens: the built-in engine in this process, in a child
/// process, a server behind HTTP, or nothing at all (null). The runner knows no more than this.
///
/// What every implementation keeps:
/// - each submitted request ends in exactly one event whose `finish` is not kNone, after all its
///   other events, unless next_events throws;
/// - what befalls one request (too long, time-out, a crash of a worker after its retries) is a
///   kFailed event; next_events throws Error only when the client can serve nothing any more;
/// - event times are of this process's steady clock: when the step ended (in process) or when the
///   bytes arrived (remote);
/// - `usage` of the last event is complete; `tokens` may be empty where an engine tells text alone.
///
/// Not thread-safe: one thread drives a client.
class EngineClient {
 public:
  virtual ~EngineClient() = default;

  virtual const ClientInfo& info() const = 0;

  /// How many requests keep it busy; the runner holds that many in flight.
  virtual std::int64_t max_in_flight() const = 0;

  virtual void submit(GenerationRequest request) = 0;

  /// The request ends soon with kCancelled, or otherwise if it was faster.
  virtual void cancel(std::uint64_t request_id) = 0;

  /// Waits until something happened or the time is over.
  virtual std::vector<GenerationEvent> next_events(std::chrono::milliseconds timeout) = 0;

  /// Forward passes since the last call; empty where the engine does not tell.
  virtual std::vector<StepRecord> take_step_records() { return {}; }

  /// Tokens routed so far, (n_moe_layers, n_experts) row by row; empty where unknown.
  virtual std::vector<std::int64_t> expert_token_counts() { return {}; }

  /// Of the processes beside this one that serve for it: the most memory they held, together.
  virtual std::int64_t peak_memory_bytes_elsewhere() { return 0; }

  /// Of each request that has ended since the last call, told no later than its last event. Empty
  /// from a client that asks nothing again.
  virtual std::vector<RequestRetries> take_retries() { return {}; }

  /// What befell the engine since the last call and belongs into the record: a sentence each.
  virtual std::vector<std::string> take_warnings() { return {}; }
};

/// The client that `options.model` names: "null" or "null:MS" (see null_client.h), "openai:NAME" (a
/// server that speaks OpenAI's API, started first where `remote` says how), otherwise the built-in
/// engine, loaded now. Throws what Engine::load throws.
std::unique_ptr<EngineClient> make_client(const EngineOptions& options,
                                          const RemoteOptions& remote = {});

/// Whether the model is asked over a network.
bool is_remote_model(const std::string& model);

}  // namespace moebench
