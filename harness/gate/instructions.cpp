#include "harness/gate/instructions.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/base/error.h"
#include "harness/environment/build.h"
#include "harness/environment/environment.h"
#include "harness/gate/program.h"

namespace moebench {
namespace {

using std::filesystem::path;

// Under callgrind a program takes 20 to 100 times as long, and a time-out is no finding.
constexpr double kCallgrindPatience = 10;

path find_valgrind() {
  const char* search = std::getenv("PATH");
  std::istringstream folders(search != nullptr ? search : "");
  std::string folder;
  std::error_code error;
  while (std::getline(folders, folder, ':'))
    if (const path file = path(folder) / "valgrind"; std::filesystem::exists(file, error))
      return file;
  throw Error(ErrorCode::kUsage, "instruction counts need valgrind, and there is none on the PATH",
              "apt-get install valgrind");
}

double count_instructions(const path& program, const InstructionCount& what,
                          const std::string& side, const path& scratch, double timeout_seconds) {
  if (!std::filesystem::exists(program))
    throw Error(ErrorCode::kUsage, "the " + side + ": there is no " + program.string(),
                "give the path of a built program");
  const path counts = scratch / (side + ".callgrind");
  ProgramCall call;
  call.name = "the " + side + " (" + program.string() + ", under valgrind)";
  call.program = find_valgrind();
  call.arguments = {"--tool=callgrind", "--callgrind-out-file=" + counts.string()};
  if (!what.function.empty()) call.arguments.push_back("--toggle-collect=" + what.function);
  call.arguments.push_back(program.string());
  call.arguments.insert(call.arguments.end(), what.arguments.begin(), what.arguments.end());
  call.error_file = scratch / (side + ".stderr");
  call.timeout_seconds = kCallgrindPatience * timeout_seconds;
  run_program(call);
  std::ifstream in(counts);
  std::string line;
  double instructions = 0;
  while (std::getline(in, line))
    if (line.starts_with("totals:")) instructions = std::strtod(line.c_str() + 7, nullptr);
  if (!(instructions > 0))
    throw Error(ErrorCode::kIo,
                "callgrind counted nothing in the " + side +
                    (what.function.empty() ? "" : " while " + what.function + " ran"),
                "a name that `callgrind_annotate` shows for a run without --count-only");
  return instructions;
}

TimingFinding finding_of(const InstructionCount& what, double before, double after,
                         double minimum_effect) {
  TimingFinding finding;
  finding.metric = {what.name, what.name, false, minimum_effect, true, false};
  finding.baseline = before;
  finding.candidate = after;
  finding.worsening = after / before - 1;
  finding.interval = {finding.worsening, finding.worsening};
  decide_finding(finding);
  return finding;
}

// What a count says of this build on this machine, given where the stored one was made.
void doubt(TimingFinding& finding, const InstructionFile& stored) {
  const BuildInfo& build = build_info();
  const auto inconclusive = [&](const std::string& because) {
    finding.verdict = GateVerdict::kInconclusive;
    finding.because = because;
  };
  if (stored.compiler != build.compiler)
    return inconclusive("the stored counts are of " + stored.compiler + ", this build of " +
                        build.compiler);
  if (!stored.flags.empty() && stored.flags != build.flags)
    return inconclusive("the stored counts are of a build with \"" + stored.flags +
                        "\", this one's flags are \"" + build.flags + "\"");
  const std::string cpu = read_environment().cpu;
  if (finding.verdict == GateVerdict::kFail && !stored.cpu.empty() && stored.cpu != cpu)
    inconclusive(finding.because + "; but the stored count was made on another CPU (" + stored.cpu +
                 ", this is " + (cpu.empty() ? "unknown" : cpu) +
                 "), for which the C library may choose other code");
}

}  // namespace

InstructionFile read_instruction_file(const path& file) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::kConfiguration, file.string() + ": " + what,
                "ci/gate/instructions.json is such a file");
  };
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error))
    throw Error(ErrorCode::kUsage, file.string() + ": there is no such file");
  if (std::filesystem::file_size(file, error) > 1 << 20) refuse("is larger than 1 MiB");
  std::ifstream in(file);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  InstructionFile result;
  try {
    if (json.at("schema_version") != 1) refuse("has another schema_version than 1");
    result.compiler = json.at("compiler").get<std::string>();
    result.flags = json.value("flags", "");
    result.cpu = json.value("cpu", "");
    for (const nlohmann::json& entry : json.at("counts")) {
      InstructionCount count;
      count.name = entry.at("name").get<std::string>();
      count.arguments = entry.at("arguments").get<std::vector<std::string>>();
      count.function = entry.at("function").get<std::string>();
      count.instructions = entry.at("instructions").get<double>();
      if (!(count.instructions >= 0)) refuse(count.name + ": a negative count");
      result.counts.push_back(std::move(count));
    }
  } catch (const nlohmann::json::exception& problem) {
    refuse(std::string("is no file of instruction counts: ") + problem.what());
  }
  if (result.counts.empty()) refuse("holds no counts");
  return result;
}

std::string to_json(const InstructionFile& file) {
  nlohmann::ordered_json json = {
      {"schema_version", 1}, {"compiler", file.compiler}, {"flags", file.flags}, {"cpu", file.cpu}};
  json["counts"] = nlohmann::ordered_json::array();
  for (const InstructionCount& count : file.counts)
    json["counts"].push_back({{"name", count.name},
                              {"arguments", count.arguments},
                              {"function", count.function},
                              {"instructions", static_cast<std::int64_t>(count.instructions)}});
  return json.dump(1) + "\n";
}

GateResult gate_instructions(const InstructionGate& gate) {
  const ScratchFolder scratch(gate.keep);
  const GateSettings& settings = gate.settings;
  const auto count = [&](const path& program, const InstructionCount& what, const char* side) {
    return count_instructions(program, what, side, scratch.path(), settings.run_timeout_seconds);
  };
  GateResult result;
  result.candidate = gate.candidate.string();
  result.baseline = gate.baseline.empty() ? "the stored counts" : gate.baseline.string();
  result.alpha = 0;
  result.source = "Instructions of one start of each program, counted by callgrind.";
  const double least = settings.instructions_minimum_effect;
  if (!gate.stored) {
    const InstructionCount whole{"instructions", gate.arguments, "", 0};
    const double before = count(gate.baseline, whole, "baseline");
    result.timing.push_back(
        finding_of(whole, before, count(gate.candidate, whole, "candidate"), least));
    return result;
  }
  for (const InstructionCount& what : gate.stored->counts) {
    if (!(what.instructions > 0))
      throw Error(ErrorCode::kConfiguration, what.name + ": no count is stored",
                  "moebench gate --instructions ... --write-counts FILE");
    TimingFinding finding =
        finding_of(what, what.instructions, count(gate.candidate, what, "candidate"), least);
    doubt(finding, *gate.stored);
    result.timing.push_back(std::move(finding));
  }
  return result;
}

InstructionFile count_again(const InstructionFile& file, const path& program,
                            const GateSettings& settings) {
  const ScratchFolder scratch("");
  InstructionFile again = file;
  again.compiler = build_info().compiler;
  again.flags = build_info().flags;
  again.cpu = read_environment().cpu;
  for (InstructionCount& what : again.counts)
    what.instructions = count_instructions(program, what, "candidate", scratch.path(),
                                           settings.run_timeout_seconds);
  return again;
}

}  // namespace moebench
