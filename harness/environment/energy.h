#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reports/record/run_record.h"

namespace moebench {

/// A counter of energy: RAPL below, NVML in gpu_watch.h.
class EnergySource {
 public:
  virtual ~EnergySource() = default;
  virtual std::string meter() const = 0;  ///< "rapl:package-0"
  /// Joules since any fixed moment before the first call; absent when it can't be read any more.
  /// Call it more often than the counter wraps around (a minute is safe for RAPL).
  virtual std::optional<double> joules() = 0;
};

struct EnergySources {
  std::vector<std::unique_ptr<EnergySource>> sources;
  std::string why_none;  ///< what was looked for and not found; empty where nothing is missing
};

/// The RAPL domains under `powercap` (Intel's and AMD's alike): each package, and the memory where
/// it is counted apart. Cores and uncore are inside a package, and platform ("psys") around it, so
/// that they would be counted twice.
EnergySources find_rapl_sources(const std::filesystem::path& powercap = "/sys/class/powercap");

/// Energy from its making on. A meter that stops being readable is left out, with a note.
class EnergyMeter {
 public:
  explicit EnergyMeter(EnergySources sources);

  void poll();
  /// Polls, and tells every meter's joules so far; empty where nothing can be read.
  std::vector<EnergyReading> readings();
  const std::string& note() const { return note_; }

 private:
  struct Running {
    std::unique_ptr<EnergySource> source;
    double first = 0, last = 0;
  };
  std::vector<Running> running_;
  std::string note_;
};

/// Adds `more` to `total`, meter by meter.
void add_energy(std::vector<EnergyReading>& total, const std::vector<EnergyReading>& more);

}  // namespace moebench
