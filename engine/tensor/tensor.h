#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>

#include "engine/base/check.h"
#include "engine/tensor/dtype.h"

namespace moebench {

/// Up to four dimensions, outermost first: a weight matrix is (out, in), activations are (tokens,
/// hidden).
class Shape {
 public:
  static constexpr std::size_t kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) {
    MOEBENCH_CHECK(dims.size() <= kMaxRank);
    for (const std::int64_t d : dims) dims_[rank_++] = d;
  }

  std::size_t rank() const noexcept { return rank_; }
  std::int64_t operator[](std::size_t i) const noexcept { return dims_[i]; }
  std::int64_t& operator[](std::size_t i) noexcept { return dims_[i]; }
  std::int64_t back() const noexcept { return dims_[rank_ - 1]; }
  std::int64_t elements() const noexcept {
    std::int64_t n = 1;
    for (std::size_t i = 0; i < rank_; ++i) n *= dims_[i];
    return n;
  }
  friend bool operator==(const Shape& a, const Shape& b) noexcept {
    if (a.rank_ != b.rank_) return false;
    for (std::size_t i = 0; i < a.rank_; ++i)
      if (a.dims_[i] != b.dims_[i]) return false;
    return true;
  }

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  std::size_t rank_ = 0;
};

/// The scales of an FP8 matrix (DeepSeek's weight_scale_inv): the values of each tile of `rows` x
/// `columns` count times the F32 at (row / rows, column / columns). Does not own.
struct TileScales {
  const std::byte* data = nullptr;  // (ceil(matrix rows / rows), per_row) F32, any alignment
  std::int64_t rows = 0, columns = 0, per_row = 0;

  float at(std::int64_t row, std::int64_t column) const noexcept {
    float scale;
    std::memcpy(&scale, data + (row / rows * per_row + column / columns) * 4, sizeof scale);
    return scale;
  }
};

/// A dense, read-only tensor in host memory (a checkpoint's bytes): row-major, no padding. Does not
/// own.
struct TensorView {
  const std::byte* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;
  /// Of an FP8 matrix whose scales were not multiplied in: only for a backend that keeps_fp8.
  std::optional<TileScales> tiles = {};

  std::size_t size_bytes() const noexcept {
    return shape.rank() == 0 ? 0 : row_bytes(dtype, static_cast<std::size_t>(shape.elements()));
  }
};

/// A tensor in a backend's memory (see Backend::allocate): the innermost dimension is contiguous,
/// the outer ones are strided, so a slice of columns or heads is a Tensor too. Does not own.
struct Tensor {
  void* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;
  std::array<std::int64_t, Shape::kMaxRank> strides{};  ///< in elements, per dimension; innermost 1

  static Tensor contiguous(void* data, DType dtype, const Shape& shape) noexcept {
    Tensor t{data, dtype, shape, {}};
    std::int64_t stride = 1;
    for (std::size_t i = shape.rank(); i-- > 0; stride *= shape[i]) t.strides[i] = stride;
    return t;
  }
  /// The first element of row i of the outermost dimension. Host backends only.
  template <class T>
  T* row(std::int64_t i) const noexcept {
    return static_cast<T*>(data) + i * strides[0];
  }
};

}  // namespace moebench
