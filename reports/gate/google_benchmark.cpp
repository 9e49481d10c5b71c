#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/error.h"
#include "reports/gate/unpaired_timing.h"
#include "reports/render/cells.h"

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

using Benchmark = GoogleBenchmarkFile::Benchmark;

bool is_called(const Benchmark& benchmark, const char* part) {  // "matmul/8/real_time/threads:2"
  return benchmark.name.find(part) != std::string::npos;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

bool waits(const Benchmark& benchmark) {
  return median(benchmark.cpu_ns) < 0.5 * median(benchmark.real_ns);
}

// Two programs' wall clocks, at different moments of a machine that others use: a gross worsening
// shows, no more.
TimingFinding compare_real_time(const Benchmark& a, const Benchmark& b, double minimum_effect,
                                double drift) {
  TimingFinding finding;
  const std::string name = a.name + ", wall clock";
  finding.metric = {name, name, false, minimum_effect, false, true};
  finding.baseline = median(a.real_ns);
  finding.candidate = median(b.real_ns);
  finding.worsening = finding.candidate / finding.baseline - 1;
  finding.interval = {finding.worsening - drift, finding.worsening + drift};
  decide_finding(finding);
  if (finding.verdict == GateVerdict::kInconclusive)
    finding.because =
        "wall clocks of different moments are good to +-" + format_percent(drift, 0) + " % only";
  return finding;
}

// "a, b and 3 more"
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i)
    text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kMost) text += " and " + std::to_string(names.size() - kMost) + " more";
  return text;
}

std::vector<std::string> names_of(const GoogleBenchmarkFile& file) {
  std::vector<std::string> names;
  for (const Benchmark& benchmark : file.benchmarks) names.push_back(benchmark.name);
  return names;
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
  std::map<std::string, std::size_t> places;
  for (const json& entry : file["benchmarks"]) {
    if (!entry.is_object()) refuse("an entry of \"benchmarks\" is no object");
    const std::string full = text_of(entry, "name");
    if (full.empty()) refuse("a benchmark has no \"name\"");
    if (is_aggregate(entry, full)) continue;
    const std::string run_name = text_of(entry, "run_name"),
                      name = run_name.empty() ? full : run_name;
    const auto told = [&](const char* key) {
      const auto value = entry.find(key);
      return value != entry.end() && value->is_boolean() && value->get<bool>();
    };
    if (told("error_occurred")) {
      result.errors.push_back({name, text_of(entry, "error_message")});
      continue;
    }
    if (told("skipped")) continue;  // since 1.8: neither measured nor wrong
    const double unit = nanoseconds(text_of(entry, "time_unit"));
    const auto read = [&](const char* key) {
      const auto time = entry.find(key);
      if (time == entry.end() || !time->is_number() || unit == 0)
        refuse(name + ": no \"" + key + "\" in a unit that is known");
      const double ns = time->get<double>() * unit;
      if (!(ns > 0)) refuse(name + ": \"" + key + "\" is not positive");
      return ns;
    };
    const double cpu_ns = read("cpu_time"), real_ns = read("real_time");
    const auto [place, is_new] = places.emplace(name, result.benchmarks.size());
    if (is_new) result.benchmarks.push_back({name, {}, {}});
    Benchmark& benchmark = result.benchmarks[place->second];
    if (benchmark.cpu_ns.size() >= kMaxRepetitions) refuse(name + ": more than 1,000 repetitions");
    benchmark.cpu_ns.push_back(cpu_ns);
    benchmark.real_ns.push_back(real_ns);
  }
  if (result.benchmarks.empty() && result.errors.empty())
    refuse(
        "holds no single repetition (only aggregates; run it without "
        "--benchmark_report_aggregates_only)");
  return result;
}

GoogleBenchmarkFile pool_google_benchmark(std::span<const GoogleBenchmarkFile> files,
                                          std::span<const std::string> names,
                                          const std::string& side,
                                          std::vector<std::string>& notes) {
  if (files.empty()) throw Error(ErrorCode::kConfiguration, "the " + side + " has no file");
  GoogleBenchmarkFile pooled = files.front();
  std::map<std::string, std::size_t> places, holders;
  for (const std::string& name : names_of(pooled)) places.emplace(name, places.size());
  std::set<std::string> hosts, failed;
  std::vector<GoogleBenchmarkFile::Failure> errors;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const GoogleBenchmarkFile& file = files[i];
    if (file.cpus != pooled.cpus)
      throw Error(ErrorCode::kConfiguration,
                  "the " + side + "'s files are of machines with " + std::to_string(pooled.cpus) +
                      " and " + std::to_string(file.cpus) + " CPUs: " + names[0] + " and " +
                      names[i],
                  "files of one machine a side");
    if (file.library_build_type == "debug") pooled.library_build_type = file.library_build_type;
    if (!file.host.empty()) hosts.insert(file.host);
    for (const auto& error : file.errors)
      if (failed.insert(error.name).second) errors.push_back(error);
    for (const Benchmark& benchmark : file.benchmarks) {
      ++holders[benchmark.name];
      if (i == 0) continue;
      const auto [place, is_new] = places.emplace(benchmark.name, pooled.benchmarks.size());
      if (is_new) pooled.benchmarks.push_back({benchmark.name, {}, {}});
      Benchmark& all = pooled.benchmarks[place->second];
      all.cpu_ns.insert(all.cpu_ns.end(), benchmark.cpu_ns.begin(), benchmark.cpu_ns.end());
      all.real_ns.insert(all.real_ns.end(), benchmark.real_ns.begin(), benchmark.real_ns.end());
      if (all.cpu_ns.size() > kMaxRepetitions)
        throw Error(ErrorCode::kConfiguration,
                    "the " + side + "'s files hold more than 1,000 repetitions of " + all.name);
    }
  }
  pooled.errors = std::move(errors);
  pooled.host.clear();
  for (const std::string& host : hosts) pooled.host += (pooled.host.empty() ? "" : " and ") + host;
  for (const Benchmark& benchmark : pooled.benchmarks) {
    if (holders[benchmark.name] == files.size()) continue;
    notes.push_back(benchmark.name + " is in " + std::to_string(holders[benchmark.name]) +
                    " of the " + side + "'s " + std::to_string(files.size()) + " files only");
  }
  return pooled;
}

std::vector<TimingFinding> compare_google_benchmark(const GoogleBenchmarkFile& baseline,
                                                    const GoogleBenchmarkFile& candidate,
                                                    double minimum_effect, double alpha,
                                                    double real_time_drift,
                                                    std::vector<std::string>& notes) {
  std::map<std::string, const Benchmark*> others;
  for (const Benchmark& benchmark : candidate.benchmarks) others[benchmark.name] = &benchmark;
  std::map<std::string, std::string> broken;
  for (const auto& error : candidate.errors) broken.emplace(error.name, error.message);
  std::vector<UnpairedFigure> figures;
  std::vector<TimingFinding> findings;
  std::set<std::string> waiting;
  std::vector<std::string> missing, added;
  for (const Benchmark& benchmark : baseline.benchmarks) {
    const GatedMetric metric{benchmark.name, benchmark.name, false, minimum_effect, true};
    if (const auto error = broken.find(benchmark.name); error != broken.end()) {
      TimingFinding finding;
      finding.metric = metric;
      finding.verdict = GateVerdict::kFail;
      finding.interval = {-std::numeric_limits<double>::infinity(),
                          std::numeric_limits<double>::infinity()};
      finding.because = "it works in the baseline and fails in the candidate: " + error->second;
      findings.push_back(std::move(finding));
    } else if (const auto other = others.find(benchmark.name); other != others.end()) {
      const Benchmark& now = *other->second;
      const bool by_hand = is_called(benchmark, "/manual_time");
      figures.push_back({metric, by_hand ? benchmark.real_ns : benchmark.cpu_ns,
                         by_hand ? now.real_ns : now.cpu_ns});
      if (is_called(benchmark, "/real_time"))
        findings.push_back(compare_real_time(benchmark, now, minimum_effect, real_time_drift));
      if (is_called(benchmark, "/real_time") && (waits(benchmark) || waits(now)))
        waiting.insert(benchmark.name);
    } else {
      missing.push_back(benchmark.name);
    }
    others.erase(benchmark.name);
  }
  for (const Benchmark& benchmark : candidate.benchmarks)
    if (others.contains(benchmark.name)) added.push_back(benchmark.name);
  if (figures.empty() && findings.empty())
    throw Error(ErrorCode::kConfiguration,
                "the two sides share no benchmark: the baseline holds " +
                    some_of(names_of(baseline)) + "; the candidate " + some_of(names_of(candidate)),
                "results of the same benchmark program");
  if (!missing.empty()) notes.push_back("only in the baseline: " + some_of(missing));
  if (!added.empty()) notes.push_back("only in the candidate: " + some_of(added));
  for (const auto* file : {&baseline, &candidate}) {
    const std::string which = file == &baseline ? "baseline" : "candidate";
    for (const auto& error : file->errors)
      notes.push_back(which + " failed: " + error.name + ": " + error.message);
    if (file->library_build_type == "debug")
      notes.push_back("the " + which + "'s benchmark library is a debug build");
  }
  // Only what both files tell can differ: names of hosts are often removed.
  std::string other_machine;
  if (!baseline.host.empty() && !candidate.host.empty() && baseline.host != candidate.host)
    other_machine = "hosts " + baseline.host + " and " + candidate.host;
  else if (baseline.cpus > 0 && candidate.cpus > 0 && baseline.cpus != candidate.cpus)
    other_machine =
        std::to_string(baseline.cpus) + " and " + std::to_string(candidate.cpus) + " CPUs";
  if (!other_machine.empty()) notes.push_back("measured on different machines: " + other_machine);
  for (TimingFinding& finding : decide_unpaired(figures, alpha)) {
    if (finding.verdict == GateVerdict::kFail && waiting.contains(finding.metric.key)) {
      finding.verdict = GateVerdict::kInconclusive;
      finding.because +=
          "; but most of its time was not CPU time of its thread (it waits, or the "
          "machine was busy), whose rest is noise";
    }
    if (finding.verdict == GateVerdict::kFail && finding.interval.low < minimum_effect) {
      finding.verdict = GateVerdict::kInconclusive;
      finding.because +=
          ", which two starts of one program can differ by: more repetitions, or "
          "--instructions";
    }
    findings.push_back(std::move(finding));
  }
  if (other_machine.empty()) return findings;
  for (TimingFinding& finding : findings) {
    if (std::isinf(finding.interval.high)) continue;  // it doesn't work: no timing
    finding.verdict = GateVerdict::kInconclusive;
    finding.because = "measured on different machines (" + other_machine + ")";
  }
  return findings;
}

}  // namespace moebench
