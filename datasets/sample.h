#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace moebench {

/// One problem. `target` is the gold answer as the field scores it (MATH: the last box of the
/// solution; GSM8K: what follows `####`).
struct Sample {
  std::string id;        ///< stable across runs: the row's own id, or "<task>/<row>"
  std::string question;  ///< the problem's text, unchanged
  std::string target;
  std::string solution;    ///< the worked solution, empty where the data has none
  std::string level;       ///< "1".."5" for MATH, the file's own word otherwise, may be empty
  std::string subject;     ///< "Algebra", ..., may be empty
  std::int64_t index = 0;  ///< row in the file, from 0
  /// Not empty where the field's gold is known to be incomplete or wrong: any one of these is the
  /// answer then (grading/corrections.json).
  std::vector<std::string> corrected_targets;
};

}  // namespace moebench
