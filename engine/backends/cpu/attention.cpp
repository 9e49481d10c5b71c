#include "engine/backends/cpu/attention.h"

#include <algorithm>
#include <cstring>

namespace moebench::cpu {
namespace {

const std::int32_t* ints(const Tensor& t) noexcept {
  return static_cast<const std::int32_t*>(t.data);
}

// Rows of a prefill that one chunk of cache_write copies.
constexpr std::int64_t kRowsPerChunk = 32;

}  // namespace

void AttentionRunner::write(const KvLayer& cache, const Tensor& keys, const Tensor& values,
                            const AttentionBatch& batch) {
  const std::int32_t* const positions = ints(batch.positions);
  const std::int32_t* const sequences = ints(batch.sequence_of_row);
  const auto copy = [&](const Tensor& to, const Tensor& from, std::int64_t row) noexcept {
    const std::int64_t position = positions[row];
    const std::int64_t page =
        batch.block_table.row<std::int32_t>(sequences[row])[position / KvLayer::kBlockTokens];
    const std::int64_t at = page * to.strides[0] + position % KvLayer::kBlockTokens * to.strides[1];
    const std::int64_t width = to.shape[3];
    for (std::int64_t h = 0; h < to.shape[2]; ++h) {
      const float* const x = from.row<float>(row) + h * from.strides[1];
      const std::int64_t offset = at + h * to.strides[2];
      if (to.dtype == DType::kF16)
        kernels_.to_half(static_cast<std::uint16_t*>(to.data) + offset, x, width);
      else
        std::memcpy(static_cast<float*>(to.data) + offset, x,
                    static_cast<std::size_t>(width) * sizeof(float));
    }
  };
  const auto rows = [&](std::int64_t begin, std::int64_t end) noexcept {
    for (std::int64_t r = begin; r < end; ++r) {
      copy(cache.keys, keys, r);
      if (cache.values.data != nullptr) copy(cache.values, values, r);
    }
  };
  if (batch.n_tokens <= kRowsPerChunk) return rows(0, batch.n_tokens);
  pool_.run((batch.n_tokens + kRowsPerChunk - 1) / kRowsPerChunk,
            [&](std::int64_t chunk, int) noexcept {
              rows(chunk * kRowsPerChunk, std::min(batch.n_tokens, (chunk + 1) * kRowsPerChunk));
            });
}

void AttentionRunner::run(const Tensor& out, const Tensor& q, const KvLayer& cache,
                          const AttentionBatch& batch, const AttentionOptions& options) {
  if (batch.n_tokens == 0) return;
  const std::int64_t kv_heads = cache.keys.shape[2], per_kv = q.shape[1] / kv_heads;
  MOEBENCH_CHECK(q.shape[1] % kv_heads == 0 && q.shape[2] == cache.keys.shape[3]);
  const Tensor& values = cache.values.data != nullptr ? cache.values : cache.keys;
  const std::int32_t* const begins = ints(batch.query_begin);
  const std::int32_t* const positions = ints(batch.positions);

  // Few vectors in all: smaller tasks, so that every thread gets one.
  const std::int64_t vectors = batch.n_tokens * q.shape[1];
  std::int64_t per_task = AttentionTask::kMaxQueries;
  while (per_task > 1 && vectors / per_task < 2 * pool_.threads()) per_task /= 2;
  tasks_.clear();
  for (std::int64_t s = 0; s < batch.n_sequences; ++s)
    for (std::int64_t h = 0; h < kv_heads; ++h) {
      const std::int64_t n = (begins[s + 1] - begins[s]) * per_kv;
      for (std::int64_t v = 0; v < n; v += per_task)
        tasks_.push_back({static_cast<std::int32_t>(s), static_cast<std::int32_t>(h),
                          static_cast<std::int32_t>(v),
                          static_cast<std::int32_t>(std::min(per_task, n - v))});
    }
  const std::int64_t room = (attention_scratch_floats(cache.value_width) + 63) / 64 * 64;
  float* const scratch = scratch_.at_least(room * pool_.threads());

  pool_.run(static_cast<std::int64_t>(tasks_.size()), [&](std::int64_t i, int thread) noexcept {
    // The longest tasks are a sequence's last rows: they start first.
    const Task& task = tasks_[tasks_.size() - 1 - static_cast<std::size_t>(i)];
    AttentionTask a;
    a.count = task.count;
    const std::int64_t window = options.sliding_window_tokens;
    for (int v = 0; v < task.count; ++v) {
      const std::int64_t vector = task.first_vector + v;
      const std::int64_t row = begins[task.sequence] + vector / per_kv;
      const std::int64_t head = task.kv_head * per_kv + vector % per_kv;
      a.queries[v] = q.row<float>(row) + head * q.strides[1];
      a.outputs[v] = out.row<float>(row) + head * out.strides[1];
      a.last[v] = positions[row];
      a.first[v] = window > 0 ? std::max<std::int64_t>(0, a.last[v] - window + 1) : 0;
    }
    a.pages = batch.block_table.row<std::int32_t>(task.sequence);
    a.half = cache.keys.dtype == DType::kF16;
    const std::int64_t element = a.half ? 2 : 4;
    a.keys = static_cast<const std::byte*>(cache.keys.data) +
             task.kv_head * cache.keys.strides[2] * element;
    a.values =
        static_cast<const std::byte*>(values.data) + task.kv_head * values.strides[2] * element;
    a.key_page_stride = cache.keys.strides[0];
    a.key_token_stride = cache.keys.strides[1];
    a.value_page_stride = values.strides[0];
    a.value_token_stride = values.strides[1];
    a.key_width = q.shape[2];
    a.value_width = cache.value_width;
    a.scale = options.scale;
    a.scratch = scratch + thread * room;
    kernels_.attention(a);
  });
}

}  // namespace moebench::cpu
