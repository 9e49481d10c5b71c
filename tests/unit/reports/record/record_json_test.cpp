#include <gtest/gtest.h>

#include <cmath>

#include "engine/base/error.h"
#include "reports/record/record_files.h"

namespace moebench {
namespace {

SampleRecord a_sample() {
  SampleRecord s;
  s.task = "gsm8k";
  s.question_id = "gsm8k/17";
  s.attempt = 2;
  s.level = "3";
  s.subject = "Algebra";
  s.thinking = "2 + 2 \xe2\x86\x92 4";
  s.output = "The answer is\n#### 4";
  s.prompt_tokens = 31;
  s.output_tokens = 12;
  s.thinking_tokens = 5;
  s.finish_reason = "eos";
  s.verdict = verdicts::kCorrect;
  s.extracted = "4";
  s.target = "4";
  s.timing.scheduled_ms = 10.5;
  s.timing.issued_ms = 11;
  s.timing.first_token_ms = 3.25;
  s.timing.last_token_ms = 40;
  s.timing.chunk_ms = {3.25, 9.5, 40};
  return s;
}

RunRecord a_run() {
  RunRecord run;
  run.run_id = "2026-11-25-canary";
  run.status = RunStatus::kPartial;
  run.started_utc = "2026-11-25T01:00:00Z";
  run.requested = {{"batch_size", "32"}};
  run.build.version = "0.1.0";
  run.engine.name = "moebench";
  run.model.name = "canary";
  run.model.experts = 16;
  run.tasks.resize(1);
  run.tasks[0].name = "gsm8k";
  run.tasks[0].sampling.seed = 18446744073709551615ull;
  run.steps.push_back({.kind = "decode", .steps = 3, .seconds = 0.5, .decode_tokens = 9});
  run.expert_load = {{1, 2}, {3, 0}};
  run.price = MachinePrice{0.4, "--usd-per-hour", "2026-11"};
  run.peak_memory_bytes = 123;
  return run;
}

std::string message_of(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(RecordJson, ASampleSurvivesTheRoundTrip) {
  const SampleRecord s = a_sample();
  const std::string line = to_json_line(s);
  EXPECT_EQ(line.find('\n'), line.size() - 1) << "a record must be exactly one line";
  const SampleRecord back = parse_sample_record(line, "here");
  EXPECT_EQ(to_json_line(back), line);
  EXPECT_EQ(back.thinking, s.thinking);
  EXPECT_EQ(back.answer_tokens(), 7);
  EXPECT_EQ(back.timing.chunk_ms, s.timing.chunk_ms);
  EXPECT_FALSE(back.timing.first_answer_token_ms) << "absent must stay absent, not become zero";
}

TEST(RecordJson, ARunSurvivesTheRoundTrip) {
  const std::string text = to_json(a_run());
  const RunRecord back = parse_run_record(text, "here");
  EXPECT_EQ(to_json(back), text);
  EXPECT_EQ(back.status, RunStatus::kPartial);
  EXPECT_EQ(back.tasks.at(0).sampling.seed, 18446744073709551615ull);
  EXPECT_EQ(back.expert_load, a_run().expert_load);
  EXPECT_FALSE(back.overhead);
}

TEST(RecordJson, RetriesAreKeptAndThoseOfAnOlderRecordAreUnknown) {
  SampleRecord asked_again = a_sample(), at_once = a_sample();
  asked_again.retries = 3;
  at_once.retries = 0;
  EXPECT_EQ(parse_sample_record(to_json_line(asked_again), "here").retries, 3);
  EXPECT_EQ(parse_sample_record(to_json_line(at_once), "here").retries, 0);
  EXPECT_FALSE(parse_sample_record(to_json_line(a_sample()), "here").retries);

  EXPECT_FALSE(count_retries(std::vector{a_sample(), a_sample()})) << "unknown, not zero";
  RunRecord run = a_run();
  run.retries = count_retries(std::vector{a_sample(), asked_again, at_once, asked_again});
  const RunRecord back = parse_run_record(to_json(run), "here");
  ASSERT_TRUE(back.retries);
  EXPECT_EQ(back.retries->requests_retried, 2);
  EXPECT_EQ(back.retries->retries, 6);
  EXPECT_FALSE(parse_run_record(to_json(a_run()), "here").retries);
}

TEST(RecordJson, ANewerSchemaIsRefusedByNumber) {
  std::string text = to_json(a_run());
  text.replace(text.find("\"schema_version\": 1"), 19, "\"schema_version\": 7");
  const std::string message = message_of([&] { parse_run_record(text, "old/run.json"); });
  EXPECT_NE(message.find("old/run.json"), std::string::npos) << message;
  EXPECT_NE(message.find("schema 7"), std::string::npos) << message;
}

TEST(RecordJson, UnknownFieldsAreIgnored) {
  std::string text = to_json(a_run());
  text.insert(1, "\"added_later\": {\"x\": [1]},");
  EXPECT_EQ(to_json(parse_run_record(text, "here")), to_json(a_run()));
}

TEST(RecordJson, AMissingOrMistypedFieldIsNamed) {
  std::string line = to_json_line(a_sample());
  std::string missing = line;
  missing.replace(missing.find("\"verdict\""), 9, "\"verdikt\"");
  EXPECT_NE(
      message_of([&] { parse_sample_record(missing, "f:3"); }).find("f:3: \"verdict\" is missing"),
      std::string::npos);
  std::string mistyped = line;
  mistyped.replace(mistyped.find("\"prompt_tokens\":31"), 18, "\"prompt_tokens\":3.5");
  EXPECT_NE(message_of([&] { parse_sample_record(mistyped, "f:3"); }).find("prompt_tokens"),
            std::string::npos);
  std::string verdict = line;
  verdict.replace(verdict.find("\"correct\""), 9, "\"perfect\"");
  EXPECT_NE(message_of([&] { parse_sample_record(verdict, "f:3"); }).find("perfect"),
            std::string::npos);
}

TEST(RecordJson, ABrokenLineIsToldByItsByteNotByALineOfItsOwn) {
  const std::string message =
      message_of([] { parse_sample_record(R"({"task": "broken)", "samples.jsonl:2"); });
  EXPECT_EQ(message.find("samples.jsonl:2: is no JSON from byte 17 on: syntax error"), 0u)
      << message;
}

TEST(RecordJson, HostileTextIsAnErrorNotACrash) {
  const std::string deep(100000, '[');
  for (const std::string& text :
       {std::string(), std::string("null"), std::string("{"), deep,
        std::string("{\"schema_version\": \"1\"}"), std::string("{\"schema_version\": -4}"),
        std::string("{\"schema_version\": 1e99}")})
    EXPECT_THROW(parse_run_record(text, "here"), Error) << text.substr(0, 40);
}

TEST(RecordJson, ANumberThatJsonCannotHoldIsRefusedOnWriting) {
  SampleRecord s = a_sample();
  s.timing.issued_ms = std::nan("");
  EXPECT_THROW(to_json_line(s), Error);
}

TEST(RecordJson, InvalidUtf8IsReplacedNotFatal) {
  SampleRecord s = a_sample();
  s.output = "abc\xff";
  EXPECT_EQ(parse_sample_record(to_json_line(s), "here").output, "abc\xef\xbf\xbd");
}

}  // namespace
}  // namespace moebench
