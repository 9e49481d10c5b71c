#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "engine/backends/cpu/packing.h"

namespace moebench::cpu {

/// Memory that grows when a step needs more than any before it, and is kept: no allocation in
/// steady state. Contents are lost when it grows.
template <class T>
class Scratch {
 public:
  T* at_least(std::int64_t elements) {
    if (elements > capacity_) {
      capacity_ = elements + elements / 4;
      memory_ = WeightMemory::allocate(static_cast<std::size_t>(capacity_) * sizeof(T));
    }
    return reinterpret_cast<T*>(memory_.get());
  }

 private:
  std::shared_ptr<std::byte> memory_;
  std::int64_t capacity_ = 0;
};

/// Rows of int8 with their scales and sums.
struct Int8Rows {
  Scratch<std::int8_t> q;
  Scratch<float> scales;
  Scratch<std::int16_t> sums;

  /// Room for `rows` of k values (k % block == 0), not yet filled.
  Activations reserve(std::int64_t rows, std::int64_t k, ActivationKind kind) {
    Activations a;
    a.q_stride = k;
    a.scale_stride = k / (kind == ActivationKind::kInt8x256 ? 256 : 32);
    a.sum_stride = k / 16;
    a.q = q.at_least(rows * a.q_stride);
    a.scales = scales.at_least(rows * a.scale_stride);
    a.sums = sums.at_least(rows * a.sum_stride);
    return a;
  }
};

/// Rounds columns [begin, end) (whole blocks) of one row, x[0] being column `begin`, into `row` of
/// `to` (from Int8Rows::reserve).
void quantize_columns(const Kernels& kernels, ActivationKind kind, const float* x,
                      std::int64_t begin, std::int64_t end, const Activations& to,
                      std::int64_t row) noexcept;

}  // namespace moebench::cpu
