#include "datasets/statistics.h"

#include <algorithm>
#include <cctype>
#include <set>

namespace moebench {
namespace {

/// Letters and digits in lower case: the same question in another layout is the same question.
std::string essence(const std::string& question) {
  std::string out;
  for (const char c : question) {
    if (std::isalnum(static_cast<unsigned char>(c)))
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

}  // namespace

SampleStatistics describe(const SampleSet& set) {
  SampleStatistics result;
  result.rows = static_cast<std::int64_t>(set.samples.size());
  result.malformed = static_cast<std::int64_t>(set.malformed.size());
  std::map<std::string, std::string> first;
  std::set<std::string> targets;
  double bytes = 0;
  for (const Sample& sample : set.samples) {
    ++result.by_level[sample.level];
    ++result.by_subject[sample.subject];
    targets.insert(sample.target);
    const auto size = static_cast<std::int64_t>(sample.question.size());
    bytes += static_cast<double>(size);
    result.longest_question_bytes = std::max(result.longest_question_bytes, size);
    if (!sample.corrected_targets.empty()) ++result.corrected;
    const auto [entry, fresh] = first.emplace(essence(sample.question), sample.id);
    if (!fresh) result.duplicates.push_back(sample.id + " = " + entry->second);
  }
  result.distinct_targets = static_cast<std::int64_t>(targets.size());
  if (result.rows > 0) result.mean_question_bytes = bytes / static_cast<double>(result.rows);
  return result;
}

std::vector<std::string> shared_questions(const SampleSet& set, const SampleSet& other) {
  std::map<std::string, std::string> known;
  for (const Sample& sample : other.samples) known.emplace(essence(sample.question), sample.id);
  std::vector<std::string> shared;
  for (const Sample& sample : set.samples) {
    const auto found = known.find(essence(sample.question));
    if (found != known.end()) shared.push_back(sample.id + " = " + found->second);
  }
  return shared;
}

}  // namespace moebench
