#include "harness/run/settings.h"

#include <gtest/gtest.h>

#include "engine/base/error.h"

namespace moebench {
namespace {

Settings minimal() { return {{"model", "canary"}, {"tasks", "gsm8k-mini,math-mini"}}; }

std::string error_of(const Settings& settings) {
  try {
    parse_run_settings(settings);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "";
}

TEST(RunSettings, KeepsWhatWasTypedAndLeavesTheRestToTheTask) {
  Settings typed = minimal();
  typed["limit"] = "7";
  typed["temperature"] = "0.6";
  typed["seed"] = "18446744073709551615";
  typed["raw-prompt"] = "true";
  const RunSettings settings = parse_run_settings(typed);
  EXPECT_EQ(settings.tasks, (std::vector<std::string>{"gsm8k-mini", "math-mini"}));
  EXPECT_EQ(settings.limit, 7);
  EXPECT_EQ(settings.temperature, 0.6);
  EXPECT_EQ(settings.seed, UINT64_MAX);
  EXPECT_TRUE(settings.raw_prompt);
  EXPECT_FALSE(settings.top_p.has_value());
  EXPECT_FALSE(settings.max_tokens.has_value());
}

TEST(RunSettings, NamesTheOptionAndTheValueThatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"limit", "0"},         {"limit", "ten"},      {"limit", "3x"},        {"limit", "-1"},
      {"batch-size", "0"},    {"top-p", "0"},        {"top-p", "1.5"},       {"temperature", "nan"},
      {"temperature", "-1"},  {"threads", "-2"},     {"seed", "-1"},         {"max-tokens", ""},
      {"usd-per-hour", "-1"}, {"raw-prompt", "yes"}, {"usd-per-hour", "inf"}};
  for (const auto& [name, value] : wrong) {
    Settings typed = minimal();
    typed[name] = value;
    const std::string error = error_of(typed);
    EXPECT_NE(error.find("--" + name), std::string::npos) << name << "=" << value << ": " << error;
    EXPECT_NE(error.find("'" + value + "'"), std::string::npos) << error;
  }
}

TEST(RunSettings, RefusesAnUnknownNameAndAListWithHoles) {
  Settings typed = minimal();
  typed["limt"] = "3";
  EXPECT_NE(error_of(typed).find("limt"), std::string::npos);
  for (const char* tasks : {"a,,b", ",a", "a,", "a,a"}) {
    typed = minimal();
    typed["tasks"] = tasks;
    EXPECT_NE(error_of(typed), "") << tasks;
  }
}

TEST(RunSettings, NeedsAModelAndATask) {
  EXPECT_NE(error_of({{"tasks", "gsm8k-mini"}}).find("model"), std::string::npos);
  EXPECT_NE(error_of({{"model", "canary"}}).find("task"), std::string::npos);
}

TEST(ResumeSettings, TakesTheRecordedOnesAndAcceptsTheirRepetition) {
  Settings recorded = minimal();
  recorded["limit"] = "7";
  EXPECT_EQ(resume_settings(recorded, {}), recorded);
  EXPECT_EQ(resume_settings(recorded, {{"limit", "7"}}), recorded);
}

TEST(ResumeSettings, RefusesWhatDiffersAndWhatIsNew) {
  Settings recorded = minimal();
  recorded["limit"] = "7";
  EXPECT_THROW(resume_settings(recorded, {{"limit", "8"}}), Error);
  EXPECT_THROW(resume_settings(recorded, {{"seed", "1"}}), Error);
}

TEST(ResumeSettings, LetsTheDataMove) {
  Settings recorded = minimal();
  recorded["data"] = "/old";
  EXPECT_EQ(resume_settings(recorded, {{"data", "/new"}}).at("data"), "/new");
}

}  // namespace
}  // namespace moebench
