#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/runtime/page_pool.h"
#include "engine/runtime/sequence.h"

namespace moebench {

struct SchedulerLimits {
  std::int64_t max_sequences = 0;    ///< decoded together
  std::int64_t max_step_tokens = 0;  ///< rows of a step; at least max_sequences
  /// Prompt rows of a step that get logits, over all sequences that want their prompt's logprobs:
  /// a row of logits takes vocab * 4 bytes.
  static constexpr std::int64_t kMaxPromptLogitRows = 64;
};

/// One step: which sequences compute how many of their pending tokens (Sequence::step_rows). The
/// last row of a sequence gets logits when it reaches the sequence's end.
struct Batch {
  std::vector<Sequence*> sequences;  ///< in order of arrival
  std::int64_t n_tokens = 0;
  std::int64_t decode_tokens = 0;  ///< rows that continue a generation; the others are prefill
};

/// Decides what each step computes: decoding sequences first, then chunks of prompts, both in order
/// of arrival, then new sequences while rows, places and pages are left. A sequence whose prefix
/// another one is computing waits for it. When pages run out, the youngest sequence gives its own
/// back and computes them again later (its tokens, and so its results, stay as they are). The
/// oldest sequence always goes on, so every request ends. Not thread-safe.
class Scheduler {
 public:
  Scheduler(PagePool& pool, const SchedulerLimits& limits);

  /// Precondition: the sequence and what it may generate fit into the pool.
  void add(std::unique_ptr<Sequence> sequence);
  /// The next step; empty only when there are no sequences.
  void plan(Batch& batch);
  /// The planned rows were computed; call before tokens are appended.
  void commit(const Batch& batch);
  /// Takes a sequence out, finished or not, and gives its pages back.
  std::unique_ptr<Sequence> remove(Sequence& sequence);
  Sequence* find(std::uint64_t request_id) noexcept;

  std::int64_t n_running() const noexcept { return static_cast<std::int64_t>(running_.size()); }
  std::int64_t n_waiting() const noexcept { return static_cast<std::int64_t>(waiting_.size()); }
  std::int64_t n_preemptions() const noexcept { return n_preemptions_; }

 private:
  using Queue = std::vector<std::unique_ptr<Sequence>>;  // ordered by serial

  static void insert(Queue& queue, std::unique_ptr<Sequence> sequence);
  bool extend_pages(Sequence& sequence);
  void make_room();
  void admit(std::int64_t rows_left, std::int64_t logit_rows_left);
  void preempt_youngest();
  void give_back_pages(Sequence& sequence);

  PagePool& pool_;
  SchedulerLimits limits_;
  Queue running_, waiting_;
  std::int64_t n_preemptions_ = 0;
};

}  // namespace moebench
