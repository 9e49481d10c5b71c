#include <cstdlib>
#include <string>

#include "engine/backends/cpu/kernels.h"
#include "engine/base/error.h"

namespace moebench::cpu {

std::vector<const Kernels*> available_kernels() {
  std::vector<const Kernels*> levels = {&scalar_kernels()};
  if (const Kernels* avx2 = avx2_kernels()) levels.push_back(avx2);
  return levels;
}

const Kernels& choose_kernels() {
  const std::vector<const Kernels*> levels = available_kernels();
  const char* const wanted = std::getenv("MOEBENCH_ISA");
  if (wanted == nullptr || *wanted == '\0') return *levels.back();
  std::string names;
  for (const Kernels* level : levels) {
    if (level->isa == wanted) return *level;
    names += (names.empty() ? "" : ", ") + std::string(level->isa);
  }
  throw Error(ErrorCode::kConfiguration,
              "MOEBENCH_ISA=" + std::string(wanted) + " is not a level that this machine runs",
              "unset it, or use one of: " + names);
}

}  // namespace moebench::cpu
