#include "reports/gate/machine.h"

#include <cmath>

namespace moebench {
namespace {

std::string joined(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : ", ") + value;
  return text;
}

}  // namespace

std::vector<std::string> machine_differences(const RunRecord& baseline,
                                             const RunRecord& candidate) {
  std::vector<std::string> differences;
  const auto check = [&](const char* what, const std::string& a, const std::string& b) {
    if (a == b) return;
    const auto shown = [](const std::string& value) { return value.empty() ? "unknown" : value; };
    differences.push_back(std::string(what) + ": " + shown(a) + " and " + shown(b));
  };
  const auto check_count = [&](const char* what, std::int64_t a, std::int64_t b) {
    check(what, std::to_string(a), std::to_string(b));
  };
  const EnvironmentRecord &a = baseline.environment, &b = candidate.environment;
  check("CPU", a.cpu, b.cpu);
  check_count("usable cores", a.logical_cores, b.logical_cores);
  check("governor", a.governor, b.governor);
  check("GPUs", joined(a.gpus), joined(b.gpus));
  check("device", baseline.engine.device, candidate.engine.device);
  check("instruction set", baseline.engine.isa, candidate.engine.isa);
  check_count("threads", baseline.engine.threads, candidate.engine.threads);
  // Virtual machines of one kind report a few pages more or less.
  const auto memory_a = static_cast<double>(a.memory_bytes);
  const auto memory_b = static_cast<double>(b.memory_bytes);
  if (std::fabs(memory_a - memory_b) > 0.02 * memory_a)
    check_count("memory in bytes", a.memory_bytes, b.memory_bytes);
  return differences;
}

}  // namespace moebench
