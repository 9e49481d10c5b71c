#include "engine/canary/embedded.h"

#include <vector>

namespace {

/// The table that the assembler file ends with; a null name closes it.
struct EmbeddedFile {
  const char* name;
  const std::byte* begin;
  const std::byte* end;
};

}  // namespace

extern "C" const EmbeddedFile moebench_canary_files[];

namespace moebench {

std::shared_ptr<const ModelFiles> embedded_canary() {
  std::vector<ModelFiles::File> files;
  for (const EmbeddedFile* file = moebench_canary_files; file->name != nullptr; ++file)
    files.push_back({file->name, {file->begin, file->end}});
  return ModelFiles::from_memory(std::move(files), "canary");
}

}  // namespace moebench
