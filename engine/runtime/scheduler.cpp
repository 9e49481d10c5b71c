#include "engine/runtime/scheduler.h"

#include <algorithm>

#include "engine/base/check.h"

namespace moebench {
namespace {

constexpr std::int64_t kBlockTokens = PagePool::kBlockTokens;

std::int64_t blocks(std::int64_t tokens) noexcept {
  return (tokens + kBlockTokens - 1) / kBlockTokens;
}

bool is_decoding(const Sequence& sequence) noexcept {
  return sequence.pending_tokens() == 1 && sequence.n_tokens() > sequence.prompt_tokens;
}

/// How many pending rows a sequence may compute, taken from what is left.
std::int64_t take_rows(const Sequence& sequence, std::int64_t& rows_left,
                       std::int64_t& logit_rows_left) noexcept {
  std::int64_t rows = std::min(rows_left, sequence.pending_tokens());
  if (sequence.wants_prompt_logprobs) {
    rows = std::min(rows, logit_rows_left);
    logit_rows_left -= rows;
  }
  rows_left -= rows;
  return rows;
}

}  // namespace

Scheduler::Scheduler(PagePool& pool, const SchedulerLimits& limits) : pool_(pool), limits_(limits) {
  MOEBENCH_CHECK(limits.max_sequences > 0 && limits.max_step_tokens >= limits.max_sequences);
}

void Scheduler::insert(Queue& queue, std::unique_ptr<Sequence> sequence) {
  const auto place =
      std::upper_bound(queue.begin(), queue.end(), sequence->serial,
                       [](std::uint64_t serial, const auto& s) { return serial < s->serial; });
  queue.insert(place, std::move(sequence));
}

void Scheduler::add(std::unique_ptr<Sequence> sequence) { insert(waiting_, std::move(sequence)); }

void Scheduler::plan(Batch& batch) {
  batch.sequences.clear();
  batch.n_tokens = batch.decode_tokens = 0;
  make_room();

  std::int64_t rows_left = limits_.max_step_tokens;
  std::int64_t logit_rows_left = SchedulerLimits::kMaxPromptLogitRows;
  for (const auto& sequence : running_) {
    sequence->step_rows = is_decoding(*sequence) ? 1 : 0;
    rows_left -= sequence->step_rows;
  }
  for (const auto& sequence : running_) {
    if (sequence->step_rows > 0) continue;
    sequence->step_rows = take_rows(*sequence, rows_left, logit_rows_left);
  }
  admit(rows_left, logit_rows_left);

  for (const auto& sequence : running_) {
    if (sequence->step_rows == 0) continue;
    batch.sequences.push_back(sequence.get());
    batch.n_tokens += sequence->step_rows;
    if (is_decoding(*sequence)) ++batch.decode_tokens;
  }
  MOEBENCH_CHECK(batch.n_tokens > 0 || (running_.empty() && waiting_.empty()));
}

/// Every running sequence gets the pages for its pending tokens; the youngest ones yield to that.
void Scheduler::make_room() {
  for (std::size_t i = 0; i < running_.size(); ++i)
    while (i < running_.size() && !extend_pages(*running_[i])) preempt_youngest();
}

bool Scheduler::extend_pages(Sequence& sequence) {
  const std::int64_t wanted = blocks(sequence.n_tokens());
  while (static_cast<std::int64_t>(sequence.pages.size()) < wanted) {
    const auto page = pool_.allocate();
    if (!page) return false;
    sequence.pages.push_back(*page);
  }
  return true;
}

void Scheduler::preempt_youngest() {
  MOEBENCH_CHECK(running_.size() > 1);  // one alone fits, by add()'s precondition
  std::unique_ptr<Sequence> youngest = std::move(running_.back());
  running_.pop_back();
  give_back_pages(*youngest);
  insert(waiting_, std::move(youngest));
  ++n_preemptions_;
}

void Scheduler::give_back_pages(Sequence& sequence) {
  // The deepest block first: it becomes the first to be reused.
  for (std::size_t i = sequence.pages.size(); i-- > 0;) pool_.release(sequence.pages[i]);
  sequence.pages.clear();
  sequence.computed_tokens = 0;
  sequence.ready_blocks = 0;
  sequence.step_rows = 0;
}

void Scheduler::admit(std::int64_t rows_left, std::int64_t logit_rows_left) {
  std::size_t next = 0;
  while (next < waiting_.size() && rows_left > 0 && n_running() < limits_.max_sequences) {
    Sequence& sequence = *waiting_[next];
    // The last token is always computed: its logits are what the sequence is here for. So are all
    // of them where the prompt's log-probabilities are wanted.
    const std::int64_t shareable =
        sequence.wants_prompt_logprobs
            ? 0
            : std::min(sequence.prompt_tokens, sequence.n_tokens() - 1) / kBlockTokens;
    const PagePool::Match match = pool_.find(sequence.tokens, shareable);
    if (match.pending) {
      ++next;
      continue;
    }
    const std::int64_t known = static_cast<std::int64_t>(match.pages.size());
    const std::int64_t wanted = blocks(sequence.n_tokens()) - known;
    // One page to grow for each one that runs, so that a newcomer isn't sent back at once.
    if (wanted + n_running() > pool_.available_pages() - match.idle_pages) return;

    for (const std::int32_t page : match.pages) pool_.reference(page);
    sequence.pages = match.pages;
    sequence.computed_tokens = known * kBlockTokens;
    sequence.ready_blocks = known;
    if (sequence.cached_tokens < 0) sequence.cached_tokens = sequence.computed_tokens;
    MOEBENCH_CHECK(extend_pages(sequence));
    PagePool::NodeId node = match.node;
    for (std::int64_t block = known; (block + 1) * kBlockTokens <= sequence.prompt_tokens;
         ++block) {
      const auto entered = pool_.enter(node,
                                       std::span(sequence.tokens)
                                           .subspan(static_cast<std::size_t>(block * kBlockTokens),
                                                    static_cast<std::size_t>(kBlockTokens)),
                                       sequence.pages[static_cast<std::size_t>(block)]);
      if (!entered) break;
      node = *entered;
    }
    sequence.step_rows = take_rows(sequence, rows_left, logit_rows_left);
    std::unique_ptr<Sequence> admitted = std::move(waiting_[next]);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(next));
    insert(running_, std::move(admitted));
  }
}

void Scheduler::commit(const Batch& batch) {
  for (Sequence* sequence : batch.sequences) {
    sequence->computed_tokens += sequence->step_rows;
    const std::int64_t ready =
        std::min(sequence->computed_tokens, sequence->prompt_tokens) / kBlockTokens;
    for (; sequence->ready_blocks < ready; ++sequence->ready_blocks)
      pool_.mark_ready(sequence->pages[static_cast<std::size_t>(sequence->ready_blocks)]);
  }
}

std::unique_ptr<Sequence> Scheduler::remove(Sequence& sequence) {
  for (Queue* queue : {&running_, &waiting_}) {
    const auto place = std::find_if(queue->begin(), queue->end(),
                                    [&](const auto& s) { return s.get() == &sequence; });
    if (place == queue->end()) continue;
    std::unique_ptr<Sequence> removed = std::move(*place);
    queue->erase(place);
    give_back_pages(*removed);
    return removed;
  }
  MOEBENCH_CHECK(false);
  return nullptr;
}

Sequence* Scheduler::find(std::uint64_t request_id) noexcept {
  for (const Queue* queue : {&running_, &waiting_})
    for (const auto& sequence : *queue)
      if (sequence->request_id == request_id) return sequence.get();
  return nullptr;
}

}  // namespace moebench
