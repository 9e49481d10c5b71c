#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "engine/backends/backend.h"
#include "engine/backends/cpu/kernels.h"
#include "engine/backends/cpu/packing.h"
#include "engine/backends/cpu/workspace.h"
#include "engine/base/thread_pool.h"

namespace moebench::cpu {

/// Rows of x that one pass over a range of panels works on, so that they stay in the L2 cache while
/// the panels pass by.
inline constexpr std::int64_t kRowBlock = 64;

/// Calls done(panel, row, count, tile) for each panel in [first, last) and each group of `rows`
/// (positions row .. row + count - 1 of the list), tile (count, panel_rows). Groups are as even as
/// the kernel's limit allows: five rows go as 3 + 2 rather than 4 + 1.
template <class Done>
void multiply_panels(const Kernels& kernels, const PanelMatrix& w, std::int64_t first,
                     std::int64_t last, const Activations& x, const std::int32_t* rows,
                     std::int64_t n_rows, Done&& done) noexcept {
  const TileOp& op = kernels.tile[static_cast<int>(w.packing)];
  alignas(64) float tile[kMaxTileRows * kMaxPanelRows];
  for (std::int64_t block = 0; block < n_rows; block += kRowBlock) {
    const std::int64_t end = block + kRowBlock < n_rows ? block + kRowBlock : n_rows;
    for (std::int64_t p = first; p < last; ++p) {
      for (std::int64_t r = block; r < end;) {
        const std::int64_t left = end - r, groups = (left + op.max_rows - 1) / op.max_rows;
        const int count = static_cast<int>((left + groups - 1) / groups);
        op.run(w.panel(p), w.k, x, rows + r, count, tile);
        done(p, r, count, tile);
        r += count;
      }
    }
  }
}

/// Rows of F32 in the forms that a call's weights ask for; int8 forms are made once a call.
class RowForms {
 public:
  /// Starts a call over x (rows, k) with elements `stride` apart.
  void begin(const float* x, std::int64_t stride, std::int64_t rows, std::int64_t k) noexcept;
  const Activations& get(ActivationKind kind, const Kernels& kernels, ThreadPool& pool);
  /// 0, 1, 2, ...: the list of all rows.
  const std::int32_t* all_rows(std::int64_t rows);

 private:
  Activations plain_;
  std::int64_t rows_ = 0, k_ = 0;
  std::array<Int8Rows, 2> memory_;
  std::array<Activations, 2> int8_;
  std::array<bool, 2> made_{};
  std::vector<std::int32_t> identity_;
};

/// A weight (n, k) in panels.
class PackedMatrix final : public Weight {
 public:
  PackedMatrix(const TensorView& source, ThreadPool& pool);
  std::size_t size_bytes() const noexcept override { return bytes_; }
  const PanelMatrix& panels() const noexcept { return panels_; }

 private:
  PanelMatrix panels_;
  std::size_t bytes_ = 0;
  std::shared_ptr<std::byte> memory_;
};

/// (heads, n, k), a PanelMatrix a head. MLA's absorbed projections: F32 stays F32, block-quantised
/// checkpoints are rounded to Q8_0 (k a multiple of 32), all else to F16.
class PackedHeads final : public Weight {
 public:
  PackedHeads(const TensorView& source, DType stored, ThreadPool& pool);
  std::size_t size_bytes() const noexcept override { return bytes_; }
  const PanelMatrix& head(std::int64_t h) const noexcept {
    return heads_[static_cast<std::size_t>(h)];
  }
  std::int64_t heads() const noexcept { return static_cast<std::int64_t>(heads_.size()); }

 private:
  std::vector<PanelMatrix> heads_;
  std::size_t bytes_ = 0;
  std::shared_ptr<std::byte> memory_;
};

class F32Vector final : public Weight {
 public:
  explicit F32Vector(const TensorView& source);
  std::size_t size_bytes() const noexcept override { return values_.size() * sizeof(float); }
  const float* data() const noexcept { return values_.data(); }

 private:
  std::vector<float> values_;
};

/// Throws Error(kBadModel) unless the packer can read the type and k is a whole number of blocks.
void check_source(const TensorView& source, std::size_t rank);

void matmul(const Tensor& x, std::span<const MatmulTarget> targets, const Kernels& kernels,
            ThreadPool& pool, RowForms& forms);
/// Heads of x evenly spaced, from token to token too.
void head_matmul(const Tensor& out, const Tensor& x, const PackedHeads& w, const Kernels& kernels,
                 ThreadPool& pool, RowForms& forms);

}  // namespace moebench::cpu
