#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moebench {

struct HttpCall {
  std::string url;
  std::string body;     ///< POSTed as JSON; empty: GET
  std::string api_key;  ///< empty: none is sent
  std::chrono::milliseconds limit{600'000};
  /// Bytes of the response, with its status. False aborts the call.
  std::function<bool(int status, std::string_view bytes)> on_data;
};

/// How a call ended.
struct HttpEnd {
  std::uint64_t id = 0;
  int status = 0;       ///< 0: no response
  std::string failure;  ///< what broke it; empty: a whole response came
  bool timed_out = false;
  int resent = 0;  ///< how often the body went out again, as a kept connection had closed
  std::optional<std::chrono::seconds> retry_after;
};

/// Many HTTP calls at once, over connections that are kept. Certificates are verified, redirects
/// are not followed (a key would go along), only http and https are spoken, and what is on this
/// machine is asked without a proxy. One thread uses it, apart from wake().
class HttpTransfers {
 public:
  /// `ca_file`: see RemoteOptions.
  explicit HttpTransfers(std::string ca_file = {});
  ~HttpTransfers();

  void start(std::uint64_t id, HttpCall call);
  /// Forgets a call; it does not come back.
  void abort(std::uint64_t id);
  /// Waits until something happened, wake() was called or the time is over; tells what ended.
  std::vector<HttpEnd> poll(std::chrono::milliseconds timeout);
  /// Ends a poll() of another thread.
  void wake();

 private:
  struct Transfer;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace moebench
