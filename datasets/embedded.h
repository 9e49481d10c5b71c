#pragma once

#include <span>
#include <string_view>

namespace moebench {

/// A file compiled into the program by datasets/embed.cmake.
struct EmbeddedFile {
  std::string_view name;   ///< "gsm8k.json", without its folder
  std::string_view bytes;  ///< lives as long as the program
};

std::span<const EmbeddedFile> embedded_tasks();        ///< datasets/tasks/*.json, by name
std::span<const EmbeddedFile> embedded_samples();      ///< datasets/samples/*.jsonl, by name
std::span<const EmbeddedFile> embedded_corrections();  ///< datasets/grading/corrections.json

}  // namespace moebench
