#include "reports/history/store.h"

#include <sqlite3.h>

#include "engine/base/error.h"
#include "reports/gate/metrics.h"

namespace moebench {
namespace {

constexpr int kSchema = 1;
constexpr int kApplication = 0x6d6f6562;  // "moeb"
constexpr int kBusyMilliseconds = 20'000;

constexpr const char* kCreate = R"(
CREATE TABLE IF NOT EXISTS runs (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL, started_utc TEXT NOT NULL, commit_id TEXT NOT NULL,
  modified_tree INTEGER NOT NULL, label TEXT NOT NULL, series TEXT NOT NULL, machine TEXT NOT NULL,
  UNIQUE (run_id, started_utc));
CREATE TABLE IF NOT EXISTS figures (
  run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  name TEXT NOT NULL, value REAL NOT NULL,
  PRIMARY KEY (run, name)) WITHOUT ROWID;
)";

[[noreturn]] void fail(sqlite3* database, const std::filesystem::path& file, int code,
                       const std::string& action) {
  const std::string message =
      file.string() + ": can't " + action + ": " +
      (database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code));
  switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      throw Error(ErrorCode::kUsage, message, "the file that `moebench history add` wrote");
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      throw Error(ErrorCode::kIo, message,
                  "a file in a folder that you may write to; nothing was changed");
    case SQLITE_BUSY:
      throw Error(ErrorCode::kIo, message, "another writer holds it; try again");
    default:
      throw Error(ErrorCode::kIo, message);
  }
}

/// A prepared statement; every step's failure is an Error.
class Statement {
 public:
  Statement(sqlite3* database, const std::filesystem::path& file, const char* sql)
      : database_(database), file_(file) {
    const int code = sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr);
    if (code != SQLITE_OK) fail(database, file, code, "read the history");
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  Statement& bind(int at, const std::string& text) {
    sqlite3_bind_text(statement_, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
    return *this;
  }
  Statement& bind(int at, std::int64_t value) {
    sqlite3_bind_int64(statement_, at, value);
    return *this;
  }
  Statement& bind(int at, double value) {
    sqlite3_bind_double(statement_, at, value);
    return *this;
  }
  /// True for a row, false when done.
  bool step(const char* action) {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    fail(database_, file_, code, action);
  }
  std::string text(int column) const {
    const auto* bytes = sqlite3_column_text(statement_, column);
    return bytes == nullptr ? "" : reinterpret_cast<const char*>(bytes);
  }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  double real(int column) const { return sqlite3_column_double(statement_, column); }
  void reset() { sqlite3_reset(statement_); }

 private:
  sqlite3* database_;
  const std::filesystem::path& file_;
  sqlite3_stmt* statement_ = nullptr;
};

void execute(sqlite3* database, const std::filesystem::path& file, const char* sql,
             const char* action) {
  const int code = sqlite3_exec(database, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(database, file, code, action);
}

/// Rolls back unless committed. IMMEDIATE: the lock is taken at once, so that two writers wait for
/// each other here and never in the middle.
class Transaction {
 public:
  Transaction(sqlite3* database, const std::filesystem::path& file)
      : database_(database), file_(file) {
    execute(database, file, "BEGIN IMMEDIATE", "write to the history");
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    if (!done_) sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  void commit() {
    execute(database_, file_, "COMMIT", "write to the history");
    done_ = true;
  }

 private:
  sqlite3* database_;
  const std::filesystem::path& file_;
  bool done_ = false;
};

std::int64_t pragma(sqlite3* database, const std::filesystem::path& file, const char* sql) {
  Statement statement(database, file, sql);
  return statement.step("read the history") ? statement.integer(0) : 0;
}

bool can_be_read(sqlite3* database) {
  const int code =
      sqlite3_exec(database, "SELECT count(*) FROM sqlite_master", nullptr, nullptr, nullptr);
  return code != SQLITE_READONLY && code != SQLITE_CANTOPEN;
}

std::string immutable_uri(const std::filesystem::path& file) {
  std::string uri = "file:";
  for (const char c : file.string()) {
    if (c == '?' || c == '#' || c == '%') {
      constexpr const char* kHex = "0123456789abcdef";
      uri += {'%', kHex[c >> 4], kHex[c & 15]};
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

}  // namespace

HistoryRun history_run(const LoadedRun& run, const std::string& where) {
  if (run.samples.empty())
    throw Error(ErrorCode::kConfiguration, where + ": the run holds no samples, so no figures",
                "a run that answered something");
  if (run.run.status != RunStatus::kComplete)
    throw Error(
        ErrorCode::kConfiguration,
        where + ": the run is not complete (" + std::string(to_string(run.run.status)) + ")",
        "moebench run --resume " + where);
  const RunRecord& record = run.run;
  HistoryRun entry;
  entry.run_id = record.run_id;
  entry.started_utc = record.started_utc;
  entry.commit = record.build.commit;
  entry.modified_tree = record.build.modified_tree;
  entry.label = record.label;
  entry.machine = record.environment.cpu + ", " + std::to_string(record.environment.logical_cores) +
                  " cores, " + record.engine.device + " " + record.engine.isa;
  entry.series = record.model.sha256.substr(0, 16) + " " + record.model.weight_types;
  for (const TaskRecord& task : record.tasks)
    entry.series += " | " + task.name + " " + std::to_string(task.planned_questions) + " x " +
                    std::to_string(task.attempts_per_question) + " " +
                    task.task_sha256.substr(0, 8) + " " + task.prompt_sha256.substr(0, 8);
  entry.series += " | " + entry.machine + ", " + std::to_string(record.engine.threads) +
                  " threads, batch " + std::to_string(record.engine.max_batch_sequences);
  entry.figures = gate_figures(run);
  double correct = 0;
  for (const SampleRecord& sample : run.samples) correct += sample.correct() ? 1 : 0;
  entry.figures["accuracy_percent"] = 100 * correct / static_cast<double>(run.samples.size());
  return entry;
}

HistoryStore::HistoryStore(const std::filesystem::path& file, Access access) : file_(file) {
  std::error_code error;
  if (access == Access::kRead && !std::filesystem::exists(file, error))
    throw Error(ErrorCode::kUsage, file.string() + ": there is no such history",
                "moebench history add --file " + file.string() + " RUN...");
  const bool write = access == Access::kWrite;
  const auto open = [&](int flags) {
    return sqlite3_open_v2(file.c_str(), &database_, flags, nullptr);
  };
  int code = open(SQLITE_OPEN_READWRITE | (write ? SQLITE_OPEN_CREATE : 0));
  // A reader of a write-ahead log wants to make its index file; where it may not, nobody else here
  // writes, either, and the file is read as it lies.
  if (!write && (code != SQLITE_OK || !can_be_read(database_))) {
    sqlite3_close(database_);
    code = sqlite3_open_v2(immutable_uri(file).c_str(), &database_,
                           SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nullptr);
  }
  try {
    if (code != SQLITE_OK) fail(database_, file_, code, "open the history");
    sqlite3_extended_result_codes(database_, 1);
    sqlite3_busy_timeout(database_, kBusyMilliseconds);
    // Looked at first: another writer may fill the file between these lines, but never empties it.
    const bool empty = pragma(database_, file_, "SELECT count(*) FROM sqlite_master") == 0;
    const std::int64_t application = pragma(database_, file_, "PRAGMA application_id");
    const std::int64_t schema = pragma(database_, file_, "PRAGMA user_version");
    if (!(empty && write) && application != kApplication)
      throw Error(ErrorCode::kUsage, file.string() + ": is a database, but no history of moebench");
    if (schema > kSchema)
      throw Error(ErrorCode::kUsage, file.string() + ": has schema " + std::to_string(schema) +
                                         "; this build reads up to " + std::to_string(kSchema));
    if (!write) return;
    if (sqlite3_db_readonly(database_, "main") == 1)
      throw Error(ErrorCode::kIo, file.string() + ": the history is read-only; nothing was changed",
                  "a file that you may write to");
    execute(database_, file_,
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "PRAGMA foreign_keys=ON",
            "write to the history");
    if (!empty) return;
    Transaction transaction(database_, file_);
    execute(database_, file_, kCreate, "create the history");
    const std::string mark = "PRAGMA application_id=" + std::to_string(kApplication) +
                             "; PRAGMA user_version=" + std::to_string(kSchema);
    execute(database_, file_, mark.c_str(), "create the history");
    transaction.commit();
  } catch (...) {
    sqlite3_close(database_);
    database_ = nullptr;
    throw;
  }
}

HistoryStore::~HistoryStore() { sqlite3_close(database_); }

bool HistoryStore::add(const HistoryRun& run) {
  Transaction transaction(database_, file_);
  Statement insert(
      database_, file_,
      "INSERT OR IGNORE INTO runs (run_id, started_utc, commit_id, modified_tree, label,"
      " series, machine) VALUES (?, ?, ?, ?, ?, ?, ?)");
  insert.bind(1, run.run_id).bind(2, run.started_utc).bind(3, run.commit);
  insert.bind(4, std::int64_t{run.modified_tree}).bind(5, run.label).bind(6, run.series);
  insert.bind(7, run.machine).step("write to the history");
  if (sqlite3_changes(database_) == 0) return false;
  const std::int64_t id = sqlite3_last_insert_rowid(database_);
  Statement figure(database_, file_, "INSERT INTO figures (run, name, value) VALUES (?, ?, ?)");
  for (const auto& [name, value] : run.figures) {
    figure.bind(1, id).bind(2, name).bind(3, value).step("write to the history");
    figure.reset();
  }
  transaction.commit();
  return true;
}

bool HistoryStore::remove(std::int64_t id) {
  Transaction transaction(database_, file_);
  Statement figures(database_, file_, "DELETE FROM figures WHERE run = ?");
  figures.bind(1, id).step("write to the history");
  Statement run(database_, file_, "DELETE FROM runs WHERE id = ?");
  run.bind(1, id).step("write to the history");
  const bool removed = sqlite3_changes(database_) > 0;
  transaction.commit();
  return removed;
}

std::vector<HistoryRun> HistoryStore::runs() const {
  std::vector<HistoryRun> runs;
  std::map<std::int64_t, std::size_t> by_id;
  Statement select(
      database_, file_,
      "SELECT id, run_id, started_utc, commit_id, modified_tree, label, series, machine"
      " FROM runs ORDER BY started_utc, id");
  while (select.step("read the history")) {
    HistoryRun run;
    run.id = select.integer(0);
    run.run_id = select.text(1);
    run.started_utc = select.text(2);
    run.commit = select.text(3);
    run.modified_tree = select.integer(4) != 0;
    run.label = select.text(5);
    run.series = select.text(6);
    run.machine = select.text(7);
    by_id[run.id] = runs.size();
    runs.push_back(std::move(run));
  }
  Statement figures(database_, file_, "SELECT run, name, value FROM figures");
  while (figures.step("read the history"))
    if (const auto at = by_id.find(figures.integer(0)); at != by_id.end())
      runs[at->second].figures[figures.text(1)] = figures.real(2);
  return runs;
}

std::string HistoryStore::integrity() const {
  Statement check(database_, file_, "PRAGMA integrity_check");
  return check.step("read the history") ? check.text(0) : "no answer";
}

}  // namespace moebench
