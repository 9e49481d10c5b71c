#pragma once

#include <filesystem>
#include <span>

#include "harness/run/run.h"

namespace moebench {

/// Puts the shards of one run (`--shard 1/N` to `N/N`) together into the new folder `output`: its
/// samples, counts and results hash are those of the run without --shard. Wall time, steps and
/// energy are sums: what the machines spent together. Throws Error(kUsage) that names the run and
/// the difference when a shard is missing, there twice or unfinished, when two hold the same
/// question, or when they differ in settings, data, model, build or instruction set.
RunOutcome merge_runs(const std::filesystem::path& output,
                      std::span<const std::filesystem::path> runs, const Announce& announce);

}  // namespace moebench
