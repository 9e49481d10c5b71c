#include "reports/record/record_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <tuple>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/mapped_file.h"

namespace moebench {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxRunBytes = 256ull << 20;
constexpr std::uint64_t kMaxLineBytes = 64ull << 20;

[[noreturn]] void io_error(const std::string& action, const fs::path& path) {
  const int code = errno;
  throw Error(ErrorCode::kIo, "can't " + action + " " + path.string() + ": " + std::strerror(code),
              code == ENOSPC ? "free some space on that disk, then resume the run" : "");
}

std::string read_text(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error))
    throw Error(ErrorCode::kIo, file.string() + ": there is no such file");
  if (fs::file_size(file, error) == 0 || error) return {};  // an empty file can't be mapped
  const MappedFile mapped(file);
  const auto bytes = mapped.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Up to and with the last newline of what was really written: a block that never reached the disk
// before the power went reads as zeros, which no line holds.
std::uint64_t whole_lines_bytes(std::string_view text) {
  const std::string_view written = text.substr(0, text.find('\0'));
  const std::size_t newline = written.rfind('\n');
  return newline == std::string_view::npos ? 0 : newline + 1;
}

// Calls with (line, where) for each complete line; returns the bytes they take.
template <class F>
std::uint64_t for_each_line(std::string_view text, const fs::path& file, F&& call) {
  text = text.substr(0, whole_lines_bytes(text));
  std::size_t begin = 0;
  std::uint64_t number = 0;
  while (begin < text.size()) {
    const std::size_t end = text.find('\n', begin);
    const std::string where = file.string() + ":" + std::to_string(++number);
    if (end - begin > kMaxLineBytes)
      throw Error(ErrorCode::kConfiguration, where + ": the line is longer than 64 MiB");
    if (end > begin) call(text.substr(begin, end - begin), where);
    begin = end + 1;
  }
  return begin;
}

void write_all(int descriptor, std::string_view data, const fs::path& path) {
  while (!data.empty()) {
    const ssize_t written = ::write(descriptor, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) io_error("write", path);
    data.remove_prefix(static_cast<std::size_t>(written));
  }
}

// A file that is written beside its target and takes the target's place in finish(): a reader sees
// the old or the new one, never half, and so does whoever comes after a power loss.
class FileReplacement {
 public:
  FileReplacement(const fs::path& directory, const std::string& name)
      : directory_(directory), target_(directory / name), temporary_(directory / (name + ".new")) {
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor_ < 0) io_error("create", temporary_);
  }
  FileReplacement(const FileReplacement&) = delete;
  FileReplacement& operator=(const FileReplacement&) = delete;
  ~FileReplacement() {
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
  }

  void write(std::string_view data) { write_all(descriptor_, data, temporary_); }

  void finish() {
    if (::fsync(descriptor_) != 0) io_error("write", temporary_);
    const int descriptor = std::exchange(descriptor_, -1);
    if (::close(descriptor) != 0) io_error("write", temporary_);
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) io_error("replace", target_);
    // The rename itself must survive a power loss. Where a folder can't be synced, nothing is lost
    // but that promise.
    const int folder = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    ::fsync(folder);
    ::close(folder);
  }

 private:
  fs::path directory_, target_, temporary_;
  int descriptor_ = -1;
};

}  // namespace

SamplesFile read_samples(const fs::path& file) {
  SamplesFile result;
  const std::string text = read_text(file);
  std::set<std::tuple<std::string, std::string, std::int64_t>> seen;
  std::int64_t repeated = 0;
  result.complete_bytes = for_each_line(text, file, [&](std::string_view line, auto& where) {
    SampleRecord sample = parse_sample_record(line, where);
    if (seen.emplace(sample.task, sample.question_id, sample.attempt).second)
      result.samples.push_back(std::move(sample));
    else
      ++repeated;
  });
  result.dropped_bytes = text.size() - result.complete_bytes;
  if (result.dropped_bytes > 0)
    result.warnings.push_back(file.string() + ": the end is incomplete (" +
                              std::to_string(result.dropped_bytes) +
                              " bytes of an interrupted write); it does not count");
  if (repeated > 0)
    result.warnings.push_back(file.string() + ": " + std::to_string(repeated) +
                              " attempts are there twice; the first of each counts");
  return result;
}

std::vector<StepSample> read_steps(const fs::path& file) {
  std::vector<StepSample> steps;
  for_each_line(read_text(file), file, [&](std::string_view line, auto& where) {
    steps.push_back(parse_step_sample(line, where));
  });
  return steps;
}

LoadedRun load_run(const fs::path& path) {
  const fs::path directory = path.filename() == "run.json" ? path.parent_path() : path;
  std::error_code error;
  const fs::path run_file = directory / "run.json";
  if (!fs::exists(run_file, error))
    throw Error(ErrorCode::kUsage, path.string() + ": holds no run.json",
                "give the directory that `moebench run -o DIR` wrote");
  if (fs::file_size(run_file, error) > kMaxRunBytes)
    throw Error(ErrorCode::kConfiguration, run_file.string() + ": is larger than 256 MiB");
  LoadedRun loaded;
  loaded.run = parse_run_record(read_text(run_file), run_file.string());
  const fs::path samples_file = directory / "samples.jsonl";
  if (!fs::exists(samples_file, error)) {
    loaded.warnings.push_back(samples_file.string() + ": is missing; the run holds no samples");
    return loaded;
  }
  SamplesFile samples = read_samples(samples_file);
  loaded.samples = std::move(samples.samples);
  loaded.warnings = std::move(samples.warnings);
  return loaded;
}

void write_run_record(const fs::path& directory, const RunRecord& run) {
  FileReplacement file(directory, "run.json");
  file.write(to_json(run));
  file.finish();
}

void write_samples(const fs::path& directory, std::span<const SampleRecord> samples) {
  constexpr std::size_t kWriteBytes = 1 << 20;
  FileReplacement file(directory, "samples.jsonl");
  std::string lines;
  for (const SampleRecord& sample : samples) {
    lines += to_json_line(sample);
    if (lines.size() < kWriteBytes) continue;
    file.write(lines);
    lines.clear();
  }
  file.write(lines);
  file.finish();
}

JsonLinesWriter::JsonLinesWriter(const fs::path& file) : path_(file) {
  descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) io_error("open", file);
  const std::string text = read_text(file);
  size_bytes_ = synced_bytes_ = whole_lines_bytes(text);
  if ((size_bytes_ < text.size() &&
       ::ftruncate(descriptor_, static_cast<off_t>(size_bytes_)) != 0) ||
      ::lseek(descriptor_, static_cast<off_t>(size_bytes_), SEEK_SET) < 0) {
    ::close(descriptor_);
    io_error("open", file);
  }
}

JsonLinesWriter::~JsonLinesWriter() {
  ::fdatasync(descriptor_);
  ::close(descriptor_);
}

void JsonLinesWriter::append(const SampleRecord& sample) { append_line(to_json_line(sample)); }
void JsonLinesWriter::append(const StepSample& step) { append_line(to_json_line(step)); }

void JsonLinesWriter::sync() {
  if (synced_bytes_ == size_bytes_) return;
  if (::fdatasync(descriptor_) != 0) io_error("write", path_);
  synced_bytes_ = size_bytes_;
}

void JsonLinesWriter::append_line(const std::string& line) {
  try {
    write_all(descriptor_, line, path_);
  } catch (...) {
    // Half a line must not stay in front of a later one. If even this fails, the reader drops it.
    if (::ftruncate(descriptor_, static_cast<off_t>(size_bytes_)) == 0)
      ::lseek(descriptor_, static_cast<off_t>(size_bytes_), SEEK_SET);
    throw;
  }
  size_bytes_ += line.size();
}

std::vector<StepKindSummary> summarize_steps(std::span<const StepSample> steps) {
  std::vector<StepKindSummary> kinds(3);
  kinds[0].kind = "prefill";
  kinds[1].kind = "decode";
  kinds[2].kind = "mixed";
  for (const StepSample& step : steps) {
    const std::size_t index = step.decode_tokens == 0 ? 0 : step.prefill_tokens == 0 ? 1 : 2;
    StepKindSummary& kind = kinds[index];
    ++kind.steps;
    const double seconds = (step.end_ms - step.begin_ms) / 1000;
    const std::int64_t rows = step.prefill_tokens + step.decode_tokens;
    kind.seconds += seconds;
    if (rows > 0)
      kind.prefill_seconds =
          kind.prefill_seconds.value_or(0) +
          seconds * static_cast<double>(step.prefill_tokens) / static_cast<double>(rows);
    kind.prefill_tokens += step.prefill_tokens;
    kind.decode_tokens += step.decode_tokens;
    kind.sequences += step.sequences;
    kind.kv_tokens_read += step.kv_tokens_read;
    kind.activated_experts += step.activated_experts;
    kind.weight_bytes_read += step.weight_bytes_read;
    kind.flops += step.flops;
  }
  std::erase_if(kinds, [](const StepKindSummary& kind) { return kind.steps == 0; });
  return kinds;
}

void count_verdict(VerdictCounts& counts, const SampleRecord& sample) {
  if (sample.verdict == verdicts::kCorrect)
    ++counts.correct;
  else if (sample.verdict == verdicts::kWrong)
    ++counts.wrong;
  else if (sample.verdict == verdicts::kUnparsed)
    ++counts.unparsed;
  else if (sample.verdict == verdicts::kTruncated)
    ++counts.truncated;
  else if (sample.graded())
    ++counts.failed;
}

VerdictCounts count_verdicts(std::span<const SampleRecord> samples, std::string_view task) {
  VerdictCounts counts;
  for (const SampleRecord& sample : samples) {
    if (sample.task == task) count_verdict(counts, sample);
  }
  return counts;
}

std::optional<RetryRecord> count_retries(std::span<const SampleRecord> samples) {
  std::optional<RetryRecord> counts;
  for (const SampleRecord& sample : samples) {
    if (!sample.retries) continue;
    if (!counts) counts.emplace();
    counts->retries += *sample.retries;
    counts->requests_retried += *sample.retries > 0;
  }
  return counts;
}

}  // namespace moebench
