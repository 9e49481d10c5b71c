#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "harness/clients/engine_client.h"
#include "harness/clients/openai_protocol.h"
#include "harness/clients/openai_transfers.h"
#include "harness/clients/remote_options.h"

namespace moebench {

/// Any server that speaks OpenAI's completions and chat API, or several that serve the same model.
///
/// A thread of its own reads the streams, so that the times of events are those at which bytes
/// arrived, whatever the caller does meanwhile. A request's events are handed out when its stream
/// is complete: an attempt that breaks in the middle leaves nothing behind, and is made again, at
/// most `max_retries` times, with growing random pauses. What a caller should know of that is in
/// take_warnings().
class OpenAiClient final : public EngineClient {
 public:
  /// Asks every endpoint for its models. Throws Error(kUsage) when the model is not there or the
  /// key is refused, Error(kIo) when an endpoint does not answer.
  OpenAiClient(const std::string& model, std::int64_t max_in_flight, RemoteOptions options);
  ~OpenAiClient() override;

  const ClientInfo& info() const override { return info_; }
  std::int64_t max_in_flight() const override { return max_in_flight_; }
  void submit(GenerationRequest request) override;
  void cancel(std::uint64_t request_id) override;
  std::vector<GenerationEvent> next_events(std::chrono::milliseconds timeout) override;

  /// How often attempts were made again, and why; told when nothing is in flight, so once a run.
  std::vector<std::string> take_warnings() override;
  std::vector<RequestRetries> take_retries() override;

 private:
  using Clock = std::chrono::steady_clock;
  struct Endpoint;
  struct Job;

  void probe();
  void run();
  void take_inbox();
  void start_due();
  Endpoint& least_loaded();
  void begin(Job& job);
  bool absorb(Job& job, int status, std::string_view bytes);
  void end(const HttpEnd& end);
  void retry_or_fail(Job& job, const std::string& reason, const HttpEnd& end);
  void finish(Job& job, GenerationEvent last, bool keep_output);
  void succeed(Job& job);
  void publish(std::vector<GenerationEvent> events, RequestRetries retries);
  void give_up(std::exception_ptr failure);
  bool holds_key(const std::string& text) const;
  std::string without_key(std::string text) const;
  std::chrono::milliseconds pause_before(int attempt, const HttpEnd& end);

  const RemoteOptions options_;
  const std::int64_t max_in_flight_;
  std::string model_, api_key_;
  ServerKind kind_ = ServerKind::kUnknown;
  ClientInfo info_;

  // Of the reading thread:
  HttpTransfers transfers_;
  std::vector<Endpoint> endpoints_;
  std::map<std::uint64_t, std::unique_ptr<Job>> jobs_;
  std::deque<std::uint64_t> queue_;  // jobs that are to be started, in order
  std::int64_t active_ = 0;
  std::uint64_t next_transfer_ = 0;
  std::map<std::uint64_t, std::uint64_t> job_of_transfer_;
  Clock::time_point next_start_{}, last_answer_{};
  std::mt19937_64 random_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable events_arrived_;
  std::vector<GenerationRequest> inbox_;
  std::vector<std::uint64_t> cancelled_;
  std::vector<GenerationEvent> outbox_;
  std::vector<RequestRetries> retries_;
  std::map<std::string, std::int64_t> retry_reasons_;
  std::int64_t n_without_usage_ = 0, n_unfinished_ = 0, n_finished_ = 0;
  std::exception_ptr failure_;
  bool stop_ = false;

  std::thread thread_;  // last: starts when everything stands
};

/// Throws Error(kUsage) when the command that starts the server holds the API key: settings are
/// recorded.
void refuse_key_in_command(const RemoteOptions& options);

}  // namespace moebench
