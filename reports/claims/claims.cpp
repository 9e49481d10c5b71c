#include "reports/claims/claims.h"

#include "reports/catalog/strict_json.h"

namespace moebench {

const char* to_string(ClaimVerdict verdict) {
  switch (verdict) {
    case ClaimVerdict::kSupported:
      return "supported";
    case ClaimVerdict::kRefuted:
      return "refuted";
    case ClaimVerdict::kInconclusive:
      return "inconclusive";
    case ClaimVerdict::kNotTestable:
      return "not testable";
  }
  return "not testable";
}

ClaimFile parse_claims(std::string_view text, const std::string& where) {
  const auto json = StrictObject::parse(text, where);
  const StrictObject top(json, where);
  top.allow_only({"schema", "title", "claims"});
  if (top.number("schema") != 1) top.fail("this build reads claims of schema 1 only");
  ClaimFile file;
  file.title = top.text("title");
  for (const StrictObject& in : top.objects("claims")) {
    in.allow_only({"id", "statement", "source", "as_of", "tests"});
    Claim& claim = file.claims.emplace_back();
    claim.id = in.text("id");
    claim.statement = in.text("statement");
    claim.source = in.text("source");
    claim.as_of = in.text("as_of");
    for (const StrictObject& t : in.objects("tests")) {
      t.allow_only({"metric", "relation", "subject", "reference", "task", "device",
                    "reference_device", "note", "margin_points", "limit", "reference_limit",
                    "input_tokens", "output_tokens", "stand_in", "context"});
      ClaimTest& test = claim.tests.emplace_back();
      test.metric = t.text("metric");
      test.relation = t.text("relation");
      test.subject = t.text("subject");
      test.reference = t.text_or("reference", "");
      test.task = t.text_or("task", "");
      test.device = t.text_or("device", "");
      test.reference_device = t.text_or("reference_device", "");
      test.note = t.text_or("note", "");
      test.margin_points = t.number_if("margin_points");
      test.limit = t.number_if("limit");
      test.reference_limit = t.number_if("reference_limit");
      test.input_tokens = t.number_if("input_tokens");
      test.output_tokens = t.number_if("output_tokens");
      test.stand_in = t.flag("stand_in");
      test.context = t.flag("context");
    }
    if (claim.tests.empty()) in.fail("a claim needs at least one test");
  }
  return file;
}

ClaimVerdict combine(const Claim& claim, const std::vector<ClaimFinding>& findings) {
  bool any = false, all_supported = true, all_untestable = true;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (claim.tests[i].stand_in || claim.tests[i].context) continue;
    any = true;
    if (findings[i].verdict == ClaimVerdict::kRefuted) return ClaimVerdict::kRefuted;
    all_supported = all_supported && findings[i].verdict == ClaimVerdict::kSupported;
    all_untestable = all_untestable && findings[i].verdict == ClaimVerdict::kNotTestable;
  }
  if (!any || all_untestable) return ClaimVerdict::kNotTestable;
  return all_supported ? ClaimVerdict::kSupported : ClaimVerdict::kInconclusive;
}

ClaimsResult test_claims(const ClaimFile& file, std::span<const LoadedRun> runs,
                         const Catalog& catalog) {
  ClaimsResult result;
  for (const Claim& claim : file.claims) {
    auto& findings = result.findings.emplace_back();
    for (const ClaimTest& test : claim.tests) findings.push_back(test_claim(test, runs, catalog));
    result.verdicts.push_back(combine(claim, findings));
  }
  return result;
}

}  // namespace moebench
