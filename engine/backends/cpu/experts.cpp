#include "engine/backends/cpu/experts.h"

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"

namespace moebench::cpu {
namespace {

// Columns of SwiGLU's output that one task computes: whole blocks of what rounds them, whole
// panels.
constexpr std::int64_t kColumns = 64;
constexpr std::int64_t kWideColumns = 256;
constexpr std::size_t kDownChunkBytes = 32 << 10;

std::int64_t columns_per_task(const PackedExperts& experts) noexcept {
  return activation_kind(experts.down(0).packing) == ActivationKind::kInt8x256 ? kWideColumns
                                                                               : kColumns;
}

/// One packing for all experts: their own where they agree, else F16.
Packing common_packing(std::span<const TensorView> sources) {
  const Packing first = packing_for(sources.front().dtype);
  for (const TensorView& s : sources)
    if (packing_for(s.dtype) != first) return Packing::kF16;
  return first;
}

PanelMatrix describe(Packing packing, const TensorView& source) {
  PanelMatrix m;
  m.packing = packing;
  m.n = source.shape[0];
  m.k = source.shape[1];
  m.stride_bytes = panel_bytes(packing, m.k);
  return m;
}

}  // namespace

PackedExperts::PackedExperts(const ExpertSources& sources, ThreadPool& pool) {
  const auto bad = [](const char* what) { throw Error(ErrorCode::kBadModel, what); };
  if (sources.gate.empty() || sources.up.size() != sources.gate.size() ||
      sources.down.size() != sources.gate.size())
    bad("a layer's experts need as many gate as up and down matrices, at least one each");
  for (const auto& list : {sources.gate, sources.up, sources.down})
    for (const TensorView& s : list) {
      check_source(s, 2);
      if (!(s.shape == list.front().shape)) bad("a layer's experts differ in shape");
    }
  const Shape &g = sources.gate.front().shape, &d = sources.down.front().shape;
  if (!(g == sources.up.front().shape) || g[0] != d[1] || g[1] != d[0])
    bad("an expert's gate, up and down matrices do not fit together");

  count_ = static_cast<std::int64_t>(sources.gate.size());
  Packing gate = common_packing(sources.gate), up = common_packing(sources.up);
  if (gate != up) gate = up = Packing::kF16;
  gate_ = describe(gate, sources.gate.front());
  up_ = gate_;
  down_ = describe(common_packing(sources.down), sources.down.front());
  const std::size_t panel = gate_.stride_bytes;
  gate_.stride_bytes = up_.stride_bytes = 2 * panel;
  up_gate_bytes_ = gate_.stride_bytes * static_cast<std::size_t>(gate_.panels());
  down_bytes_ = down_.stride_bytes * static_cast<std::size_t>(down_.panels());
  bytes_ = (up_gate_bytes_ + down_bytes_) * static_cast<std::size_t>(count_);
  memory_ = WeightMemory::allocate(bytes_);
  std::byte* const up_gate = memory_.get();
  std::byte* const downs = up_gate + up_gate_bytes_ * static_cast<std::size_t>(count_);
  gate_.data = up_gate;
  up_.data = up_gate + panel;
  down_.data = downs;

  const std::int64_t up_panels = gate_.panels(), down_panels = down_.panels();
  const std::int64_t per_expert = up_panels + down_panels;
  pool.run(count_ * per_expert, [&](std::int64_t i, int) noexcept {
    const std::int64_t p = i % per_expert;
    const auto e = static_cast<std::size_t>(i / per_expert);
    if (p < up_panels) {
      std::byte* const to = up_gate + e * up_gate_bytes_ + static_cast<std::size_t>(p) * 2 * panel;
      const std::int64_t row = p * panel_rows(gate_.packing);
      pack_panel(gate_.packing, to, sources.gate[e], row);
      pack_panel(up_.packing, to + panel, sources.up[e], row);
    } else {
      const std::int64_t q = p - up_panels;
      pack_panel(down_.packing,
                 downs + e * down_bytes_ + static_cast<std::size_t>(q) * down_.stride_bytes,
                 sources.down[e], q * panel_rows(down_.packing));
    }
  });
}

ExpertRunner::ExpertRunner(const Kernels& kernels, ThreadPool& pool)
    : kernels_(kernels), pool_(pool) {}

void ExpertRunner::routed(const Tensor& out, const Tensor& x, const PackedExperts& experts,
                          const Tensor& expert_ids, const Tensor& expert_weights) {
  const std::int64_t rows = x.shape[0], top_k = expert_ids.shape[1];
  begins_.assign(static_cast<std::size_t>(experts.count()) + 1, 0);
  for (std::int64_t t = 0; t < rows; ++t)
    for (std::int64_t j = 0; j < top_k; ++j) {
      const std::int32_t e = expert_ids.row<std::int32_t>(t)[j];
      MOEBENCH_CHECK(e >= 0 && e < experts.count());
      ++begins_[static_cast<std::size_t>(e) + 1];
    }
  for (std::size_t e = 1; e < begins_.size(); ++e) begins_[e] += begins_[e - 1];
  groups_.clear();
  for (std::size_t e = 0; e + 1 < begins_.size(); ++e)
    if (begins_[e + 1] > begins_[e])
      groups_.push_back({static_cast<std::int64_t>(e), begins_[e], begins_[e + 1] - begins_[e]});
  const auto pairs = static_cast<std::size_t>(rows * top_k);
  rows_.resize(std::max(rows_.size(), pairs));
  weights_.resize(std::max(weights_.size(), pairs));
  for (std::int64_t t = 0; t < rows; ++t)
    for (std::int64_t j = 0; j < top_k; ++j) {
      const auto e = static_cast<std::size_t>(expert_ids.row<std::int32_t>(t)[j]);
      const auto at = static_cast<std::size_t>(begins_[e]++);
      rows_[at] = static_cast<std::int32_t>(t);
      weights_[at] = expert_weights.row<float>(t)[j];
    }
  run(out, x, experts, true);
}

void ExpertRunner::single(const Tensor& out, const Tensor& x, const PackedExperts& expert,
                          bool accumulate, const Tensor* gate_logit) {
  const std::int64_t rows = x.shape[0];
  const auto n = static_cast<std::size_t>(rows);
  rows_.resize(std::max(rows_.size(), n));
  weights_.resize(std::max(weights_.size(), n));
  for (std::size_t t = 0; t < n; ++t) {
    rows_[t] = static_cast<std::int32_t>(t);
    weights_[t] = 1.0f;
    if (gate_logit != nullptr)
      weights_[t] =
          1.0f / (1.0f + std::exp(-*gate_logit->row<float>(static_cast<std::int64_t>(t))));
  }
  groups_.clear();
  if (rows > 0) groups_.push_back({0, 0, rows});
  run(out, x, expert, accumulate);
}

void ExpertRunner::run(const Tensor& out, const Tensor& x, const PackedExperts& experts,
                       bool accumulate) {
  if (groups_.empty()) return;
  const std::int64_t pairs = groups_.back().first + groups_.back().count;
  const std::int64_t width = experts.width(), hidden = experts.hidden();
  MOEBENCH_CHECK(x.shape[1] == hidden && out.shape[1] == hidden);
  while (static_cast<std::int64_t>(pairs_.size()) < pairs)
    pairs_.push_back(static_cast<std::int32_t>(pairs_.size()));

  forms_.begin(x.row<float>(0), x.strides[0], x.shape[0], hidden);
  const Activations& input = forms_.get(activation_kind(experts.gate(0).packing), kernels_, pool_);
  const ActivationKind kind = activation_kind(experts.down(0).packing);
  Activations inner;
  float* inner_f32 = nullptr;
  if (kind == ActivationKind::kF32) {
    inner_f32 = hidden_f32_.at_least(pairs * width);
    inner.values = inner_f32;
    inner.value_stride = width;
  } else {
    inner = hidden_int8_.reserve(pairs, width, kind);
  }

  // Gate, up, SwiGLU: a task is an expert and a range of its columns.
  const std::int64_t columns = columns_per_task(experts);
  const std::int64_t tiles = (width + columns - 1) / columns;
  const int lanes = panel_rows(experts.gate(0).packing);
  float* const scratch = columns_.at_least(pool_.threads() * kRowBlock * kWideColumns);
  const auto gate_up = [&](std::int64_t task, int thread) noexcept {
    const Group& group = groups_[static_cast<std::size_t>(task / tiles)];
    const std::int64_t begin = task % tiles * columns, end = std::min(begin + columns, width);
    const PanelMatrix gate = experts.gate(group.expert), up = experts.up(group.expert);
    const TileOp& op = kernels_.tile[static_cast<int>(gate.packing)];
    alignas(64) float gate_tile[kMaxTileRows * kMaxPanelRows];
    alignas(64) float up_tile[kMaxTileRows * kMaxPanelRows];
    for (std::int64_t block = 0; block < group.count; block += kRowBlock) {
      const std::int64_t rows = std::min(kRowBlock, group.count - block);
      float* y = scratch + thread * kRowBlock * kWideColumns;
      std::int64_t y_stride = columns;
      if (inner_f32 != nullptr) {
        y = inner_f32 + (group.first + block) * width + begin;
        y_stride = width;
      }
      for (std::int64_t c = begin; c < end; c += lanes) {
        for (std::int64_t r = 0; r < rows;) {
          const std::int64_t left = rows - r, steps = (left + op.max_rows - 1) / op.max_rows;
          const int count = static_cast<int>((left + steps - 1) / steps);
          const std::int32_t* const list =
              rows_.data() + static_cast<std::size_t>(group.first + block + r);
          op.run(gate.panel(c / lanes), hidden, input, list, count, gate_tile);
          op.run(up.panel(c / lanes), hidden, input, list, count, up_tile);
          const std::int64_t valid = std::min<std::int64_t>(lanes, end - c);
          for (int t = 0; t < count; ++t)
            kernels_.silu_product(y + (r + t) * y_stride + (c - begin), gate_tile + t * lanes,
                                  up_tile + t * lanes, valid);
          r += count;
        }
      }
      if (kind == ActivationKind::kF32) continue;
      for (std::int64_t r = 0; r < rows; ++r)
        quantize_columns(kernels_, kind, y + r * columns, begin, end, inner,
                         group.first + block + r);
    }
  };
  pool_.run(static_cast<std::int64_t>(groups_.size()) * tiles, gate_up);

  // Down and the weighted sum: a task is a range of output columns of all experts.
  const PanelMatrix first = experts.down(0);
  const int width_out = panel_rows(first.packing);
  const std::int64_t panels = first.panels();
  const std::int64_t per_task =
      std::clamp<std::int64_t>(static_cast<std::int64_t>(kDownChunkBytes / first.stride_bytes), 1,
                               std::max<std::int64_t>(1, panels / (4 * pool_.threads())));
  pool_.run((panels + per_task - 1) / per_task, [&](std::int64_t task, int) noexcept {
    const std::int64_t begin = task * per_task, end = std::min(begin + per_task, panels);
    for (const Group& group : groups_) {
      multiply_panels(kernels_, experts.down(group.expert), begin, end, inner,
                      pairs_.data() + group.first, group.count,
                      [&](std::int64_t p, std::int64_t row, int count, const float* tile) noexcept {
                        const std::int64_t column = p * width_out;
                        const std::int64_t valid =
                            std::min<std::int64_t>(width_out, hidden - column);
                        const auto pair = static_cast<std::size_t>(group.first + row);
                        if (!accumulate)  // a sum that starts at -0 is its first term
                          for (int t = 0; t < count; ++t)
                            std::fill_n(out.row<float>(rows_[pair + t]) + column, valid, -0.0f);
                        kernels_.add_weighted_rows(out.row<float>(0) + column, out.strides[0],
                                                   rows_.data() + pair, weights_.data() + pair,
                                                   tile, width_out, count, valid);
                      });
    }
  });
}

}  // namespace moebench::cpu
