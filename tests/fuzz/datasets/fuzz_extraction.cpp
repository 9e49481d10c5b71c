// A model's output under every kind of extraction.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "datasets/extraction/extraction.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using moebench::ExtractionKind;
  const std::string_view output(reinterpret_cast<const char*>(data), size);
  for (const ExtractionKind kind :
       {ExtractionKind::kStrictHash, ExtractionKind::kFlexibleNumber, ExtractionKind::kBoxed,
        ExtractionKind::kStrictBoxed, ExtractionKind::kStatedAnswer}) {
    moebench::ExtractionRules rules;
    rules.kind = kind;
    rules.run_on_marks = {"\nQuestion:"};
    const moebench::Extraction traced = moebench::extract_answer(rules, output, true);
    const moebench::Extraction plain = moebench::extract_answer(rules, output);
    if (traced.answer != plain.answer || traced.rule != plain.rule) std::abort();
    const bool found = plain.status == moebench::ExtractionStatus::kFound;
    if (found == (plain.rule == moebench::ExtractionRule::kNone)) std::abort();
  }
  return 0;
}
