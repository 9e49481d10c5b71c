#include "harness/environment/energy.h"

#include <gtest/gtest.h>

#include <fstream>

#include "harness/environment/peak_flops.h"

namespace moebench {
namespace {

using std::filesystem::path;

// A folder as Linux shows it under /sys/class/powercap.
class FakeSysfs : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = path(::testing::TempDir()) /
            ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  void write(const path& file, const std::string& text) {
    std::filesystem::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text << "\n";
  }
  void domain(const std::string& folder, const std::string& name, const std::string& microjoules,
              const std::string& range = "1000000000") {
    write(path(folder) / "name", name);
    write(path(folder) / "energy_uj", microjoules);
    write(path(folder) / "max_energy_range_uj", range);
  }
  path root_;
};

TEST_F(FakeSysfs, CountsPackagesAndMemoryFromTheStartOn) {
  domain("intel-rapl:0", "package-0", "5000000");
  domain("intel-rapl:0:0", "core", "1000000");
  domain("intel-rapl:0:1", "dram", "7000000");
  domain("intel-rapl:1", "psys", "9000000");
  domain("intel-rapl-mmio:0", "package-0", "5000000");
  EnergyMeter meter(find_rapl_sources(root_));
  domain("intel-rapl:0", "package-0", "8500000");
  domain("intel-rapl:0:1", "dram", "7250000");
  const auto readings = meter.readings();
  ASSERT_EQ(readings.size(), 2u) << "cores are inside the package, psys around it, mmio the same";
  EXPECT_EQ(readings[0].meter, "rapl:package-0");
  EXPECT_DOUBLE_EQ(readings[0].joules, 3.5);
  EXPECT_EQ(readings[1].meter, "rapl:package-0/dram");
  EXPECT_DOUBLE_EQ(readings[1].joules, 0.25);
  EXPECT_EQ(meter.note(), "");
}

TEST_F(FakeSysfs, ACounterThatWrapsAroundGoesOn) {
  domain("intel-rapl:0", "package-0", "9000000", "10000000");
  EnergyMeter meter(find_rapl_sources(root_));
  domain("intel-rapl:0", "package-0", "2000000", "10000000");
  meter.poll();
  domain("intel-rapl:0", "package-0", "1000000", "10000000");  // once more around
  EXPECT_DOUBLE_EQ(meter.readings().at(0).joules, 3 + 9);
}

TEST_F(FakeSysfs, AbsentIsAbsentWithTheReason) {
  EnergyMeter none(find_rapl_sources(root_ / "powercap"));
  EXPECT_TRUE(none.readings().empty()) << "absent, not zero";
  EXPECT_NE(none.note().find("powercap"), std::string::npos) << none.note();
  EnergyMeter empty(find_rapl_sources(root_));
  EXPECT_NE(empty.note().find("no RAPL domain"), std::string::npos) << empty.note();
  domain("intel-rapl:0", "package-0", "not a number");
  EnergyMeter broken(find_rapl_sources(root_));
  EXPECT_TRUE(broken.readings().empty());
  EXPECT_NE(broken.note().find("energy_uj"), std::string::npos) << broken.note();
}

TEST_F(FakeSysfs, AMeterThatVanishesIsLeftOutAndSaidSo) {
  domain("intel-rapl:0", "package-0", "5000000");
  EnergyMeter meter(find_rapl_sources(root_));
  std::filesystem::remove(root_ / "intel-rapl:0/energy_uj");
  EXPECT_TRUE(meter.readings().empty());
  EXPECT_NE(meter.note().find("rapl:package-0"), std::string::npos) << meter.note();
}

TEST(AddEnergy, SumsByMeter) {
  std::vector<EnergyReading> total = {{"rapl:package-0", 2}};
  add_energy(total, {{"rapl:package-0", 3}, {"rapl:package-1", 1}});
  ASSERT_EQ(total.size(), 2u);
  EXPECT_EQ(total[0].joules, 5);
}

TEST(PeakFlops, IsAPlausibleFigureThatSaysHowItWasTaken) {
  const PeakFlops peak = measure_peak_flops(1);
  EXPECT_GT(peak.flops_per_second, 1e8);
  EXPECT_LT(peak.flops_per_second, 1e12) << "one core of no CPU does this: the loop was folded";
  EXPECT_NE(peak.how.find("1 threads"), std::string::npos) << peak.how;
}

}  // namespace
}  // namespace moebench
