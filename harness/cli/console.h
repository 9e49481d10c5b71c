#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace moebench {

/// True when `stream` is a terminal, NO_COLOR is unset or empty and TERM is not "dumb".
bool wants_colour(std::FILE* stream);

/// "moebench: error: <message>", and "  try: <remedy>" where there is one, to stderr.
void print_error(std::string_view message, std::string_view remedy = {});

/// "moebench: warning: <message>" to stderr.
void print_warning(std::string_view message);

/// A sentence to stderr, as it is.
void print_note(std::string_view message);

/// Whoever read stdout has gone (`| head`): the program ends, and there is nothing to complain of.
struct ClosedPipe {};

/// Writes to stdout; throws ClosedPipe, and Error(kIo) when it fails otherwise (a full disk behind
/// a redirection).
void write_stdout(std::string_view text);

}  // namespace moebench
