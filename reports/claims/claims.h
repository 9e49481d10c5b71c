#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reports/catalog/catalog.h"
#include "reports/record/record_files.h"
#include "reports/render/document.h"

namespace moebench {

enum class ClaimVerdict { kSupported, kRefuted, kInconclusive, kNotTestable };
const char* to_string(ClaimVerdict verdict);  ///< "supported", "refuted", "inconclusive", ...

/// One way to test a claim. Subjects are model names, or labels of runs.
struct ClaimTest {
  std::string metric, relation, subject, reference = {}, task = {}, device = {};
  std::string reference_device = {}, note = {};
  std::optional<double> margin_points = {}, limit = {}, reference_limit = {};
  std::optional<double> input_tokens = {}, output_tokens = {};
  bool stand_in = false;  ///< the subject stands in for the claim's own, which can't be had
  bool context = false;   ///< shown beside the claim, to see its figures by; decides nothing
};

struct Claim {
  std::string id, statement, source, as_of;
  std::vector<ClaimTest> tests;
};

struct ClaimFile {
  std::string title;
  std::vector<Claim> claims;
};

/// Throws Error(kConfiguration) that names the claim and the key. A metric or relation that this
/// build doesn't know is no error here: its test comes out as not testable.
ClaimFile parse_claims(std::string_view json, const std::string& where);

struct ClaimFinding {
  ClaimVerdict verdict = ClaimVerdict::kNotTestable;
  std::string evidence;      ///< the figures, and where they are from
  std::string would_decide;  ///< what is missing; empty once decided
  std::optional<Provenance> provenance;
};

/// Tests against the runs first (a run whose label or model name is the subject's), then against
/// the published figures.
ClaimFinding test_claim(const ClaimTest& test, std::span<const LoadedRun> runs,
                        const Catalog& catalog);

/// A claim's own verdict: its tests of the claimed subject together (refuted if any is, supported
/// if all are, inconclusive otherwise); stand-ins and context never decide it.
ClaimVerdict combine(const Claim& claim, const std::vector<ClaimFinding>& findings);

struct ClaimsResult {
  std::vector<std::vector<ClaimFinding>> findings;  ///< (claim, test)
  std::vector<ClaimVerdict> verdicts;               ///< one a claim
};
ClaimsResult test_claims(const ClaimFile& file, std::span<const LoadedRun> runs,
                         const Catalog& catalog);

Document build_claims_report(const ClaimFile& file, const ClaimsResult& result);

}  // namespace moebench
