#include "engine/runtime/scheduler.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace moebench {
namespace {

constexpr std::int64_t kBlock = PagePool::kBlockTokens;

std::unique_ptr<Sequence> sequence_of(std::uint64_t serial, std::int64_t prompt_tokens,
                                      std::int32_t first_token) {
  auto s = std::make_unique<Sequence>();
  s->serial = s->request_id = serial;
  s->tokens.resize(static_cast<std::size_t>(prompt_tokens));
  std::iota(s->tokens.begin(), s->tokens.end(), first_token);
  s->prompt_tokens = prompt_tokens;
  return s;
}

/// Plans a step, pretends to compute it, and appends a token to every sequence at its end.
Batch run_step(Scheduler& scheduler) {
  Batch batch;
  scheduler.plan(batch);
  scheduler.commit(batch);
  for (Sequence* s : batch.sequences)
    if (s->pending_tokens() == 0) s->tokens.push_back(7);
  return batch;
}

TEST(Scheduler, CutsALongPromptIntoChunksAndDecodesBesideIt) {
  PagePool pool(64, true, 64);
  Scheduler scheduler(pool, {4, 64});
  scheduler.add(sequence_of(0, 10, 0));
  EXPECT_EQ(run_step(scheduler).n_tokens, 10);
  scheduler.add(sequence_of(1, 150, 1000));
  const Batch second = run_step(scheduler);
  EXPECT_EQ(second.n_tokens, 64);
  EXPECT_EQ(second.decode_tokens, 1) << "the running sequence goes on beside the prompt";
  EXPECT_EQ(run_step(scheduler).n_tokens, 64);
  EXPECT_EQ(run_step(scheduler).n_tokens, 1 + 150 - 2 * 63);
  EXPECT_EQ(run_step(scheduler).decode_tokens, 2);
}

TEST(Scheduler, TakesNoMoreSequencesThanAllowed) {
  PagePool pool(64, true, 64);
  Scheduler scheduler(pool, {2, 64});
  for (std::uint64_t i = 0; i < 3; ++i)
    scheduler.add(sequence_of(i, 5, static_cast<std::int32_t>(i) * 1000));
  EXPECT_EQ(run_step(scheduler).sequences.size(), 2u);
  EXPECT_EQ(scheduler.n_waiting(), 1);
  scheduler.remove(*scheduler.find(0));
  EXPECT_EQ(run_step(scheduler).sequences.size(), 2u);
  EXPECT_EQ(scheduler.n_waiting(), 0);
}

TEST(Scheduler, EqualPromptsThatArriveTogetherAreComputedOnce) {
  PagePool pool(64, true, 64);
  Scheduler scheduler(pool, {8, 512});
  const std::int64_t prompt = 3 * kBlock + 5;
  for (std::uint64_t i = 0; i < 8; ++i) scheduler.add(sequence_of(i, prompt, 0));
  EXPECT_EQ(run_step(scheduler).n_tokens, prompt) << "one computes, seven wait";
  const Batch second = run_step(scheduler);
  EXPECT_EQ(second.sequences.size(), 8u);
  EXPECT_EQ(second.n_tokens, 1 + 7 * 5) << "the others compute what no page holds in full";
  EXPECT_EQ(scheduler.find(3)->cached_tokens, 3 * kBlock);
}

TEST(Scheduler, APromptThatIsAllCachedStillComputesItsLastToken) {
  PagePool pool(64, true, 64);
  Scheduler scheduler(pool, {8, 512});
  scheduler.add(sequence_of(0, 2 * kBlock, 0));
  run_step(scheduler);
  scheduler.add(sequence_of(1, 2 * kBlock, 0));
  EXPECT_EQ(run_step(scheduler).n_tokens, 1 + kBlock);
}

TEST(Scheduler, OtherPromptsPassOneThatWaitsForItsPrefix) {
  PagePool pool(64, true, 64);
  Scheduler scheduler(pool, {8, 3 * kBlock});
  scheduler.add(sequence_of(0, 5 * kBlock, 0));
  scheduler.add(sequence_of(1, 5 * kBlock, 0));
  EXPECT_EQ(run_step(scheduler).sequences.size(), 1u);
  scheduler.add(sequence_of(2, 10, 5000));
  const Batch second = run_step(scheduler);
  ASSERT_EQ(second.sequences.size(), 2u);
  EXPECT_EQ(second.sequences[1]->serial, 2u);
}

TEST(Scheduler, WhoWaitsForAPrefixComputesItWhenTheOtherIsCancelled) {
  PagePool pool(64, true, 64);
  Scheduler scheduler(pool, {8, 64});
  scheduler.add(sequence_of(0, 4 * kBlock, 0));
  scheduler.add(sequence_of(1, 4 * kBlock, 0));
  run_step(scheduler);
  scheduler.remove(*scheduler.find(0));
  const Batch batch = run_step(scheduler);
  ASSERT_EQ(batch.sequences.size(), 1u);
  EXPECT_EQ(batch.sequences[0]->serial, 1u);
  EXPECT_EQ(batch.sequences[0]->cached_tokens, 2 * kBlock) << "what was ready is kept";
}

TEST(Scheduler, TheYoungestYieldsItsPagesAndComesBackWithItsTokens) {
  PagePool pool(4, true, 4);
  Scheduler scheduler(pool, {4, 64});
  scheduler.add(sequence_of(0, kBlock - 2, 0));
  run_step(scheduler);
  scheduler.add(sequence_of(1, kBlock - 2, 1000));
  run_step(scheduler);
  // Both grow past their pages until four are not enough for two.
  for (std::int64_t i = 0; i < 2 * kBlock; ++i) run_step(scheduler);
  EXPECT_EQ(scheduler.n_preemptions(), 1);
  EXPECT_EQ(scheduler.n_running(), 1);
  const Sequence* first = scheduler.find(0);
  const Sequence* second = scheduler.find(1);
  EXPECT_EQ(second->computed_tokens, 0);
  EXPECT_GT(second->n_tokens(), second->prompt_tokens) << "its tokens stay";
  EXPECT_GT(first->n_tokens(), 2 * kBlock);
  scheduler.remove(*scheduler.find(0));
  const std::int64_t tokens = scheduler.find(1)->n_tokens();
  EXPECT_EQ(run_step(scheduler).n_tokens, tokens) << "prompt and output are computed again";
}

TEST(Scheduler, ManyMoreRequestsThanPagesAllEnd) {
  PagePool pool(6, true, 6);
  Scheduler scheduler(pool, {16, 64});
  for (std::uint64_t i = 0; i < 20; ++i)
    scheduler.add(
        sequence_of(i, 20 + static_cast<std::int64_t>(i), static_cast<std::int32_t>(i) * 100));
  int ended = 0, steps = 0;
  std::vector<std::uint64_t> order;
  while (ended < 20) {
    ASSERT_LT(++steps, 20000) << "no progress";
    const Batch batch = run_step(scheduler);
    for (Sequence* s : batch.sequences) {
      if (s->n_tokens() < s->prompt_tokens + 100) continue;
      order.push_back(s->serial);
      scheduler.remove(*s);
      ++ended;
    }
  }
  EXPECT_EQ(order.front(), 0u) << "the oldest is never sent back";
  EXPECT_EQ(pool.available_pages(), 6) << "every page came back";
}

}  // namespace
}  // namespace moebench
