#pragma once

#include <string>
#include <string_view>

namespace moebench {

/// Text of a file, made fit for a message: in single quotes, control and non-ASCII bytes as \xNN,
/// cut after 120 characters.
std::string printable(std::string_view text);

}  // namespace moebench
