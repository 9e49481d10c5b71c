#include "engine/runtime/page_pool.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace moebench {
namespace {

constexpr std::int64_t kBlock = PagePool::kBlockTokens;

std::vector<std::int32_t> prompt_of(std::int64_t blocks, std::int32_t first) {
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(blocks * kBlock));
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

/// Allocates, enters and (if asked) computes all blocks of a prompt.
std::vector<std::int32_t> fill(PagePool& pool, const std::vector<std::int32_t>& tokens,
                               bool ready = true) {
  std::vector<std::int32_t> pages;
  PagePool::NodeId node = PagePool::kRoot;
  for (std::size_t begin = 0; begin < tokens.size(); begin += kBlock) {
    const auto page = pool.allocate();
    EXPECT_TRUE(page);
    pages.push_back(*page);
    const auto entered =
        pool.enter(node, std::span(tokens).subspan(begin, static_cast<std::size_t>(kBlock)), *page);
    EXPECT_TRUE(entered);
    node = *entered;
    if (ready) pool.mark_ready(*page);
  }
  return pages;
}

void release(PagePool& pool, const std::vector<std::int32_t>& pages) {
  for (std::size_t i = pages.size(); i-- > 0;) pool.release(pages[i]);
}

TEST(PagePool, GivesEachPageOnceAndThenNone) {
  PagePool pool(3, true, 3);
  std::vector<bool> seen(3);
  for (int i = 0; i < 3; ++i) {
    const auto page = pool.allocate();
    ASSERT_TRUE(page);
    EXPECT_FALSE(seen[static_cast<std::size_t>(*page)]);
    seen[static_cast<std::size_t>(*page)] = true;
  }
  EXPECT_FALSE(pool.allocate());
  EXPECT_EQ(pool.available_pages(), 0);
}

TEST(PagePool, FindsTheLongestReadyPrefix) {
  PagePool pool(8, true, 8);
  const auto tokens = prompt_of(3, 0);
  const auto pages = fill(pool, tokens);
  auto other = tokens;
  other[static_cast<std::size_t>(2 * kBlock + 5)] = -1;  // differs in the third block
  const auto match = pool.find(other, 3);
  EXPECT_EQ(match.pages, (std::vector<std::int32_t>{pages[0], pages[1]}));
  EXPECT_FALSE(match.pending);
  EXPECT_EQ(pool.find(tokens, 1).pages.size(), 1u) << "no more blocks than asked for";
}

TEST(PagePool, EqualBlocksBehindDifferentPrefixesAreDifferent) {
  PagePool pool(8, true, 8);
  auto first = prompt_of(2, 0), second = prompt_of(2, 0);
  second[0] = -7;
  fill(pool, first);
  EXPECT_TRUE(pool.find(second, 2).pages.empty());
}

TEST(PagePool, APageBeingComputedIsPendingUntilItIsReady) {
  PagePool pool(8, true, 8);
  const auto tokens = prompt_of(2, 0);
  const auto pages = fill(pool, tokens, false);
  EXPECT_TRUE(pool.find(tokens, 2).pending);
  pool.mark_ready(pages[0]);
  const auto match = pool.find(tokens, 2);
  EXPECT_EQ(match.pages.size(), 1u);
  EXPECT_TRUE(match.pending);
  EXPECT_FALSE(pool.find(tokens, 1).pending) << "beyond what is wanted nothing needs waiting for";
}

TEST(PagePool, APageReleasedBeforeItWasReadyIsForgotten) {
  PagePool pool(2, true, 2);
  const auto tokens = prompt_of(2, 0);
  release(pool, fill(pool, tokens, false));
  const auto match = pool.find(tokens, 2);
  EXPECT_TRUE(match.pages.empty());
  EXPECT_FALSE(match.pending);
  EXPECT_EQ(pool.available_pages(), 2);
}

TEST(PagePool, ReleasedPagesAreFoundAgainUntilTheyAreNeeded) {
  PagePool pool(4, true, 4);
  const auto tokens = prompt_of(2, 0);
  release(pool, fill(pool, tokens));
  const auto match = pool.find(tokens, 2);
  ASSERT_EQ(match.pages.size(), 2u);
  EXPECT_EQ(match.idle_pages, 2);
  EXPECT_EQ(pool.available_pages(), 4);
  pool.reference(match.pages[0]);
  pool.reference(match.pages[1]);
  EXPECT_EQ(pool.available_pages(), 2) << "referenced pages can't be given to others";
}

TEST(PagePool, TheLongestUnusedGoesFirstAndTheDeepestBlockBeforeItsParent) {
  PagePool pool(4, true, 4);
  const auto old_prompt = prompt_of(2, 0), new_prompt = prompt_of(2, 5000);
  release(pool, fill(pool, old_prompt));
  release(pool, fill(pool, new_prompt));
  ASSERT_TRUE(pool.allocate());
  EXPECT_EQ(pool.find(old_prompt, 2).pages.size(), 1u) << "the second block went, not the first";
  ASSERT_TRUE(pool.allocate());
  EXPECT_TRUE(pool.find(old_prompt, 2).pages.empty());
  EXPECT_EQ(pool.find(new_prompt, 2).pages.size(), 2u);
}

TEST(PagePool, NoMoreIdlePagesAreKeptThanAllowed) {
  PagePool pool(8, true, 1);
  const auto tokens = prompt_of(3, 0);
  release(pool, fill(pool, tokens));
  EXPECT_EQ(pool.find(tokens, 3).pages.size(), 1u);
  EXPECT_EQ(pool.available_pages(), 8);
}

TEST(PagePool, ASharedPageOutlivesItsFirstUser) {
  PagePool pool(2, true, 2);
  const auto tokens = prompt_of(1, 0);
  const auto pages = fill(pool, tokens);
  pool.reference(pages[0]);
  pool.release(pages[0]);
  EXPECT_EQ(pool.available_pages(), 1);
  pool.release(pages[0]);
  EXPECT_EQ(pool.available_pages(), 2);
}

TEST(PagePool, SharingOffFindsNothing) {
  PagePool pool(2, false, 2);
  const auto tokens = prompt_of(1, 0);
  const auto page = pool.allocate();
  EXPECT_FALSE(pool.enter(PagePool::kRoot, tokens, *page));
  pool.mark_ready(*page);
  pool.release(*page);
  EXPECT_TRUE(pool.find(tokens, 1).pages.empty());
  EXPECT_EQ(pool.available_pages(), 2);
}

}  // namespace
}  // namespace moebench
