#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace moebench {

/// What clients of servers need to know besides the model's name.
struct RemoteOptions {
  /// Up to and with the version, as "http://127.0.0.1:8080/v1". Several serve the same model; each
  /// request goes to the one with the fewest in flight.
  std::vector<std::string> base_urls;
  std::string api_key_variable;  ///< of the environment; empty: no key is sent
  /// Certificates (PEM) that a server's must be signed by; empty: those that the system trusts.
  std::string ca_file;
  std::string launch;  ///< a command or a recipe that starts the server; empty: none
  /// What that server prints is appended to this file; empty: it is kept nowhere. No setting of the
  /// user's: a run gives its own folder's.
  std::filesystem::path launch_log;
  double requests_per_second = 0;                    ///< 0: no limit
  std::chrono::milliseconds request_limit{600'000};  ///< one attempt, from start to its last byte
  int max_retries = 6;                               ///< of one request
  /// The first pause before another attempt; it doubles, up to 64 times this.
  std::chrono::milliseconds first_pause{500};
};

}  // namespace moebench
