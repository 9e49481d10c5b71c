// Two answers, parted by a newline: compared both ways; each must equal itself.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "datasets/grading/equivalence.h"
#include "datasets/grading/tokens.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t newline = input.find('\n');
  const std::string_view gold = input.substr(0, newline);
  const std::string_view answer =
      newline == std::string_view::npos ? gold : input.substr(newline + 1);
  moebench::compare_answers(gold, answer);
  moebench::compare_answers(answer, gold);
  moebench::explain_parse(answer);
  // What can be read, and compared within the budget, is its own equal. The space at the end keeps
  // the texts apart, so that the parser has to see it; behind a backslash it would be another sign,
  // and Markdown's stars must close at the end.
  const std::string parsed = moebench::explain_parse(gold);
  if (parsed.starts_with("not mathematics") || parsed.starts_with("over budget") ||
      gold.ends_with('\\') || gold.starts_with('*') || gold.starts_with('_') ||
      gold.size() + 2 > moebench::kMaxAnswerBytes)
    return 0;
  const moebench::Equivalence self = moebench::compare_answers(gold, std::string(gold) + "\\,");
  if (!self.equal && self.reason != moebench::GradeReason::kBudget) std::abort();
  return 0;
}
