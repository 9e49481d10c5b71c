#include "harness/run/overhead.h"

#include <algorithm>
#include <chrono>

#include "harness/clients/null_client.h"
#include "harness/run/player.h"
#include "reports/record/record_files.h"

namespace moebench {

double measure_overhead_ms(const RunPlan& plan, std::span<const Attempt> attempts) {
  constexpr std::size_t kMostAttempts = 200;
  attempts = attempts.first(std::min(attempts.size(), kMostAttempts));
  if (attempts.empty()) return 0;
  NullClient client(32, std::chrono::milliseconds(0));
  std::size_t bytes = 0;
  PlayListener listener;
  listener.finished = [&](const Attempt&, SampleRecord record) {
    bytes += to_json_line(record).size();
  };
  listener.tick = [](std::int64_t) {};
  listener.should_stop = [] { return false; };
  const auto begin = std::chrono::steady_clock::now();
  play(plan, attempts, client, 0, {}, listener);
  const std::chrono::duration<double, std::milli> wall = std::chrono::steady_clock::now() - begin;
  return wall.count() / static_cast<double>(attempts.size());
}

}  // namespace moebench
