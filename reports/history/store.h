#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reports/record/record_files.h"

struct sqlite3;

namespace moebench {

/// One run in a history: what it was, and its figures by name.
struct HistoryRun {
  std::int64_t id = 0;  ///< the store's
  std::string run_id, started_utc, commit, label;
  std::string series;   ///< what makes runs comparable: model, tasks, machine, threads, ...
  std::string machine;  ///< for people
  bool modified_tree = false;
  std::map<std::string, double> figures;
};

/// What `history add` puts down of a run: the gate's figures, and "accuracy" over all attempts.
/// Throws Error(kConfiguration) for a run without samples, or one that is not complete.
HistoryRun history_run(const LoadedRun& run, const std::string& where);

/// An SQLite file of runs. Writers take turns (write-ahead log, a transaction each, up to 20 s of
/// waiting), and a writer killed at any moment leaves the file as it was before or after its run.
/// One object is for one thread; any number of processes may have the file open.
class HistoryStore {
 public:
  enum class Access { kRead, kWrite };
  /// kWrite creates the file; kRead wants one. Throws Error(kUsage) where it doesn't exist, is no
  /// history or was made by a newer build, Error(kIo) where it can't be read or written.
  HistoryStore(const std::filesystem::path& file, Access access);
  HistoryStore(const HistoryStore&) = delete;
  HistoryStore& operator=(const HistoryStore&) = delete;
  ~HistoryStore();

  /// False when the run (its id and start) is there already; then nothing is changed.
  bool add(const HistoryRun& run);
  /// Removes one run by the store's id; false when there is none.
  bool remove(std::int64_t id);
  /// All runs, by start time, then id.
  std::vector<HistoryRun> runs() const;
  /// SQLite's own integrity check: "ok", or what is wrong.
  std::string integrity() const;

 private:
  std::filesystem::path file_;
  sqlite3* database_ = nullptr;
};

}  // namespace moebench
