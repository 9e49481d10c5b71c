#include <array>

#include "reports/claims/claims.h"
#include "reports/render/cells.h"

namespace moebench {
namespace {

Tone tone_of(ClaimVerdict verdict) {
  return verdict == ClaimVerdict::kSupported ? Tone::kGood
         : verdict == ClaimVerdict::kRefuted ? Tone::kBad
                                             : Tone::kUncertain;
}

std::string words(const ClaimTest& test) {
  std::string text = test.metric;
  for (char& c : text)
    if (c == '_') c = ' ';
  if (!test.task.empty()) text += " on " + test.task;
  if (!test.device.empty()) text += " on " + test.device;
  if (!test.reference.empty()) text += ", against " + test.reference;
  return text;
}

}  // namespace

Document build_claims_report(const ClaimFile& file, const ClaimsResult& result) {
  Document document;
  document.title = file.title;
  std::array<int, 4> counts{};
  for (const ClaimVerdict verdict : result.verdicts) ++counts[static_cast<std::size_t>(verdict)];
  document.subtitle = std::to_string(file.claims.size()) + " claims: " + std::to_string(counts[0]) +
                      " supported, " + std::to_string(counts[1]) + " refuted, " +
                      std::to_string(counts[2]) + " inconclusive, " + std::to_string(counts[3]) +
                      " not testable";
  Section summary{"verdicts", "Verdicts", {}};
  Table table;
  table.id = "claims";
  table.columns = {text_column("claim", "claim"), text_column("statement", "statement"),
                   text_column("verdict", "verdict"), text_column("stand_in", "of a stand-in")};
  for (std::size_t i = 0; i < file.claims.size(); ++i) {
    const Claim& claim = file.claims[i];
    std::string stand_in;
    for (std::size_t t = 0; t < claim.tests.size(); ++t)
      if (claim.tests[t].stand_in)
        stand_in += (stand_in.empty() ? "" : "; ") + claim.tests[t].subject + ", " +
                    words(claim.tests[t]) + ": " + to_string(result.findings[i][t].verdict);
    table.rows.push_back({text_cell(claim.id), text_cell(claim.statement),
                          text_cell(to_string(result.verdicts[i]), tone_of(result.verdicts[i])),
                          text_cell(stand_in.empty() ? kUnknownText : stand_in)});
  }
  table.note = "A stand-in's verdict is shown beside a claim and never decides it.";
  summary.blocks.push_back(std::move(table));
  document.sections.push_back(std::move(summary));
  for (std::size_t i = 0; i < file.claims.size(); ++i) {
    const Claim& claim = file.claims[i];
    Section section{claim.id, claim.id, {}};
    section.blocks.push_back(Paragraph{
        "\"" + claim.statement + "\" (" + claim.source + ", " + claim.as_of + ")", Tone::kNeutral});
    Table evidence;
    evidence.id = "evidence-" + claim.id;
    evidence.caption = "Evidence";
    evidence.columns = {
        text_column("subject", "subject"),   text_column("test", "test"),
        text_column("verdict", "verdict"),   text_column("basis", "basis"),
        text_column("evidence", "evidence"), text_column("would_decide", "what would decide it")};
    for (std::size_t t = 0; t < claim.tests.size(); ++t) {
      const ClaimTest& test = claim.tests[t];
      const ClaimFinding& finding = result.findings[i][t];
      evidence.rows.push_back(
          {text_cell(test.subject + (test.stand_in  ? " (stand-in)"
                                     : test.context ? " (context)"
                                                    : "")),
           text_cell(words(test)), text_cell(to_string(finding.verdict), tone_of(finding.verdict)),
           text_cell(finding.provenance ? to_string(*finding.provenance) : kUnknownText),
           text_cell(finding.evidence + (test.note.empty() ? "" : " (" + test.note + ")")),
           text_cell(finding.would_decide.empty() ? kUnknownText : finding.would_decide)});
    }
    section.blocks.push_back(std::move(evidence));
    document.sections.push_back(std::move(section));
  }
  return document;
}

}  // namespace moebench
