#include "engine/runtime/step_loop.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "engine/base/check.h"
#include "engine/runtime/logprobs.h"
#include "engine/runtime/random.h"

namespace moebench {
namespace {

/// Unreferenced prompt pages that are kept for later requests: enough for any few-shot preamble,
/// little enough that a long run doesn't fill the cache's memory with questions nobody asks again.
constexpr std::int64_t kMaxIdleTokens = 65536;

/// Whoever waits for events is woken at once when a request ends, and else at most this often: with
/// a small model, a wake-up each step would take the cores from the step. Events carry their times.
constexpr std::chrono::milliseconds kWakeInterval{4};

std::int64_t blocks(std::int64_t tokens) noexcept {
  return (tokens + KvLayer::kBlockTokens - 1) / KvLayer::kBlockTokens;
}

}  // namespace

struct StepLoop::Rows {
  std::vector<std::int32_t> token_ids, positions, sequence_of_row, query_begin, context_tokens;
  std::vector<std::int32_t> block_table, logit_rows;
  std::vector<SampleRow> sample_rows;  // one a logit row
  std::vector<Sequence*> sampled;      // whose logit rows these are
  std::vector<Sequence*> scored;       // whose prompt rows' logits follow those
  std::vector<std::int32_t> scored_rows;
  std::vector<std::int32_t> new_tokens;  // what was drawn, one a logit row
  std::int64_t context_tokens_read = 0;  // summed over rows

  explicit Rows(const ForwardLimits& limits) {
    for (auto* v : {&token_ids, &positions, &sequence_of_row})
      v->reserve(static_cast<std::size_t>(limits.max_tokens));
    for (auto* v : {&query_begin, &context_tokens, &logit_rows, &new_tokens})
      v->reserve(static_cast<std::size_t>(limits.max_sequences + 1));
    block_table.reserve(static_cast<std::size_t>(limits.max_sequences * limits.max_blocks));
    sample_rows.reserve(static_cast<std::size_t>(limits.max_sequences));
    sampled.reserve(static_cast<std::size_t>(limits.max_sequences));
  }
  void clear() noexcept {
    for (auto* v : {&token_ids, &positions, &sequence_of_row, &query_begin, &context_tokens,
                    &block_table, &logit_rows, &new_tokens})
      v->clear();
    sample_rows.clear();
    sampled.clear();
    scored.clear();
    scored_rows.clear();
    context_tokens_read = 0;
  }
};

StepLoop::StepLoop(const ModelConfig& config, const Weights& weights, Backend& backend,
                   const StepLoopSettings& settings)
    : config_(config),
      backend_(backend),
      max_blocks_(blocks(settings.max_context_tokens)),
      pool_(settings.n_pages, settings.prefix_cache, kMaxIdleTokens / KvLayer::kBlockTokens),
      scheduler_(pool_, settings.limits),
      cache_(config, backend, settings.kv_type, settings.n_pages),
      forward_(config, weights, backend,
               {settings.limits.max_step_tokens, settings.limits.max_sequences, max_blocks_,
                settings.limits.max_sequences + SchedulerLimits::kMaxPromptLogitRows}),
      costs_(config, weights),
      sampled_(backend.allocate(static_cast<std::size_t>(settings.limits.max_sequences) *
                                sizeof(std::int32_t))),
      rows_(std::make_unique<Rows>(ForwardLimits{settings.limits.max_step_tokens,
                                                 settings.limits.max_sequences, max_blocks_,
                                                 settings.limits.max_sequences})) {
  MOEBENCH_CHECK(max_blocks_ <= settings.n_pages);
  const Shape& shape = forward_.expert_counts().shape;
  activated_.resize(static_cast<std::size_t>(shape[0]));
  counts_.resize(static_cast<std::size_t>(shape.elements()));
  new_counts_ = published_counts_ = counts_;
  logits_row_.resize(static_cast<std::size_t>(config.vocab));
  thread_ = std::thread([this] { run(); });
}

StepLoop::~StepLoop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_arrived_.notify_all();
  thread_.join();
}

void StepLoop::submit(std::unique_ptr<Sequence> sequence) {
  MOEBENCH_CHECK(sequence->prompt_tokens >= 1 && blocks(sequence->prompt_tokens) <= max_blocks_);
  {
    const std::lock_guard lock(mutex_);
    sequence->serial = next_serial_++;
    inbox_.push_back(std::move(sequence));
  }
  work_arrived_.notify_one();
}

void StepLoop::reject(GenerationEvent event) {
  std::vector<GenerationEvent> events;
  events.push_back(std::move(event));
  publish(std::move(events));
}

void StepLoop::cancel(std::uint64_t request_id) {
  {
    const std::lock_guard lock(mutex_);
    cancelled_.push_back(request_id);
  }
  work_arrived_.notify_one();
}

std::vector<GenerationEvent> StepLoop::next_events(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  events_arrived_.wait_for(lock, timeout, [this] { return !outbox_.empty() || failure_; });
  if (outbox_.empty() && failure_) std::rethrow_exception(failure_);
  return std::exchange(outbox_, {});
}

std::vector<StepRecord> StepLoop::take_step_records() {
  const std::lock_guard lock(mutex_);
  return std::exchange(records_, {});
}

std::vector<std::int64_t> StepLoop::expert_token_counts() {
  const std::lock_guard lock(mutex_);
  return published_counts_;
}

void StepLoop::publish(std::vector<GenerationEvent> events) {
  if (events.empty()) return;
  const auto now = std::chrono::steady_clock::now();
  bool wake = false;
  for (const GenerationEvent& event : events) wake = wake || event.finish != FinishReason::kNone;
  {
    const std::lock_guard lock(mutex_);
    wake = wake || now - last_wake_ >= kWakeInterval;
    if (wake) last_wake_ = now;
    std::move(events.begin(), events.end(), std::back_inserter(outbox_));
  }
  if (wake) events_arrived_.notify_all();
}

void StepLoop::run() {
  try {
    Batch batch;
    while (take_inbox()) {
      scheduler_.plan(batch);
      n_preemptions_ = scheduler_.n_preemptions();
      if (batch.n_tokens > 0) step(batch);
    }
  } catch (...) {
    {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
    }
    events_arrived_.notify_all();
  }
}

/// Takes over what was submitted and cancelled, waiting for something to do. False: the end.
bool StepLoop::take_inbox() {
  std::vector<std::unique_ptr<Sequence>> arrived;
  std::vector<std::uint64_t> cancelled;
  {
    std::unique_lock lock(mutex_);
    work_arrived_.wait(lock, [this] {
      return stop_ || !inbox_.empty() || !cancelled_.empty() || scheduler_.n_running() > 0 ||
             scheduler_.n_waiting() > 0;
    });
    if (stop_) return false;
    arrived.swap(inbox_);
    cancelled.swap(cancelled_);
  }
  for (auto& sequence : arrived) scheduler_.add(std::move(sequence));
  std::vector<GenerationEvent> events;
  for (const std::uint64_t id : cancelled) cancel_now(id, events);
  publish(std::move(events));
  return true;
}

namespace {

void close_event(GenerationEvent& event, const Sequence& sequence, FinishReason reason) {
  event.finish = reason;
  event.usage.prompt_tokens = sequence.prompt_tokens;
  event.usage.cached_tokens = std::max<std::int64_t>(sequence.cached_tokens, 0);
  event.usage.output_tokens = sequence.output->output_tokens();
  event.usage.thinking_tokens = sequence.output->thinking_tokens();
}

}  // namespace

void StepLoop::cancel_now(std::uint64_t request_id, std::vector<GenerationEvent>& events) {
  Sequence* sequence = scheduler_.find(request_id);
  if (sequence == nullptr) return;  // ended meanwhile: its last event is on the way
  GenerationEvent event;
  event.request_id = request_id;
  event.time = std::chrono::steady_clock::now();
  sequence->output->finish();
  event.thinking_delta = sequence->output->take_thinking();
  event.text_delta = sequence->output->take_text();
  close_event(event, *sequence, FinishReason::kCancelled);
  scheduler_.remove(*sequence);
  events.push_back(std::move(event));
}

void StepLoop::fill_rows(const Batch& batch) {
  Rows& r = *rows_;
  r.clear();
  std::int32_t row = 0;
  // The table is as wide as this step needs, rounded up to a power of two: whoever records steps
  // (Forward::run) has a few widths to record, not a new one every page.
  std::size_t n_blocks = 0;
  for (const Sequence* s : batch.sequences) n_blocks = std::max(n_blocks, s->pages.size());
  n_blocks = std::min(std::bit_ceil(n_blocks), static_cast<std::size_t>(max_blocks_));
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    Sequence& s = *batch.sequences[i];
    r.query_begin.push_back(row);
    std::size_t scored_of_sequence = 0;
    for (std::int64_t k = 0; k < s.step_rows; ++k, ++row) {
      const std::int64_t position = s.computed_tokens + k;
      r.token_ids.push_back(s.tokens[static_cast<std::size_t>(position)]);
      r.positions.push_back(static_cast<std::int32_t>(position));
      r.sequence_of_row.push_back(static_cast<std::int32_t>(i));
      r.context_tokens_read += position + 1;
      // A row's logits are about the next token. After a preemption, some are known already.
      const auto known = static_cast<std::int64_t>(s.prompt_logprobs.size() + scored_of_sequence);
      if (s.wants_prompt_logprobs && position == known && position + 1 < s.prompt_tokens) {
        r.scored.push_back(&s);
        r.scored_rows.push_back(row);
        ++scored_of_sequence;
      }
    }
    r.context_tokens.push_back(static_cast<std::int32_t>(s.computed_tokens + s.step_rows));
    r.block_table.insert(r.block_table.end(), s.pages.begin(), s.pages.end());
    r.block_table.resize((i + 1) * n_blocks, 0);
    if (s.computed_tokens + s.step_rows < s.n_tokens()) continue;
    r.logit_rows.push_back(row - 1);
    r.sampled.push_back(&s);
    r.sample_rows.push_back(
        {static_cast<float>(s.sampling.temperature), static_cast<float>(s.sampling.top_p),
         static_cast<std::int32_t>(std::min<std::int64_t>(s.sampling.top_k, config_.vocab)),
         sampling_uniform(s.sampling.seed, s.sampling.sample_index,
                          static_cast<std::uint64_t>(s.n_tokens()))});
  }
  r.query_begin.push_back(row);
  r.logit_rows.insert(r.logit_rows.end(), r.scored_rows.begin(), r.scored_rows.end());
}

void StepLoop::step(const Batch& batch) {
  StepRecord record;
  record.begin = std::chrono::steady_clock::now();
  fill_rows(batch);
  Rows& r = *rows_;
  const Tensor logits = forward_.run({r.token_ids, r.positions, r.sequence_of_row, r.query_begin,
                                      r.context_tokens, r.block_table, r.logit_rows, &stop_},
                                     cache_.layers());
  if (stop_) return;
  const std::int64_t n_logits = static_cast<std::int64_t>(r.logit_rows.size());
  const std::int64_t n_sampled = static_cast<std::int64_t>(r.sampled.size());
  r.new_tokens.resize(r.sampled.size());
  if (n_sampled > 0) {
    backend_.sample(Tensor::contiguous(sampled_->data(), DType::kI32, {n_sampled}),
                    Tensor::contiguous(logits.data, DType::kF32, {n_sampled, logits.shape[1]}),
                    r.sample_rows);
    backend_.download(r.new_tokens.data(), sampled_->data(),
                      r.new_tokens.size() * sizeof(std::int32_t));
  }
  count_experts(record, n_logits > 0);
  backend_.synchronize();
  record.end = std::chrono::steady_clock::now();
  record.decode_tokens = batch.decode_tokens;
  record.prefill_tokens = batch.n_tokens - batch.decode_tokens;
  record.sequences = static_cast<std::int64_t>(batch.sequences.size());
  record.kv_tokens_read = r.context_tokens_read;
  record.flops = costs_.flops(batch.n_tokens, n_logits, r.context_tokens_read);
  scheduler_.commit(batch);

  score_prompts(logits);
  std::vector<GenerationEvent> events;
  events.reserve(r.sampled.size());
  for (std::size_t i = 0; i < r.sampled.size(); ++i) {
    const float* row = nullptr;
    if (r.sampled[i]->top_logprobs > 0) {
      backend_.download(logits_row_.data(), logits.row<float>(static_cast<std::int64_t>(i)),
                        logits_row_.size() * sizeof(float));
      row = logits_row_.data();
    }
    events.push_back(deliver(*r.sampled[i], r.new_tokens[i], row));
    events.back().time = record.end;
    if (events.back().finish != FinishReason::kNone) scheduler_.remove(*r.sampled[i]);
  }
  {
    const std::lock_guard lock(mutex_);
    records_.push_back(record);
    published_counts_ = counts_;
  }
  publish(std::move(events));
}

/// Log-probabilities of prompt tokens from the rows after the sampled ones.
void StepLoop::score_prompts(const Tensor& logits) {
  const Rows& r = *rows_;
  for (std::size_t i = 0; i < r.scored.size(); ++i) {
    Sequence& s = *r.scored[i];
    backend_.download(logits_row_.data(),
                      logits.row<float>(static_cast<std::int64_t>(r.sampled.size() + i)),
                      logits_row_.size() * sizeof(float));
    const std::int32_t token = s.tokens[s.prompt_logprobs.size() + 1];
    s.prompt_logprobs.push_back(token_logprobs({logits_row_.data(), logits_row_.size()}, token,
                                               static_cast<std::size_t>(s.top_logprobs)));
  }
}

GenerationEvent StepLoop::deliver(Sequence& sequence, std::int32_t sampled, const float* logits) {
  GenerationEvent event;
  event.request_id = sequence.request_id;
  if (sampled < 0) {
    sequence.output->finish();
    event.thinking_delta = sequence.output->take_thinking();
    event.text_delta = sequence.output->take_text();
    close_event(event, sequence, FinishReason::kFailed);
    event.failure =
        "the model's logits are not numbers (NaN) at token " + std::to_string(sequence.n_tokens());
    return event;
  }
  if (sequence.wants_prompt_logprobs && sequence.n_tokens() == sequence.prompt_tokens) {
    event.prompt_tokens = sequence.tokens;
    event.prompt_logprobs = std::exchange(sequence.prompt_logprobs, {});
    sequence.wants_prompt_logprobs = false;
  }
  const std::int32_t token = sequence.output->forced_token().value_or(sampled);
  if (logits != nullptr)
    event.logprobs.push_back(token_logprobs({logits, logits_row_.size()}, token,
                                            static_cast<std::size_t>(sequence.top_logprobs)));
  event.tokens.push_back(token);
  sequence.tokens.push_back(token);
  const FinishReason finish = sequence.output->add(token);
  event.thinking_delta = sequence.output->take_thinking();
  event.text_delta = sequence.output->take_text();
  if (finish != FinishReason::kNone) close_event(event, sequence, finish);
  return event;
}

/// Downloads the routing counts and tells from their growth which experts the step touched.
void StepLoop::count_experts(StepRecord& record, bool logits) {
  const Tensor& counts = forward_.expert_counts();
  if (counts.data != nullptr) {
    backend_.download(new_counts_.data(), counts.data, new_counts_.size() * sizeof(std::int64_t));
    const std::size_t n_experts = static_cast<std::size_t>(counts.shape[1]);
    for (std::size_t layer = 0; layer < activated_.size(); ++layer) {
      activated_[layer] = 0;
      for (std::size_t e = layer * n_experts; e < (layer + 1) * n_experts; ++e)
        if (new_counts_[e] != counts_[e]) ++activated_[layer];
      record.activated_experts += activated_[layer];
    }
    counts_.swap(new_counts_);
  }
  record.weight_bytes_read =
      costs_.weight_bytes(static_cast<std::int64_t>(rows_->token_ids.size()), logits, activated_);
}

}  // namespace moebench
