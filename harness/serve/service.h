#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/engine.h"
#include "harness/serve/dispatcher.h"
#include "harness/serve/metrics.h"
#include "harness/serve/reply.h"

namespace moebench {

struct ServiceOptions {
  std::string model_name;           ///< as /v1/models tells it
  std::string api_key;              ///< empty: none is asked for
  std::int64_t max_requests = 288;  ///< choices at the engine, running and waiting
};

/// A request as it came in over HTTP, whatever the library.
struct HttpRequest {
  std::string method, path;  ///< the path without its query
  std::string authorization, content_type;
  std::string body;
};

struct HttpAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};
};

HttpAnswer error_answer(const ApiError& error);

/// A request that the engine is at work on. Used by one thread, apart from the events' delivery.
class Generation {
 public:
  ~Generation();  ///< cancels what has not ended

  /// Takes over the events that came since the last call.
  void collect();
  /// Nothing more will come.
  bool finished() const noexcept { return reply_.finished() || reply_.failure().has_value(); }
  bool streams() const noexcept { return reply_.streams(); }
  /// Something is known: the first token, or why there will be none.
  bool started() const noexcept { return reply_.has_output() || finished(); }
  /// Failed before any output: answer() tells it with a proper status, streaming or not.
  bool refused() const noexcept { return reply_.failure() && !reply_.has_output(); }
  std::string take_stream() { return reply_.take_stream(); }
  /// Precondition: finished().
  HttpAnswer answer() const;

 private:
  friend class Service;
  class Mailbox;
  Generation(Dispatcher& dispatcher, Reply reply, std::shared_ptr<Mailbox> mailbox);

  Dispatcher& dispatcher_;
  Reply reply_;
  std::shared_ptr<Mailbox> mailbox_;
  std::optional<Ticket> ticket_;
};

/// The API without the wire: routes, authorisation, admission. Thread-safe.
class Service {
 public:
  using Outcome = std::variant<HttpAnswer, std::unique_ptr<Generation>>;

  Service(Engine& engine, ServiceOptions options);

  /// The answer to a request without the API key, where one is asked for: told by its header alone.
  std::optional<HttpAnswer> refusal(const HttpRequest& request) const;

  /// Answers at once, or starts a generation. `wake` is called from another thread whenever the
  /// generation has got something new, until it is destroyed.
  Outcome handle(const HttpRequest& request, std::function<void()> wake);

  /// The page that a path names: one of a few, as metrics count them, or "other".
  std::string page(const std::string& path) const;

  /// From now on, generations are refused with 503.
  void drain() noexcept { draining_ = true; }
  Metrics& metrics() noexcept { return metrics_; }
  const Dispatcher& dispatcher() const noexcept { return dispatcher_; }

 private:
  Outcome generate(ApiKind kind, const HttpRequest& request, std::function<void()> wake);
  nlohmann::ordered_json model_json() const;
  HttpAnswer health() const;

  Engine& engine_;
  const ServiceOptions options_;
  const std::int64_t created_unix_seconds_;
  std::atomic<bool> draining_{false};
  std::atomic<std::uint64_t> next_reply_{0};
  Metrics metrics_;
  Dispatcher dispatcher_;
};

}  // namespace moebench
