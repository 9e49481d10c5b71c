#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "reports/gate/gate.h"
#include "reports/gate/gate_file.h"

namespace moebench {

/// Instructions that one start of a program takes, as valgrind's callgrind counts them.
struct InstructionCount {
  std::string name;
  std::vector<std::string> arguments;
  /// Counted only while this function runs (callgrind's --toggle-collect, * and ? allowed); empty:
  /// from start to end.
  std::string function;
  double instructions = 0;
};

/// A file of counts: {"schema_version": 1, "compiler", "flags", "cpu", "counts": [{"name",
/// "arguments", "function", "instructions"}]}.
struct InstructionFile {
  std::string compiler;  ///< whose code was counted; another one's is another program
  std::string flags;     ///< of the compiler; others make another program; may be missing
  std::string cpu;  ///< where it was counted: the C library chooses its code by it; may be missing
  std::vector<InstructionCount> counts;
};
/// Throws Error(kUsage, kConfiguration) for a file that is none.
InstructionFile read_instruction_file(const std::filesystem::path& file);
std::string to_json(const InstructionFile& file);

struct InstructionGate {
  std::filesystem::path candidate;
  std::filesystem::path baseline;         ///< a program; empty: `stored` holds its counts
  std::optional<InstructionFile> stored;  ///< what to count, and how many it was
  std::vector<std::string> arguments;     ///< with `baseline`: of both programs
  GateSettings settings;
  std::filesystem::path keep;
};

/// The gate on instruction counts. A difference is a fact, not an estimate: it fails from the
/// minimum effect on, whatever else the machine does. Stored counts of another compiler or other
/// flags are inconclusive; so are more instructions than were stored on another model of CPU.
/// Throws Error(kUsage) where there is no valgrind, and as run_program does.
GateResult gate_instructions(const InstructionGate& gate);

/// The same counts, measured on `program` now.
InstructionFile count_again(const InstructionFile& file, const std::filesystem::path& program,
                            const GateSettings& settings);

}  // namespace moebench
