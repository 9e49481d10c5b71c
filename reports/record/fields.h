#pragma once

// The fields of every record type, listed once; the reader and the writer both visit this list.
// Private to reports/record. `f.field` is required, `f.optional` may be absent and is then left
// at its default.

#include "reports/record/run_record.h"
#include "reports/record/sample_record.h"

namespace moebench::record_fields {

template <class F>
void visit(F& f, SamplingRecord& r) {
  f.field("temperature", r.temperature);
  f.field("top_p", r.top_p);
  f.field("top_k", r.top_k);
  f.field("seed", r.seed);
  f.field("max_output_tokens", r.max_output_tokens);
  f.optional("max_thinking_tokens", r.max_thinking_tokens);
}

template <class F>
void visit(F& f, VerdictCounts& r) {
  f.field("correct", r.correct);
  f.field("wrong", r.wrong);
  f.field("unparsed", r.unparsed);
  f.field("truncated", r.truncated);
  f.field("failed", r.failed);
}

template <class F>
void visit(F& f, TaskRecord& r) {
  f.field("name", r.name);
  f.optional("title", r.title);
  f.field("task_sha256", r.task_sha256);
  f.field("prompt_sha256", r.prompt_sha256);
  f.optional("data_sha256", r.data_sha256);
  f.field("sampling", r.sampling);
  f.field("planned_questions", r.planned_questions);
  f.field("attempts_per_question", r.attempts_per_question);
  f.optional("counts", r.counts);
}

template <class F>
void visit(F& f, ModelRecord& r) {
  f.field("name", r.name);
  f.optional("family", r.family);
  f.optional("format", r.format);
  f.optional("sha256", r.sha256);
  f.optional("weight_types", r.weight_types);
  f.optional("total_parameters", r.total_parameters);
  f.optional("active_parameters", r.active_parameters);
  f.optional("weight_bytes", r.weight_bytes);
  f.optional("kv_bytes_per_token", r.kv_bytes_per_token);
  f.optional("layers", r.layers);
  f.optional("moe_layers", r.moe_layers);
  f.optional("experts", r.experts);
  f.optional("experts_per_token", r.experts_per_token);
  f.optional("max_context_tokens", r.max_context_tokens);
}

template <class F>
void visit(F& f, EngineRecord& r) {
  f.field("name", r.name);
  f.optional("version", r.version);
  f.optional("device", r.device);
  f.optional("isa", r.isa);
  f.optional("experts_device", r.experts_device);
  f.optional("kv_cache_type", r.kv_cache_type);
  f.optional("endpoint", r.endpoint);
  f.optional("threads", r.threads);
  f.optional("max_batch_sequences", r.max_batch_sequences);
  f.optional("max_step_tokens", r.max_step_tokens);
  f.optional("devices", r.devices);
  f.optional("load_seconds", r.load_seconds);
}

template <class F>
void visit(F& f, BuildRecord& r) {
  f.field("version", r.version);
  f.optional("commit", r.commit);
  f.optional("compiler", r.compiler);
  f.optional("build_type", r.build_type);
  f.optional("flags", r.flags);
  f.optional("modified_tree", r.modified_tree);
}

template <class F>
void visit(F& f, EnvironmentRecord& r) {
  f.optional("cpu", r.cpu);
  f.optional("os", r.os);
  f.optional("kernel", r.kernel);
  f.optional("governor", r.governor);
  f.optional("gpus", r.gpus);
  f.optional("logical_cores", r.logical_cores);
  f.optional("physical_cores", r.physical_cores);
  f.optional("memory_bytes", r.memory_bytes);
  f.optional("peak_bytes_per_second", r.peak_bytes_per_second);
  f.optional("peak_flops", r.peak_flops);
  f.optional("peak_source", r.peak_source);
  f.optional("notes", r.notes);
}

template <class F>
void visit(F& f, MachinePrice& r) {
  f.field("usd_per_hour", r.usd_per_hour);
  f.field("source", r.source);
  f.optional("as_of", r.as_of);
}

template <class F>
void visit(F& f, GpuClocks& r) {
  f.field("device", r.device);
  f.field("core_mhz_before", r.core_mhz_before);
  f.field("core_mhz_after", r.core_mhz_after);
  f.field("memory_mhz_before", r.memory_mhz_before);
  f.field("memory_mhz_after", r.memory_mhz_after);
  f.field("celsius_before", r.celsius_before);
  f.field("celsius_after", r.celsius_after);
  f.field("readings", r.readings);
  f.field("throttled_readings", r.throttled_readings);
  f.optional("throttled", r.throttled);
}

template <class F>
void visit(F& f, RunSegment& r) {
  f.field("started_utc", r.started_utc);
  f.optional("ended_utc", r.ended_utc);
  f.optional("wall_seconds", r.wall_seconds);
  f.optional("cpu_seconds", r.cpu_seconds);
  f.optional("gpus", r.gpus);
}

template <class F>
void visit(F& f, StepKindSummary& r) {
  f.field("kind", r.kind);
  f.field("steps", r.steps);
  f.field("seconds", r.seconds);
  f.optional("prefill_seconds", r.prefill_seconds);
  f.field("prefill_tokens", r.prefill_tokens);
  f.field("decode_tokens", r.decode_tokens);
  f.optional("sequences", r.sequences);
  f.optional("kv_tokens_read", r.kv_tokens_read);
  f.optional("activated_experts", r.activated_experts);
  f.optional("weight_bytes_read", r.weight_bytes_read);
  f.optional("flops", r.flops);
}

template <class F>
void visit(F& f, LoadRecord& r) {
  f.field("arrivals", r.arrivals);
  f.optional("requests_per_second", r.requests_per_second);
  f.optional("max_in_flight", r.max_in_flight);
  f.optional("seed", r.seed);
  f.field("prompts", r.prompts);
}

template <class F>
void visit(F& f, EnergyReading& r) {
  f.field("meter", r.meter);
  f.field("joules", r.joules);
}

template <class F>
void visit(F& f, OverheadRecord& r) {
  f.field("ms_per_request", r.ms_per_request);
  f.field("fraction_of_run", r.fraction_of_run);
}

template <class F>
void visit(F& f, RetryRecord& r) {
  f.field("requests_retried", r.requests_retried);
  f.field("retries", r.retries);
}

template <class F>
void visit(F& f, ShardRecord& r) {
  f.field("index", r.index);
  f.field("count", r.count);
}

template <class F>
void visit(F& f, RunRecord& r) {
  f.field("schema_version", r.schema_version);
  f.field("run_id", r.run_id);
  f.optional("label", r.label);
  f.field("status", r.status);
  f.field("started_utc", r.started_utc);
  f.optional("ended_utc", r.ended_utc);
  f.optional("requested", r.requested);
  f.optional("effective", r.effective);
  f.field("build", r.build);
  f.optional("environment", r.environment);
  f.field("engine", r.engine);
  f.field("model", r.model);
  f.field("tasks", r.tasks);
  f.optional("results_sha256", r.results_sha256);
  f.optional("shard", r.shard);
  f.optional("merged_from", r.merged_from);
  f.optional("segments", r.segments);
  f.optional("steps", r.steps);
  f.optional("expert_load", r.expert_load);
  f.optional("price", r.price);
  f.optional("retries", r.retries);
  f.optional("overhead", r.overhead);
  f.optional("peak_memory_bytes", r.peak_memory_bytes);
  f.optional("energy", r.energy);
  f.optional("energy_note", r.energy_note);
  f.optional("load", r.load);
  f.optional("percentile_method", r.percentile_method);
  f.optional("warnings", r.warnings);
}

template <class F>
void visit(F& f, SampleTiming& r) {
  f.field("scheduled_ms", r.scheduled_ms);
  f.field("issued_ms", r.issued_ms);
  f.optional("first_token_ms", r.first_token_ms);
  f.optional("first_answer_token_ms", r.first_answer_token_ms);
  f.optional("last_token_ms", r.last_token_ms);
  f.optional("chunk_ms", r.chunk_ms);
}

template <class F>
void visit(F& f, SampleRecord& r) {
  f.field("task", r.task);
  f.field("question_id", r.question_id);
  f.field("attempt", r.attempt);
  f.optional("segment", r.segment);
  f.optional("level", r.level);
  f.optional("subject", r.subject);
  f.optional("prompt_sha256", r.prompt_sha256);
  f.optional("question", r.question);
  f.optional("thinking", r.thinking);
  f.field("output", r.output);
  f.optional("output_sha256", r.output_sha256);
  f.field("prompt_tokens", r.prompt_tokens);
  f.optional("cached_tokens", r.cached_tokens);
  f.field("output_tokens", r.output_tokens);
  f.optional("thinking_tokens", r.thinking_tokens);
  f.optional("finish_reason", r.finish_reason);
  f.field("verdict", r.verdict);
  f.optional("extracted", r.extracted);
  f.optional("extraction", r.extraction);
  f.optional("reason", r.reason);
  f.optional("detail", r.detail);
  f.optional("target", r.target);
  f.optional("answer_cluster", r.answer_cluster);
  f.optional("corrected_verdict", r.corrected_verdict);
  f.optional("failure", r.failure);
  f.optional("retries", r.retries);
  f.field("timing", r.timing);
}

template <class F>
void visit(F& f, StepSample& r) {
  f.optional("segment", r.segment);
  f.field("begin_ms", r.begin_ms);
  f.field("end_ms", r.end_ms);
  f.field("prefill_tokens", r.prefill_tokens);
  f.field("decode_tokens", r.decode_tokens);
  f.optional("sequences", r.sequences);
  f.optional("kv_tokens_read", r.kv_tokens_read);
  f.optional("activated_experts", r.activated_experts);
  f.optional("weight_bytes_read", r.weight_bytes_read);
  f.optional("flops", r.flops);
}

}  // namespace moebench::record_fields
