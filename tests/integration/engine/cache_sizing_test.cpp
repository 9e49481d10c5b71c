#include "engine/cache_sizing.h"

#include <gtest/gtest.h>

#include "engine/base/error.h"

namespace moebench {
namespace {

constexpr std::int64_t kBytesPerToken = 100, kPlenty = std::int64_t{1} << 40;

ModelConfig model_of(std::int64_t max_positions) {
  ModelConfig config;
  config.max_positions = max_positions;
  return config;
}

EngineOptions options_of(std::int64_t batch, std::int64_t context) {
  EngineOptions options;
  options.max_batch_sequences = batch;
  options.max_context_tokens = context;
  return options;
}

TEST(CacheSizing, HoldsTheWholeBatchAtTheModelsContext) {
  const CacheSize size =
      choose_cache_size(options_of(4, 0), model_of(100), kBytesPerToken, kPlenty);
  EXPECT_EQ(size.n_pages, 4 * 4) << "100 tokens need four pages of 32";
  EXPECT_EQ(size.max_context_tokens, 100);
}

TEST(CacheSizing, LeavesHalfOfTheMemoryWhenItIsScarce) {
  const CacheSize size = choose_cache_size(options_of(32, 0), model_of(3200), kBytesPerToken,
                                           200 * 32 * kBytesPerToken);
  EXPECT_EQ(size.n_pages, 100);
  EXPECT_EQ(size.max_context_tokens, 3200);
}

TEST(CacheSizing, CutsAContextThatNobodyAskedForToTheMemory) {
  const CacheSize size = choose_cache_size(options_of(32, 0), model_of(1 << 20), kBytesPerToken,
                                           20 * 32 * kBytesPerToken);
  EXPECT_EQ(size.n_pages, 10);
  EXPECT_EQ(size.max_context_tokens, 320);
}

TEST(CacheSizing, OneLongSequenceMayTakeAllThatIsLeft) {
  const CacheSize size = choose_cache_size(options_of(1, 600), model_of(1000), kBytesPerToken,
                                           20 * 32 * kBytesPerToken);
  EXPECT_EQ(size.n_pages, 19);
  EXPECT_EQ(size.max_context_tokens, 600);
}

TEST(CacheSizing, SaysNoWithTheFiguresToWhatDoesNotFit) {
  const auto refused = [](EngineOptions options, std::int64_t available) {
    try {
      (void)choose_cache_size(options, model_of(1000), kBytesPerToken, available);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;
  };
  EXPECT_EQ(refused(options_of(1, 1000), 31 * 32 * kBytesPerToken), ErrorCode::kDevice);
  EXPECT_EQ(refused(options_of(1, 1001), kPlenty), ErrorCode::kUsage);
  EngineOptions options = options_of(1, 0);
  options.kv_cache_bytes = 5000;
  EXPECT_EQ(refused(options, 4999), ErrorCode::kDevice) << "more than there is";
  options.kv_cache_bytes = 32 * kBytesPerToken - 1;
  EXPECT_EQ(refused(options, kPlenty), ErrorCode::kDevice) << "not one page";
}

}  // namespace
}  // namespace moebench
