#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace moebench {

enum class DuplicateKeys { kError, kLastWins };

/// Parses a whole JSON document of untrusted origin: nesting is bounded (a deep document must not
/// overflow the stack), and a syntax error becomes Error(kBadModel) that names `file`.
nlohmann::json parse_json_document(std::string_view text, const std::string& file,
                                   DuplicateKeys duplicates);

}  // namespace moebench
