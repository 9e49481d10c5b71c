#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "engine/base/error.h"
#include "harness/gate/program.h"
#include "harness/gate/two_programs.h"

namespace moebench {
namespace {

using std::filesystem::path;

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

double count_instructions(const CountedProgram& counted, const std::string& name,
                          const path& scratch, double timeout_seconds) {
  if (!std::filesystem::exists(counted.program))
    throw Error(ErrorCode::kUsage, name + ": there is no " + counted.program.string(),
                "give the path of a built program");
  const path counts = scratch / (name + ".callgrind");
  ProgramCall call;
  call.name = "the " + name + " (" + counted.program.string() + ", under valgrind)";
  call.program = find_valgrind();
  call.arguments = {"--tool=callgrind", "--callgrind-out-file=" + counts.string(),
                    counted.program.string()};
  call.arguments.insert(call.arguments.end(), counted.arguments.begin(), counted.arguments.end());
  call.error_file = scratch / (name + ".stderr");
  call.timeout_seconds = timeout_seconds;
  run_program(call);
  std::ifstream in(counts);
  std::string line;
  double instructions = 0;
  while (std::getline(in, line)) {
    // "totals:" is the sum over everything; "summary:" the same for one dump of it.
    if (line.starts_with("totals:")) instructions = std::strtod(line.c_str() + 7, nullptr);
  }
  if (!(instructions > 0))
    throw Error(ErrorCode::kIo,
                "callgrind wrote no count for the " + name + " into " + counts.string());
  return instructions;
}

}  // namespace

GateResult gate_instructions(const CountedProgram& baseline, const CountedProgram& candidate,
                             const GateSettings& settings, const path& keep) {
  const ScratchFolder scratch(keep);
  GateResult result;
  result.baseline = baseline.program.string();
  result.candidate = candidate.program.string();
  result.alpha = settings.alpha;
  result.source = "Retired instructions of one start of each program, counted by callgrind.";
  TimingFinding finding;
  finding.metric = {"instructions", "instructions", false, settings.instructions_minimum_effect,
                    true};
  finding.baseline =
      count_instructions(baseline, "baseline", scratch.path(), settings.run_timeout_seconds);
  finding.candidate =
      count_instructions(candidate, "candidate", scratch.path(), settings.run_timeout_seconds);
  finding.worsening = finding.candidate / finding.baseline - 1;
  finding.interval = {finding.worsening, finding.worsening};
  decide_finding(finding);
  result.timing.push_back(std::move(finding));
  return result;
}

}  // namespace moebench
