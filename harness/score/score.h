#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "datasets/verdict.h"

namespace moebench {

/// How to read somebody's outputs. A field is a path: "resps.0.0" is the first of the first of
/// "resps".
struct ScoreRequest {
  std::filesystem::path input;  ///< a run directory, or a JSONL file
  std::string task;             ///< empty: the record's own, or `math` where a file names none
  std::string answer_field, target_field, question_field;  ///< empty: found by the known names
  bool bare_answers = false;  ///< the answer field holds the answer alone: nothing to extract
};

/// One row, graded anew.
struct ScoredRow {
  std::int64_t row = 0;  ///< line of the file, from 0
  std::string task;      ///< the record's own; empty if it names none
  std::string key;       ///< task, question and attempt: what --diff matches by
  std::string output;    ///< what was graded
  std::string target;
  Verdict verdict;
  std::string old_verdict;  ///< as the file had it; empty if it had none
};

struct UnscoredRow {
  std::int64_t row = 0;
  std::string reason;
};

struct ScoreReport {
  std::vector<ScoredRow> rows;
  std::vector<UnscoredRow> unscored;
  std::string answer_field, target_field;  ///< those that were used
  double grading_seconds = 0;

  std::int64_t count(VerdictKind kind) const;
  std::int64_t count_corrected()
      const;  ///< correct where the corrected gold decides, if there is one
};

/// Grades every row. Throws Error(kConfiguration) if the input is missing, holds no row that can be
/// graded, or its fields cannot be told.
ScoreReport score(const ScoreRequest& request);

struct ChangedVerdict {
  std::string key, old_verdict, new_verdict, old_extracted, new_extracted, target;
};

/// Verdicts that differ between two inputs (as recorded in them), matched by task, question and
/// attempt, in the order of `old_input`; "absent" where one side lacks the row.
std::vector<ChangedVerdict> diff_verdicts(const std::filesystem::path& old_input,
                                          const std::filesystem::path& new_input);

/// One line of JSON for a row.
std::string to_json_line(const ScoredRow& row);

}  // namespace moebench
