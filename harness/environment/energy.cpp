#include "harness/environment/energy.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>

namespace moebench {

namespace {

using std::filesystem::path;

std::string first_line(const path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

std::optional<std::uint64_t> read_number(const path& file) {
  const std::string text = first_line(file);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

class RaplSource final : public EnergySource {
 public:
  RaplSource(std::string meter, path domain, std::uint64_t first, std::uint64_t range)
      : meter_(std::move(meter)), domain_(std::move(domain)), last_(first), range_(range) {}

  std::string meter() const override { return meter_; }
  std::optional<double> joules() override {
    const auto now = read_number(domain_ / "energy_uj");
    if (!now) return std::nullopt;
    // The counter goes from its range back to zero.
    sum_ += *now >= last_ ? *now - last_ : range_ - last_ + *now;
    last_ = *now;
    return static_cast<double>(sum_) / 1e6;
  }

 private:
  std::string meter_;
  path domain_;
  std::uint64_t last_, range_, sum_ = 0;  // microjoules
};

}  // namespace

EnergySources find_rapl_sources(const path& powercap) {
  EnergySources found;
  std::error_code error;
  std::vector<path> domains;
  for (std::filesystem::directory_iterator it(powercap, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    // "intel-rapl:0" and "intel-rapl:0:1"; the "-mmio" ones are the same counters by another way.
    if (name.starts_with("intel-rapl:") || name.starts_with("amd-rapl:"))
      domains.push_back(it->path());
  }
  std::sort(domains.begin(), domains.end());
  std::string unreadable;
  for (const path& domain : domains) {
    const std::string name = first_line(domain / "name");
    std::string meter;
    if (name.starts_with("package")) {
      meter = "rapl:" + name;
    } else if (name == "dram") {
      const std::string folder = domain.filename().string();
      const std::string package = folder.substr(0, folder.rfind(':'));
      meter = "rapl:" + first_line(powercap / package / "name") + "/dram";
    } else {
      continue;
    }
    const path counter = domain / "energy_uj";
    errno = 0;
    const auto first = read_number(counter);
    if (!first) {
      unreadable = counter.string() + ": " + (errno != 0 ? std::strerror(errno) : "no number");
      continue;
    }
    const std::uint64_t range = read_number(domain / "max_energy_range_uj").value_or(0);
    found.sources.push_back(std::make_unique<RaplSource>(meter, domain, *first, range));
  }
  if (found.sources.empty()) {
    found.why_none = "Energy is not known: ";
    if (!unreadable.empty())
      found.why_none += unreadable;
    else if (error)
      found.why_none += powercap.string() + ": " + error.message();
    else
      found.why_none += "no RAPL domain under " + powercap.string();
    found.why_none += ".";
  }
  return found;
}

EnergyMeter::EnergyMeter(EnergySources sources) : note_(std::move(sources.why_none)) {
  for (std::unique_ptr<EnergySource>& source : sources.sources) {
    if (const auto joules = source->joules())
      running_.push_back({std::move(source), *joules, *joules});
  }
}

void EnergyMeter::poll() {
  std::erase_if(running_, [&](Running& running) {
    const auto joules = running.source->joules();
    if (joules) {
      running.last = *joules;
      return false;
    }
    note_ += (note_.empty() ? "" : " ") + running.source->meter() +
             " stopped being readable, so it is left out.";
    return true;
  });
}

std::vector<EnergyReading> EnergyMeter::readings() {
  poll();
  std::vector<EnergyReading> readings;
  for (const Running& running : running_)
    readings.push_back({running.source->meter(), running.last - running.first});
  return readings;
}

void add_energy(std::vector<EnergyReading>& total, const std::vector<EnergyReading>& more) {
  for (const EnergyReading& reading : more) {
    const auto same = std::find_if(total.begin(), total.end(), [&](const EnergyReading& known) {
      return known.meter == reading.meter;
    });
    if (same == total.end())
      total.push_back(reading);
    else
      same->joules += reading.joules;
  }
}

}  // namespace moebench
