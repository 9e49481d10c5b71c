#include "harness/cli/console.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "engine/base/error.h"
#include "harness/cli/exit_code.h"

namespace moebench {

namespace {

constexpr const char* kRed = "\033[1;31m";
constexpr const char* kYellow = "\033[1;33m";
constexpr const char* kReset = "\033[0m";

void print_labelled(std::string_view label, const char* colour, std::string_view message) {
  const bool coloured = wants_colour(stderr);
  std::fprintf(stderr, "moebench: %s%.*s:%s %.*s\n", coloured ? colour : "",
               static_cast<int>(label.size()), label.data(), coloured ? kReset : "",
               static_cast<int>(message.size()), message.data());
}

}  // namespace

bool wants_colour(std::FILE* stream) {
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  if (term != nullptr && std::strcmp(term, "dumb") == 0) return false;
  return isatty(fileno(stream)) == 1;
}

void print_error(std::string_view message, std::string_view remedy) {
  print_labelled("error", kRed, message);
  if (!remedy.empty()) {
    std::fprintf(stderr, "  try: %.*s\n", static_cast<int>(remedy.size()), remedy.data());
  }
}

void print_warning(std::string_view message) { print_labelled("warning", kYellow, message); }

void print_note(std::string_view message) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(message.size()), message.data());
}

void write_stdout(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    if (errno == EPIPE) throw ClosedPipe{};
    throw Error(ErrorCode::kIo, std::string("cannot write to stdout: ") + std::strerror(errno));
  }
}

ExitCode exit_code_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kUsage:
    case ErrorCode::kConfiguration:
    case ErrorCode::kBadModel:
      return ExitCode::kUsage;
    case ErrorCode::kIo:
    case ErrorCode::kDevice:
    case ErrorCode::kInternal:
      return ExitCode::kRunError;
  }
  return ExitCode::kRunError;
}

}  // namespace moebench
