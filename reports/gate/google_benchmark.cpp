#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "reports/gate/unpaired_timing.h"

namespace moebench {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxRepetitions = 1000;

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// Files older than run_type (1.4.1) tell aggregates by their names alone.
bool is_aggregate(const json& entry, const std::string& name) {
  const std::string type = text_of(entry, "run_type");
  if (!type.empty()) return type != "iteration";
  constexpr std::array kSuffixes = {"_mean", "_median", "_stddev", "_cv", "_BigO", "_RMS"};
  return std::any_of(kSuffixes.begin(), kSuffixes.end(),
                     [&](const char* suffix) { return name.ends_with(suffix); });
}

double nanoseconds(const std::string& unit) {
  if (unit.empty() || unit == "ns") return 1;
  if (unit == "us") return 1e3;
  if (unit == "ms") return 1e6;
  return unit == "s" ? 1e9 : 0;
}

}  // namespace

GoogleBenchmarkFile parse_google_benchmark(std::string_view text, const std::string& where) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::kConfiguration, where + ": " + what,
                "a file that --benchmark_out=FILE --benchmark_out_format=json wrote");
  };
  const json file = json::parse(text, nullptr, false);
  if (file.is_discarded()) refuse("is no JSON (a killed benchmark leaves half a file)");
  if (!file.is_object() || !file.contains("benchmarks") || !file["benchmarks"].is_array())
    refuse("holds no \"benchmarks\"");
  GoogleBenchmarkFile result;
  if (const auto context = file.find("context"); context != file.end() && context->is_object()) {
    result.host = text_of(*context, "host_name");
    result.library_build_type = text_of(*context, "library_build_type");
    if (const auto cpus = context->find("num_cpus");
        cpus != context->end() && cpus->is_number_integer())
      result.cpus = cpus->get<std::int64_t>();
  }
  for (const json& entry : file["benchmarks"]) {
    if (!entry.is_object()) refuse("an entry of \"benchmarks\" is no object");
    const std::string full = text_of(entry, "name");
    if (full.empty()) refuse("a benchmark has no \"name\"");
    if (is_aggregate(entry, full)) continue;
    const std::string run_name = text_of(entry, "run_name"),
                      name = run_name.empty() ? full : run_name;
    if (const auto failed = entry.find("error_occurred");
        failed != entry.end() && failed->is_boolean() && failed->get<bool>()) {
      result.errors.push_back(name + ": " + text_of(entry, "error_message"));
      continue;
    }
    const auto time = entry.find("cpu_time");
    const double unit = nanoseconds(text_of(entry, "time_unit"));
    if (time == entry.end() || !time->is_number() || unit == 0)
      refuse(name + ": no \"cpu_time\" in a unit that is known");
    const double ns = time->get<double>() * unit;
    if (!(ns > 0)) refuse(name + ": \"cpu_time\" is not positive");
    auto known = std::find_if(result.benchmarks.begin(), result.benchmarks.end(),
                              [&](const auto& benchmark) { return benchmark.name == name; });
    if (known == result.benchmarks.end()) known = result.benchmarks.insert(known, {name, {}});
    if (known->cpu_ns.size() >= kMaxRepetitions) refuse(name + ": more than 1,000 repetitions");
    known->cpu_ns.push_back(ns);
  }
  if (result.benchmarks.empty())
    refuse(
        "holds no single repetition (only aggregates; run it without "
        "--benchmark_report_aggregates_only)");
  return result;
}

std::vector<TimingFinding> compare_google_benchmark(const GoogleBenchmarkFile& baseline,
                                                    const GoogleBenchmarkFile& candidate,
                                                    double minimum_effect, double alpha,
                                                    std::vector<std::string>& notes) {
  std::vector<UnpairedFigure> figures;
  std::string missing;
  for (const auto& benchmark : baseline.benchmarks) {
    const auto other = std::find_if(candidate.benchmarks.begin(), candidate.benchmarks.end(),
                                    [&](const auto& b) { return b.name == benchmark.name; });
    if (other == candidate.benchmarks.end()) {
      missing += (missing.empty() ? "" : ", ") + benchmark.name;
      continue;
    }
    GatedMetric metric{benchmark.name, benchmark.name, false, minimum_effect, true};
    figures.push_back({metric, benchmark.cpu_ns, other->cpu_ns});
  }
  if (figures.empty())
    throw Error(ErrorCode::kConfiguration, "the two files share no benchmark",
                "results of the same benchmark program");
  if (!missing.empty()) notes.push_back("only in the baseline: " + missing);
  for (const auto* file : {&baseline, &candidate}) {
    const std::string which = file == &baseline ? "baseline" : "candidate";
    for (const std::string& error : file->errors) notes.push_back(which + " failed: " + error);
    if (file->library_build_type == "debug")
      notes.push_back("the " + which + "'s benchmark library is a debug build");
  }
  std::vector<TimingFinding> findings = decide_unpaired(figures, alpha);
  // Only what both files tell can differ: names of hosts are often removed.
  std::string other_machine;
  if (!baseline.host.empty() && !candidate.host.empty() && baseline.host != candidate.host)
    other_machine = "hosts " + baseline.host + " and " + candidate.host;
  else if (baseline.cpus > 0 && candidate.cpus > 0 && baseline.cpus != candidate.cpus)
    other_machine =
        std::to_string(baseline.cpus) + " and " + std::to_string(candidate.cpus) + " CPUs";
  if (other_machine.empty()) return findings;
  notes.push_back("measured on different machines: " + other_machine);
  for (TimingFinding& finding : findings) {
    finding.verdict = GateVerdict::kInconclusive;
    finding.because = "measured on different machines (" + other_machine + ")";
  }
  return findings;
}

}  // namespace moebench
