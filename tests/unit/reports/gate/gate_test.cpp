#include "reports/gate/gate.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "../made_run.h"
#include "engine/base/error.h"
#include "reports/gate/ci_formats.h"
#include "reports/gate/gate_file.h"
#include "reports/gate/machine.h"
#include "reports/gate/unpaired_timing.h"
#include "reports/render/render.h"

namespace moebench {
namespace {

LoadedRun run_with_hashes(std::uint64_t seed = 1) {
  MadeRun made;
  made.seed = seed;
  LoadedRun run = make_run(made);
  run.run.engine.isa = "avx2";
  for (SampleRecord& sample : run.samples)
    sample.output_sha256 = sample.thinking + "|" + sample.output;
  return run;
}

template <class F>
std::string error_of(F&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(CompareOutputs, EqualHashesPass) {
  const LoadedRun run = run_with_hashes();
  const OutputsFinding finding = compare_outputs(run, run);
  EXPECT_EQ(finding.verdict, GateVerdict::kPass);
  EXPECT_EQ(finding.compared, 400);
}

TEST(CompareOutputs, NamesTheFirstChangedQuestionAndWhereTheTextsPart) {
  const LoadedRun a = run_with_hashes();
  LoadedRun b = a;
  b.samples[7].thinking = "First something else";
  b.samples[7].output_sha256 = "other";
  b.samples[9].output_sha256 = "other, too";
  std::swap(b.samples[0], b.samples[7]);  // order of completion is no matter
  const OutputsFinding finding = compare_outputs(a, b);
  EXPECT_EQ(finding.verdict, GateVerdict::kFail);
  EXPECT_EQ(finding.changed, 2);
  ASSERT_TRUE(finding.first);
  EXPECT_EQ(finding.first->question_id, a.samples[7].question_id);
  EXPECT_EQ(finding.first->first_difference_bytes, 6);  // "First <b>" and "First something"
  EXPECT_NE(finding.because.find("numerics changed"), std::string::npos);
}

TEST(CompareOutputs, AnotherInstructionSetPromisesNothing) {
  const LoadedRun a = run_with_hashes();
  LoadedRun b = a;
  b.run.engine.isa = "scalar";
  EXPECT_EQ(compare_outputs(a, b).verdict, GateVerdict::kPass);
  b.samples[0].output_sha256 = "other";
  EXPECT_EQ(compare_outputs(a, b).verdict, GateVerdict::kInconclusive);
}

void lose(LoadedRun& run, int answers) {
  for (SampleRecord& sample : run.samples)
    if (answers > 0 && sample.correct()) {
      sample.verdict = verdicts::kWrong;
      --answers;
    }
}

TEST(CompareAccuracy, ALossFailsANoiseSizedOneDoesNot) {
  const LoadedRun a = run_with_hashes();
  LoadedRun b = a, c = a;
  lose(b, 20);  // 5 points of 400
  lose(c, 2);
  EXPECT_EQ(compare_accuracy(a, b, {}).verdict, GateVerdict::kFail);
  EXPECT_EQ(compare_accuracy(a, b, {}).lost, 20);
  EXPECT_EQ(compare_accuracy(a, c, {}).verdict, GateVerdict::kPass);
  EXPECT_EQ(compare_accuracy(b, a, {}).verdict, GateVerdict::kPass);  // better is no failure
}

TEST(CompareAccuracy, FewQuestionsWithChangedAnswersAreInconclusive) {
  LoadedRun a = run_with_hashes();
  a.samples.resize(20);
  LoadedRun b = a;
  lose(b, 1);
  EXPECT_EQ(compare_accuracy(a, b, {}).verdict, GateVerdict::kInconclusive);
}

TEST(RefuseUnlike, SaysWhatDiffers) {
  const LoadedRun a = run_with_hashes();
  const auto refusal = [&](auto&& change) {
    LoadedRun b = a;
    change(b);
    return error_of([&] { refuse_unlike(a, b, "old", "new"); });
  };
  EXPECT_EQ(refusal([](LoadedRun&) {}), "no error");
  EXPECT_NE(refusal([](LoadedRun& b) { b.samples.clear(); }).find("new holds no samples"),
            std::string::npos);
  EXPECT_NE(refusal([](LoadedRun& b) {
              for (TaskRecord& task : b.run.tasks) task.name += "-other";
            }).find("no task in common"),
            std::string::npos);
  EXPECT_NE(refusal([](LoadedRun& b) { b.run.model.sha256 = "feed"; }).find("another model"),
            std::string::npos);
  EXPECT_NE(
      refusal([](LoadedRun& b) { b.run.tasks[0].sampling.temperature = 1; }).find("temperature"),
      std::string::npos);
  EXPECT_NE(refusal([](LoadedRun& b) { b.run.tasks[1].prompt_sha256 = "x"; }).find("prompt"),
            std::string::npos);
}

TEST(StoredRecords, OtherMachinesMakeTimingsInconclusiveAndAccuracyStays) {
  const LoadedRun a = run_with_hashes();
  LoadedRun b = a;
  b.run.environment.cpu = "another processor";
  const auto differences = machine_differences(a.run, b.run);
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_NE(differences[0].find("another processor"), std::string::npos);
  const std::vector<LoadedRun> baselines = {a}, candidates = {b};
  const auto findings = decide_stored(baselines, candidates, default_gate_settings(), differences);
  ASSERT_FALSE(findings.empty());
  for (const TimingFinding& finding : findings)
    EXPECT_EQ(finding.verdict, GateVerdict::kInconclusive) << finding.metric.key;
  EXPECT_EQ(compare_accuracy(a, b, {}).verdict, GateVerdict::kPass);
}

TEST(StoredRecords, OneRecordASideShowsAGrossWorseningAlone) {
  const auto with_cpu = [](double seconds) {
    LoadedRun run = run_with_hashes();
    run.run.segments[0].cpu_seconds = seconds;
    return std::vector<LoadedRun>{run};
  };
  const auto verdict = [&](double seconds) {
    for (const TimingFinding& finding :
         decide_stored(with_cpu(100), with_cpu(seconds), default_gate_settings(), {}))
      if (finding.metric.key == "cpu_ms_per_token") return finding.verdict;
    ADD_FAILURE() << "no figure of CPU time";
    return GateVerdict::kPass;
  };
  EXPECT_EQ(verdict(230), GateVerdict::kFail);
  EXPECT_EQ(verdict(150), GateVerdict::kInconclusive);
  EXPECT_EQ(verdict(1), GateVerdict::kPass);
}

TEST(StoredRecords, SeveralASideAreTestedIfTheyWereMadeInTurn) {
  std::vector<LoadedRun> baselines, candidates;
  for (int i = 0; i < 10; ++i) {
    LoadedRun run = run_with_hashes();
    run.run.segments[0].cpu_seconds = 100 + 0.1 * i;
    run.run.started_utc = "2026-01-02T03:0" + std::to_string(i) + ":00Z";
    baselines.push_back(run);
    run.run.segments[0].cpu_seconds = 106 + 0.1 * i;
    run.run.started_utc = "2026-01-02T03:0" + std::to_string(i) + ":30Z";
    candidates.push_back(run);
  }
  const auto cpu_of = [&] {
    for (const TimingFinding& finding :
         decide_stored(baselines, candidates, default_gate_settings(), {}))
      if (finding.metric.key == "cpu_ms_per_token") return finding;
    return TimingFinding{};
  };
  EXPECT_EQ(cpu_of().verdict, GateVerdict::kFail);
  EXPECT_NEAR(cpu_of().worsening, 0.06, 0.001);
  for (LoadedRun& run : candidates) run.run.started_utc = "2026-01-03T00:00:00Z";
  EXPECT_EQ(cpu_of().verdict, GateVerdict::kInconclusive);
}

TEST(GateFile, OverridesTheDefaults) {
  const GateSettings settings = parse_gate_file(
      R"({"schema_version": 1, "budget_seconds": 30, "timing": {"model": "m", "tasks": "t", "limit": 5},
          "metrics": {"decode_tokens_per_second": {"minimum_effect_percent": 7, "required": true},
                      "ttft_p99_ms": false}})",
      "gate.json");
  EXPECT_EQ(settings.budget_seconds, 30);
  EXPECT_EQ(settings.timing.at("limit"), "5");
  EXPECT_EQ(settings.metrics.size(), default_gated_metrics().size() - 1);
  for (const GatedMetric& metric : settings.metrics)
    if (metric.key == "decode_tokens_per_second") {
      EXPECT_DOUBLE_EQ(metric.minimum_effect, 0.07);
      EXPECT_TRUE(metric.required);
    }
}

TEST(GateFile, RefusesWhatItDoesNotKnow) {
  for (const auto& [text, word] :
       {std::pair("{", "no JSON object"), std::pair("[]", "no JSON object"),
        std::pair(R"({"budget": 3})", "budget"), std::pair(R"({"alpha": 2})", "alpha"),
        std::pair(R"({"alpha": "x"})", "alpha"), std::pair(R"({"schema_version": 9})", "9"),
        std::pair(R"({"metrics": {"speed": {}}})", "speed"),
        std::pair(R"({"metrics": {"ttft_p50_ms": {"limit": 1}}})", "limit"),
        std::pair(R"({"timing": {"output": "x"}})", "output"),
        std::pair(R"({"timing": {"model": []}})", "model"),
        std::pair(R"({"interleaving": "sometimes"})", "sometimes")})
    EXPECT_NE(error_of([&] { parse_gate_file(text, "gate.json"); }).find(word), std::string::npos)
        << text;
}

std::string benchmark_json(double scale, int repetitions, const std::string& host = "h") {
  nlohmann::json file = {{"context", {{"host_name", host}, {"num_cpus", 2}}}, {"benchmarks", {}}};
  for (const char* name : {"matmul/1", "experts/8"}) {
    for (int i = 0; i < repetitions; ++i)
      file["benchmarks"].push_back({{"name", name},
                                    {"run_name", name},
                                    {"run_type", "iteration"},
                                    {"repetition_index", i},
                                    {"cpu_time", scale * (100 + 0.2 * i)},
                                    {"real_time", 1e9},
                                    {"time_unit", "us"}});
    // What must not be taken for a repetition.
    file["benchmarks"].push_back({{"name", std::string(name) + "_mean"},
                                  {"run_name", name},
                                  {"run_type", "aggregate"},
                                  {"aggregate_name", "mean"},
                                  {"cpu_time", 1},
                                  {"time_unit", "us"}});
  }
  return file.dump();
}

std::vector<TimingFinding> compare_json(const std::string& a, const std::string& b) {
  std::vector<std::string> notes;
  return compare_google_benchmark(parse_google_benchmark(a, "old"),
                                  parse_google_benchmark(b, "new"), 0.03, 0.01, 1, notes);
}

TEST(GoogleBenchmark, RepetitionsAreTestedAndAggregatesLeftOut) {
  const auto slower = compare_json(benchmark_json(1, 10), benchmark_json(1.06, 10));
  ASSERT_EQ(slower.size(), 2u);
  EXPECT_EQ(slower[0].verdict, GateVerdict::kFail);
  EXPECT_NEAR(slower[0].worsening, 0.06, 0.002);
  EXPECT_NEAR(slower[0].baseline, 100'900, 1);  // nanoseconds
  EXPECT_EQ(compare_json(benchmark_json(1, 10), benchmark_json(1, 10))[0].verdict,
            GateVerdict::kPass);
}

std::string renamed(std::string json, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = json.find(from, at)) != std::string::npos; at += to.size())
    json.replace(at, from.size(), to);
  return json;
}

GoogleBenchmarkFile pool(const std::vector<std::string>& jsons, std::vector<std::string>& notes) {
  std::vector<GoogleBenchmarkFile> files;
  std::vector<std::string> names;
  for (const std::string& json : jsons) {
    names.push_back("f" + std::to_string(names.size()));
    files.push_back(parse_google_benchmark(json, names.back()));
  }
  return pool_google_benchmark(files, names, "baseline", notes);
}

TEST(GoogleBenchmark, FilesOfSeveralStartsArePooledAsFurtherRepetitions) {
  std::vector<std::string> notes;
  const GoogleBenchmarkFile pooled =
      pool({benchmark_json(1, 2), benchmark_json(2, 3), benchmark_json(1, 1)}, notes);
  ASSERT_EQ(pooled.benchmarks.size(), 2u);
  EXPECT_EQ(pooled.benchmarks[0].name, "matmul/1");
  EXPECT_EQ(pooled.benchmarks[0].cpu_ns,
            (std::vector<double>{100'000, 100'200, 200'000, 200'400, 200'800, 100'000}));
  EXPECT_EQ(pooled.benchmarks[0].real_ns.size(), 6u);
  EXPECT_EQ(pooled.host, "h");
  EXPECT_TRUE(notes.empty());
}

TEST(GoogleBenchmark, WhatOnlySomeFilesOfASideHoldIsTold) {
  std::vector<std::string> notes;
  const GoogleBenchmarkFile pooled = pool(
      {benchmark_json(1, 2, "a"), renamed(benchmark_json(1, 2, "b"), "matmul/1", "norm")}, notes);
  ASSERT_EQ(pooled.benchmarks.size(), 3u);
  EXPECT_EQ(pooled.benchmarks[1].cpu_ns.size(), 4u);
  EXPECT_EQ(pooled.host, "a and b");
  EXPECT_EQ(notes, (std::vector<std::string>{"matmul/1 is in 1 of the baseline's 2 files only",
                                             "norm is in 1 of the baseline's 2 files only"}));
  EXPECT_NE(error_of([&] {
              pool({benchmark_json(1, 2),
                    renamed(benchmark_json(1, 2), "\"num_cpus\":2", "\"num_cpus\":8")},
                   notes);
            }).find("2 and 8 CPUs: f0 and f1"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              pool({benchmark_json(1, 600), benchmark_json(1, 600)}, notes);
            }).find("more than 1,000 repetitions of matmul/1"),
            std::string::npos);
}

TEST(GoogleBenchmark, WhatOnlyOneSideHoldsIsNamed) {
  std::vector<std::string> notes;
  const GoogleBenchmarkFile a = parse_google_benchmark(benchmark_json(1, 9), "old");
  const auto against = [&](const std::string& json) {
    return compare_google_benchmark(a, parse_google_benchmark(json, "new"), 0.03, 0.01, 1, notes);
  };
  EXPECT_EQ(against(renamed(benchmark_json(1, 9), "matmul/1", "norm")).size(), 1u);
  EXPECT_EQ(notes, (std::vector<std::string>{"only in the baseline: matmul/1",
                                             "only in the candidate: norm"}));
  const std::string others =
      renamed(renamed(benchmark_json(1, 9), "matmul/1", "norm"), "experts/8", "rope");
  const std::string message = error_of([&] { against(others); });
  EXPECT_NE(
      message.find("share no benchmark: the baseline holds matmul/1, experts/8; the candidate "
                   "norm, rope"),
      std::string::npos)
      << message;
}

TEST(GoogleBenchmark, OneRepetitionTellsNothing) {
  const auto findings = compare_json(benchmark_json(1, 1), benchmark_json(2, 1));
  EXPECT_EQ(findings[0].verdict, GateVerdict::kInconclusive);
  EXPECT_NE(findings[0].because.find("repetitions"), std::string::npos);
}

TEST(GoogleBenchmark, TimesByHandAreTestedAndWallClocksShowGrossWorseningsOnly) {
  const auto json = [](const std::string& name, double scale) {
    nlohmann::json file;
    for (int i = 0; i < 10; ++i)
      file["benchmarks"].push_back({{"name", name},
                                    {"run_type", "iteration"},
                                    {"cpu_time", 0.1},
                                    {"real_time", scale * (2 + 0.01 * i)},
                                    {"time_unit", "ms"}});
    return file.dump();
  };
  const auto compare = [&](const std::string& name, double scale) {
    return compare_json(json(name, 1), json(name, scale));
  };
  ASSERT_EQ(compare("kernel/manual_time", 1.2).size(), 1u);
  EXPECT_EQ(compare("kernel/manual_time", 1.2)[0].verdict, GateVerdict::kFail);
  const auto waits = compare("kernel/8/real_time/threads:2", 1.2);
  ASSERT_EQ(waits.size(), 2u);
  EXPECT_EQ(waits[0].verdict, GateVerdict::kInconclusive);
  EXPECT_FALSE(waits[0].metric.required);
  EXPECT_EQ(waits[1].verdict, GateVerdict::kPass);  // the CPU time did not change
  EXPECT_EQ(compare("kernel/real_time", 2.5)[0].verdict, GateVerdict::kFail);
  ASSERT_EQ(compare("kernel", 1.2).size(), 1u);
}

TEST(GoogleBenchmark, ABenchmarkThatFailsInTheCandidateAloneFails) {
  nlohmann::json broken = nlohmann::json::parse(benchmark_json(1, 10));
  for (nlohmann::json& entry : broken["benchmarks"])
    if (entry["run_name"] == "matmul/1") {
      entry["error_occurred"] = true;
      entry["error_message"] = "wrong product";
    }
  const auto worse = compare_json(benchmark_json(1, 10), broken.dump());
  ASSERT_EQ(worse.size(), 2u);
  EXPECT_EQ(worse[0].verdict, GateVerdict::kFail);
  EXPECT_NE(worse[0].because.find("wrong product"), std::string::npos);
  EXPECT_EQ(worse[1].verdict, GateVerdict::kPass);
  // Broken before, mended now, is no failure.
  const auto mended = compare_json(broken.dump(), benchmark_json(1, 10));
  ASSERT_EQ(mended.size(), 1u);
  EXPECT_EQ(mended[0].verdict, GateVerdict::kPass);
}

TEST(GoogleBenchmark, OtherHostsAreInconclusive) {
  EXPECT_EQ(compare_json(benchmark_json(1, 10, "a"), benchmark_json(2, 10, "b"))[0].verdict,
            GateVerdict::kInconclusive);
}

TEST(GoogleBenchmark, BrokenFilesAreRefused) {
  const std::string whole = benchmark_json(1, 3);
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string(R"({"benchmarks": []})"),
        whole.substr(0, whole.size() / 2), std::string(R"({"benchmarks": [3]})"),
        std::string(R"({"benchmarks": [{"name": "x", "cpu_time": -1, "time_unit": "ns"}]})"),
        std::string(R"({"benchmarks": [{"name": "x", "cpu_time": 1, "time_unit": "weeks"}]})"),
        std::string(R"({"benchmarks": [{"name": "x_mean", "cpu_time": 1, "time_unit": "ns"}]})")})
    EXPECT_NE(error_of([&] { parse_google_benchmark(text, "f.json"); }), "no error") << text;
  EXPECT_NE(error_of([&] {
              std::string other = benchmark_json(1, 3);
              for (std::size_t at; (at = other.find("matmul")) != std::string::npos;)
                other.replace(at, 6, "x");
              for (std::size_t at; (at = other.find("experts")) != std::string::npos;)
                other.replace(at, 7, "y");
              compare_json(whole, other);
            }).find("share no benchmark"),
            std::string::npos);
}

GateResult result_with(GateVerdict timing, bool required, const std::string& because) {
  GateResult result;
  result.baseline = "old";
  result.candidate = "new";
  TimingFinding finding;
  finding.metric = {"speed", "speed", true, 0.03, required, false};
  finding.verdict = timing;
  finding.because = because;
  result.timing = {finding};
  return result;
}

TEST(OverallVerdict, AFailureWinsAndOnlyRequiredChecksMakeItInconclusive) {
  EXPECT_EQ(overall_verdict({}), GateVerdict::kInconclusive);
  EXPECT_EQ(overall_verdict(result_with(GateVerdict::kPass, true, "")), GateVerdict::kPass);
  EXPECT_EQ(overall_verdict(result_with(GateVerdict::kInconclusive, true, "")),
            GateVerdict::kInconclusive);
  EXPECT_EQ(overall_verdict(result_with(GateVerdict::kInconclusive, false, "")),
            GateVerdict::kPass);
  EXPECT_EQ(overall_verdict(result_with(GateVerdict::kFail, false, "")), GateVerdict::kFail);
}

TEST(CiFormats, EscapeWhatTheirReadersWouldTakeForMarkup) {
  const GateResult result =
      result_with(GateVerdict::kFail, true, "5 % worse <&\"> \x01\xff, line\nnext: \xc3\xa9");
  const std::string xml = render_junit(result);
  EXPECT_NE(xml.find("&lt;&amp;&quot;&gt; \xef\xbf\xbd\xef\xbf\xbd, line&#10;next: \xc3\xa9"),
            std::string::npos)
      << xml;
  const std::string annotations = render_github_annotations(result);
  EXPECT_NE(annotations.find("::error title=moebench gate%3A speed::5 %25 worse"),
            std::string::npos);
  EXPECT_NE(annotations.find("line%0Anext"), std::string::npos);
}

TEST(GateReport, ShowsEveryCheckInEveryFormat) {
  const GateResult result = result_with(GateVerdict::kInconclusive, true, "too few rounds");
  const Document report = build_gate_report(result);
  for (const std::string& text : {render_markdown(report), render_html(report), render_csv(report),
                                  render_json(report), render_console(report)}) {
    EXPECT_NE(text.find("speed"), std::string::npos);
    EXPECT_NE(text.find("inconclusive"), std::string::npos);
  }
}

}  // namespace
}  // namespace moebench
