#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace moebench {

/// What the placeholders of a launch command stand for.
struct LaunchValues {
  std::string model;  ///< {model}: a path or a name, as the server takes it
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::int64_t batch = 1;    ///< {batch}: requests served at once
  std::int64_t context = 0;  ///< {context}; {total_context} is that times {batch}; 0: unknown
};

struct LaunchCommand {
  std::vector<std::string> arguments;  ///< the program first; no shell ever sees them
  std::string health_path;             ///< answers 200 when the server is ready
};

/// Makes the argument vector of `text`, which is the name of a recipe (recipes.json) or a command.
/// Words are cut at blanks; '...' and "..." keep blanks; a backslash keeps the next character.
/// Placeholders are put in after the cutting, so a path with blanks stays one argument. Throws
/// Error(kUsage) for an open quote, an unknown placeholder, one whose value is unknown, or a
/// command without {port}.
LaunchCommand launch_command(const std::string& text, const LaunchValues& values);

/// The names of the recipes.
std::vector<std::string> launch_recipes();

}  // namespace moebench
