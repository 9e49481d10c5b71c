#include "made_run.h"

#include <algorithm>
#include <random>

namespace moebench {

LoadedRun make_run(const MadeRun& made) {
  std::mt19937_64 random(made.seed);
  const auto uniform = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  LoadedRun loaded;
  RunRecord& run = loaded.run;
  run.run_id = made.label;
  run.label = made.label;
  run.status = RunStatus::kComplete;
  run.started_utc = "2026-01-02T03:04:05Z";
  run.ended_utc = "2026-01-02T03:14:05Z";
  run.build.version = "0.1.0";
  run.engine.name = "moebench";
  run.engine.device = "cpu";
  run.model.name = "made model";
  run.model.weight_types = made.weights;
  run.model.kv_bytes_per_token = 1000;
  run.environment.cpu = "a processor";
  run.environment.peak_bytes_per_second = 20e9;
  run.environment.peak_source = "assumed for this test";
  run.effective = {{"batch_size", "8"}, {"device", "cpu"}};
  run.price = MachinePrice{made.usd_per_hour, "--usd-per-hour", "2026-01"};
  run.segments.push_back({run.started_utc, run.ended_utc, 600});
  double clock_ms = 0;
  std::int64_t prompt_tokens = 0, output_tokens = 0;
  const char* subjects[] = {"Algebra", "Geometry", "Number Theory"};
  for (const char* name : {"stories", "algebra"}) {
    const bool has_levels = std::string(name) == "algebra";
    TaskRecord& task = run.tasks.emplace_back();
    task.name = name;
    task.task_sha256 = std::string("task-") + name;
    task.prompt_sha256 = std::string("prompt-") + name;
    task.sampling.max_output_tokens = 512;
    task.planned_questions = made.questions;
    task.attempts_per_question = made.attempts;
    for (int q = 0; q < made.questions; ++q)
      for (int attempt = 0; attempt < made.attempts; ++attempt) {
        SampleRecord s;
        s.task = name;
        s.question_id = std::string(name) + "/" + std::to_string(q);
        s.attempt = attempt;
        s.question = "What is " + std::to_string(q) + " + " + std::to_string(q % 7) + "?";
        s.target = std::to_string(q + q % 7);
        const int level = 1 + q % 5;
        if (has_levels) {
          s.level = std::to_string(level);
          s.subject = subjects[q % 3];
        }
        const double difficulty = has_levels ? 0.1 * (level - 3) : 0;
        const double luck = uniform(), kind = uniform();
        if (luck < std::clamp(made.ability - difficulty, 0.0, 1.0))
          s.verdict = verdicts::kCorrect;
        else if (kind < 0.8)
          s.verdict = verdicts::kWrong;
        else if (kind < 0.9)
          s.verdict = verdicts::kUnparsed;
        else if (kind < 0.98)
          s.verdict = verdicts::kTruncated;
        else
          s.verdict = verdicts::kFailed;
        s.prompt_tokens = 20 + q % 11;
        s.cached_tokens = q % 4 == 0 ? 8 : 0;
        if (s.verdict == verdicts::kFailed) {
          s.failure = "the prompt is longer than the context";
          s.finish_reason = "failed";
        } else {
          s.extracted = s.correct()                        ? s.target
                        : s.verdict == verdicts::kUnparsed ? ""
                                                           : std::to_string(q + 1 + random() % 3);
          s.output_tokens = 40 + static_cast<std::int64_t>(random() % 80);
          s.thinking_tokens = s.output_tokens / 2;
          s.thinking =
              "First <b>" + std::to_string(q) + "</b>, then " + std::to_string(q % 7) + ".";
          s.output = "So the answer is\n#### " + s.extracted;
          s.finish_reason = "eos";
          s.timing.scheduled_ms = clock_ms;
          s.timing.issued_ms = clock_ms;
          s.timing.first_token_ms = 15 + 10 * uniform();
          const double per_token = made.ms_per_token * (0.9 + 0.2 * uniform());
          s.timing.last_token_ms =
              *s.timing.first_token_ms + per_token * static_cast<double>(s.output_tokens - 1);
          s.timing.first_answer_token_ms =
              *s.timing.first_token_ms + per_token * static_cast<double>(s.thinking_tokens);
          clock_ms += *s.timing.last_token_ms / 8;  // eight at a time
        }
        s.answer_cluster = s.extracted;
        s.reason = s.correct() ? "integer" : "text";
        prompt_tokens += s.prompt_tokens - s.cached_tokens;
        output_tokens += s.output_tokens;
        loaded.samples.push_back(std::move(s));
      }
    task.counts = count_verdicts(loaded.samples, name);
  }
  StepKindSummary prefill, decode;
  prefill.kind = "prefill";
  prefill.steps = made.questions;
  prefill.prefill_tokens = prompt_tokens;
  prefill.seconds = static_cast<double>(prompt_tokens) * 0.0004;
  decode.kind = "decode";
  decode.steps = output_tokens / 8;
  decode.decode_tokens = output_tokens;
  decode.seconds = static_cast<double>(output_tokens) / 8 * made.ms_per_token / 1000;
  decode.weight_bytes_read = decode.steps * 40'000'000;
  decode.kv_tokens_read = output_tokens * 60;
  decode.flops = static_cast<double>(output_tokens) * 2e7;
  run.steps = {prefill, decode};
  for (int layer = 0; layer < 4; ++layer) {
    auto& load = run.expert_load.emplace_back();
    for (int expert = 0; expert < 16; ++expert)
      load.push_back(expert == 5 && layer == 1 ? 0
                                               : 200 + static_cast<std::int64_t>(random() % 400));
  }
  return loaded;
}

}  // namespace moebench
