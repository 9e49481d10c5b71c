// Two answers, parted by a newline: compared both ways; each must equal itself.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "datasets/grading/equivalence.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t newline = input.find('\n');
  const std::string_view gold = input.substr(0, newline);
  const std::string_view answer =
      newline == std::string_view::npos ? gold : input.substr(newline + 1);
  moebench::compare_answers(gold, answer);
  moebench::compare_answers(answer, gold);
  moebench::explain_parse(answer);
  // An answer that can be read, and compared within the budget, is its own equal.
  const moebench::Equivalence self = moebench::compare_answers(gold, gold);
  if (!self.equal && self.reason == moebench::GradeReason::kIdenticalText) std::abort();
  return 0;
}
