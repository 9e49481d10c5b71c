#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace moebench {

// What everything that starts a program needs to say about it (clients/, launch/, gate/).

/// In the child, before it becomes the program: it is killed when the process that started it,
/// `parent`, ends, however that ends.
void die_with(pid_t parent) noexcept;

/// The last lines of what a program wrote, at most 2,000 bytes and 15 lines, control characters
/// made harmless, each line but the first led by `indent`. Empty when it wrote nothing.
std::string last_lines(std::string_view text, std::string_view indent = "");

/// The same of a file; empty when it can't be read.
std::string last_lines_of(const std::filesystem::path& file, std::string_view indent = "");

/// "signal 11 (Segmentation fault)", "exit code 3"; `status` as waitpid gives it.
std::string exit_text(int status);

}  // namespace moebench
