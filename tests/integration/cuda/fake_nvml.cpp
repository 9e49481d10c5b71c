// libnvidia-ml.so.1 for tests: one GPU where the emulated device says that it sits. Its clocks fall
// and it is throttled from the sixth question on; each question for the energy finds 2 J more.
// FAKE_NVML=broken: it can't be initialised; =silent: it knows clocks alone.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

constexpr int kSuccess = 0, kUninitialized = 1, kNotSupported = 3, kNotFound = 6;

bool is(std::string_view how) {
  const char* const set = std::getenv("FAKE_NVML");
  return set != nullptr && how == set;
}

int device;
unsigned long long millijoules = 5'000'000;
int clock_questions = 0, throttle_questions = 0;

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT int nvmlInit_v2() { return is("broken") ? kUninitialized : kSuccess; }
EXPORT int nvmlSystemGetDriverVersion(char* version, unsigned length) {
  std::snprintf(version, length, "580.65.06");
  return kSuccess;
}
EXPORT int nvmlDeviceGetHandleByPciBusId_v2(const char* id, void** handle) {
  if (std::strcmp(id, "0000:e0:00.0") != 0) return kNotFound;
  *handle = &device;
  return kSuccess;
}
EXPORT int nvmlDeviceGetTotalEnergyConsumption(void*, unsigned long long* energy) {
  if (is("silent")) return kNotSupported;
  *energy = millijoules += 2000;
  return kSuccess;
}
EXPORT int nvmlDeviceGetPowerUsage(void*, unsigned* milliwatts) {
  if (is("silent")) return kNotSupported;
  *milliwatts = 412'500;
  return kSuccess;
}
EXPORT int nvmlDeviceGetClockInfo(void*, int kind, unsigned* mhz) {
  if (kind == 1) ++clock_questions;
  *mhz = kind == 1 ? (clock_questions > 5 ? 1410 : 1980) : 2619;
  return kSuccess;
}
EXPORT int nvmlDeviceGetTemperature(void*, int, unsigned* celsius) {
  *celsius = 64;
  return kSuccess;
}
EXPORT int nvmlDeviceGetCurrentClocksThrottleReasons(void*, unsigned long long* reasons) {
  // Idle is no throttling; a power cap and a hot chip are.
  *reasons = throttle_questions++ > 5 && !is("silent") ? 0x44 : 0x1;
  return kSuccess;
}
