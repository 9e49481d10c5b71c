#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/sample.h"
#include "datasets/task.h"

namespace moebench {

/// A row that could not be read; the rest of the file was.
struct MalformedRow {
  std::int64_t row = 0;  ///< from 0
  std::string reason;
};

struct SampleSet {
  std::vector<Sample> samples;
  std::vector<MalformedRow> malformed;
  std::string file;     ///< what was read
  std::string sha256;   ///< of its bytes; of the sorted "path\0sha256" list for a tree
  bool pinned = false;  ///< the task states a sum, and it is this one
};

/// Reads a task's problems: the first of its files that exists under data_folder (embedded ones
/// need no folder). Throws Error(kConfiguration) when none exists (naming what was looked for and
/// how to get it) or when the sum is not the pinned one.
SampleSet read_samples(const Task& task, const std::filesystem::path& data_folder);

/// The train rows that the prompt's shots refer to, in the prompt's order. Throws as read_samples,
/// and when a row does not exist.
std::vector<Sample> read_shots(const Task& task, const std::filesystem::path& data_folder);

/// Reads one file as it is, for tools; `prefix` begins the ids of rows that have none.
SampleSet read_file(const DataFile& file, const std::filesystem::path& path,
                    const std::string& prefix);

/// Names of the data files inside the program, and their bytes.
std::vector<std::string> list_embedded_samples();

}  // namespace moebench
