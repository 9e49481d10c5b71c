#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reports/record/run_record.h"
#include "reports/record/sample_record.h"

namespace moebench {

// The run directory: run.json (one RunRecord, replaced atomically), samples.jsonl (one SampleRecord
// a line; append-only while the run goes on, put in order once it is complete) and, if asked for,
// steps.jsonl. A line counts once its newline is on disk; what follows the last newline is the rest
// of a killed write, and what follows a zero byte was lost with the power: both are dropped, with a
// warning.

std::string_view to_string(RunStatus status);  ///< "running", "partial", "complete"

/// Pretty JSON with a final newline / one line with its newline. Throw Error(kInternal) on a number
/// that JSON can't hold (NaN, infinity). Invalid UTF-8 is replaced by U+FFFD.
std::string to_json(const RunRecord& run);
std::string to_json_line(const SampleRecord& sample);
std::string to_json_line(const StepSample& step);

/// `where` names the source in errors. Throws Error(kConfiguration) for text that is no record, for
/// a missing or mistyped field (named), and for a schema newer than this build reads. Fields that
/// this build does not know are ignored.
RunRecord parse_run_record(std::string_view json, const std::string& where);
SampleRecord parse_sample_record(std::string_view json_line, const std::string& where);
StepSample parse_step_sample(std::string_view json_line, const std::string& where);

struct SamplesFile {
  std::vector<SampleRecord> samples;  ///< in file order; of two with the same task, question and
                                      ///< attempt the first counts
  std::uint64_t complete_bytes = 0;   ///< up to and with the last whole line
  std::uint64_t dropped_bytes = 0;    ///< the rest of a killed write
  std::vector<std::string> warnings;
};

/// Throws Error(kIo) when it can't be read, Error(kConfiguration) (file and line) when a complete
/// line is no record.
SamplesFile read_samples(const std::filesystem::path& file);
std::vector<StepSample> read_steps(const std::filesystem::path& file);

/// A run as it lies on disk; what every report is a function of.
struct LoadedRun {
  RunRecord run;
  std::vector<SampleRecord> samples;
  std::vector<std::string> warnings;  ///< about the files
};

/// Reads run.json and samples.jsonl of a run directory (or of the directory that a run.json path
/// lies in). Throws as above; a run without a single sample is not an error here.
LoadedRun load_run(const std::filesystem::path& run_directory);

/// Writes run.json through a temporary file, fsync and rename: a reader sees the old or the new
/// one, never half. Throws Error(kIo).
void write_run_record(const std::filesystem::path& run_directory, const RunRecord& run);

/// Replaces samples.jsonl in the same way.
void write_samples(const std::filesystem::path& run_directory,
                   std::span<const SampleRecord> samples);

/// Appends lines; each is handed to the OS in one write before append() returns, so a killed
/// process loses at most the line it was writing; a lost power supply costs what was appended since
/// the last sync(). One writer a file; not thread-safe.
class JsonLinesWriter {
 public:
  /// Creates the file, or opens it and cuts off the rest of a killed write. Throws Error(kIo).
  explicit JsonLinesWriter(const std::filesystem::path& file);
  JsonLinesWriter(const JsonLinesWriter&) = delete;
  JsonLinesWriter& operator=(const JsonLinesWriter&) = delete;
  ~JsonLinesWriter();

  /// Throws Error(kIo), the disk being full included; then the file ends with the last whole line.
  void append(const SampleRecord& sample);
  void append(const StepSample& step);

  /// Waits until what was appended is on the disk; at once when nothing was. Throws Error(kIo).
  void sync();

 private:
  void append_line(const std::string& line);

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_bytes_ = 0, synced_bytes_ = 0;
};

/// The step log by kind ("prefill", "decode", "mixed"; only those that occur, in this order).
std::vector<StepKindSummary> summarize_steps(std::span<const StepSample> steps);

/// Counts one sample's verdict; an ungraded one is in no count.
void count_verdict(VerdictCounts& counts, const SampleRecord& sample);

/// Counts the verdicts of one task's samples.
VerdictCounts count_verdicts(std::span<const SampleRecord> samples, std::string_view task);

/// Counts the samples' retries; nothing where no sample tells any.
std::optional<RetryRecord> count_retries(std::span<const SampleRecord> samples);

}  // namespace moebench
