#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "harness/serve/service.h"

namespace moebench {

struct HttpServerOptions {
  std::string host = "127.0.0.1";  ///< an address, or "localhost"
  std::uint16_t port = 0;          ///< 0: any free one
  std::int64_t max_connections = 1024;
  std::int64_t max_body_bytes = std::int64_t{8} << 20;
  std::chrono::seconds idle_limit{75};       ///< between two requests of a connection
  std::chrono::seconds transfer_limit{30};   ///< for a request's body, and for each write
  std::chrono::seconds request_limit{3600};  ///< from the request to the end of its reply
  std::chrono::seconds shutdown_limit{30};   ///< for what is in flight when the server is stopped
};

/// True when nobody but this machine can connect to the address. Throws Error(kUsage) when it is no
/// address.
bool is_loopback(const std::string& host);

/// Serves HTTP/1.1 until the process gets SIGINT or SIGTERM; then nothing new is accepted, and what
/// is in flight may finish within shutdown_limit (a second signal ends it at once). One thread does
/// all input and output. `listening` is told the port. Throws Error(kIo) when the port can't be
/// bound. A client that leaves cancels its request.
void serve_http(Service& service, const HttpServerOptions& options,
                const std::function<void(std::uint16_t port)>& listening);

}  // namespace moebench
