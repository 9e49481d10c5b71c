#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "datasets/readers/readers.h"

namespace moebench {

/// What a data set holds, for `moebench data stats`.
struct SampleStatistics {
  std::int64_t rows = 0, malformed = 0;
  std::map<std::string, std::int64_t> by_level, by_subject;
  double mean_question_bytes = 0;
  std::int64_t longest_question_bytes = 0;
  std::int64_t distinct_targets = 0;
  std::vector<std::string> duplicates;  ///< "id = earlier id" where the question is the same
  std::int64_t corrected = 0;           ///< rows with a known incomplete gold
};
SampleStatistics describe(const SampleSet& set);

/// Questions of `set` that stand in `other` too, by their letters and digits alone.
std::vector<std::string> shared_questions(const SampleSet& set, const SampleSet& other);

}  // namespace moebench
