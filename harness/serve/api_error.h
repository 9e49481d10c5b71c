#pragma once

#include <string>

namespace moebench {

/// What a client did wrong, or what befell its request, as OpenAI's API tells it.
struct ApiError {
  int status = 400;  ///< of HTTP
  std::string type = "invalid_request_error";
  std::string message;
  std::string param;  ///< the field that is wrong; empty: none in particular
  std::string code;   ///< "context_length_exceeded", ...; empty: none
};

/// {"error": {"message", "type", "param", "code"}}
std::string error_body(const ApiError& error);

}  // namespace moebench
