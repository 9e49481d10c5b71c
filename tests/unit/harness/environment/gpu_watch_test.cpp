#include "harness/environment/gpu_watch.h"

#include <gtest/gtest.h>

#include <deque>

namespace moebench {
namespace {

/// Gives one reading after the other, the last one for ever.
GpuWatch::Read readings(std::deque<std::optional<PowerReading>> script) {
  return [script](const std::string&) mutable {
    const std::optional<PowerReading> now = script.front();
    if (script.size() > 1) script.pop_front();
    return now;
  };
}

PowerReading at(std::int64_t core_mhz, std::int64_t celsius, const std::string& throttled) {
  return {std::nullopt, std::nullopt, core_mhz, 2619, celsius, throttled};
}

TEST(GpuWatch, KeepsTheFirstAndLastClocksAndCountsThrottledReadings) {
  GpuWatch watch({"cuda:0"},
                 readings({at(1980, 40, ""), at(1980, 41, ""), at(1700, 80, "power cap"),
                           at(1500, 88, "power cap, hardware thermal"), at(1900, 70, "")}));
  watch.look();
  watch.look();
  const std::vector<GpuClocks> seen = watch.look();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].device, "cuda:0");
  EXPECT_EQ(seen[0].core_mhz_before, 1980);
  EXPECT_EQ(seen[0].core_mhz_after, 1900);
  EXPECT_EQ(seen[0].memory_mhz_before, 2619);
  EXPECT_EQ(seen[0].celsius_before, 40);
  EXPECT_EQ(seen[0].celsius_after, 70);
  EXPECT_EQ(seen[0].readings, 4);
  EXPECT_EQ(seen[0].throttled_readings, 2);
  EXPECT_EQ(seen[0].throttled, (std::vector<std::string>{"power cap", "hardware thermal"}));
  const std::vector<std::string> warnings = throttle_warnings(seen);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(
      warnings[0],
      "cuda:0 was throttled (power cap, hardware thermal) in 2 of 4 readings; its core ran at "
      "1980 MHz before and 1900 MHz after");
}

TEST(GpuWatch, PollsAtMostOnceASecond) {
  int asked = 0;
  GpuWatch watch({"cuda:0"}, [&](const std::string&) {
    ++asked;
    return std::optional(at(1000, 30, ""));
  });
  const int before = asked;
  for (int i = 0; i < 1000; ++i) watch.poll();
  EXPECT_LE(asked, before + 1);
}

TEST(GpuWatch, LeavesOutWhatDoesNotAnswer) {
  GpuWatch watch({"cuda:0", "cuda:1"}, [](const std::string& device) {
    return device == "cuda:1" ? std::optional(at(1000, 30, "")) : std::nullopt;
  });
  ASSERT_EQ(watch.look().size(), 1u);
  EXPECT_EQ(watch.look()[0].device, "cuda:1");
  EXPECT_TRUE(throttle_warnings(watch.look()).empty());
  EXPECT_TRUE(GpuWatch({}).look().empty());
}

TEST(GpuWatch, NamesTheGpusOfARun) {
  EngineRecord engine;
  engine.device = "cuda:2";
  engine.devices = 3;
  EXPECT_EQ(gpus_of(engine), (std::vector<std::string>{"cuda:2", "cuda:3", "cuda:4"}));
  for (const char* none : {"cpu", "", "cuda:", "cuda:x", "cuda:1x"}) {
    engine.device = none;
    EXPECT_TRUE(gpus_of(engine).empty()) << none;
  }
}

TEST(GpuWatch, WithoutNvmlTheEnergyOfAGpuIsSaidToBeUnknown) {
  const EnergySources sources = find_energy_sources({"cuda:7"});
  EXPECT_NE(sources.why_none.find("cuda:7: Energy is not known: NVML"), std::string::npos)
      << sources.why_none;
}

}  // namespace
}  // namespace moebench
