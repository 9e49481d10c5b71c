#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <tuple>
#include <vector>

#include "engine/backends/backend.h"
#include "engine/base/check.h"
#include "engine/tensor/convert.h"

namespace moebench::conformance {

/// Normal values from a seed; made once (the suite asks for the same inputs many times).
inline const std::vector<float>& normal(std::int64_t n, std::uint32_t seed,
                                        float deviation = 1.0f) {
  static std::map<std::tuple<std::int64_t, std::uint32_t, float>, std::vector<float>> made;
  std::vector<float>& values = made[{n, seed, deviation}];
  if (values.empty()) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> distribution(0.0f, deviation);
    values.resize(static_cast<std::size_t>(n));
    for (float& v : values) v = distribution(generator);
  }
  return values;
}

/// A tensor in a backend's memory.
template <class T>
struct DeviceTensor {
  Backend* backend;
  std::unique_ptr<Buffer> buffer;
  Tensor tensor;

  DeviceTensor(Backend& b, DType dtype, const Shape& shape)
      : backend(&b), buffer(b.allocate(static_cast<std::size_t>(shape.elements()) * sizeof(T))) {
    tensor = Tensor::contiguous(buffer->data(), dtype, shape);
  }
  DeviceTensor(Backend& b, DType dtype, const Shape& shape, std::span<const T> values)
      : DeviceTensor(b, dtype, shape) {
    b.upload(buffer->data(), values.data(), values.size_bytes());
  }
  std::vector<T> download() const {
    std::vector<T> values(static_cast<std::size_t>(tensor.shape.elements()));
    backend->download(values.data(), buffer->data(), values.size() * sizeof(T));
    return values;
  }
};

struct F32Tensor : DeviceTensor<float> {
  F32Tensor(Backend& b, const Shape& s) : DeviceTensor(b, DType::kF32, s) {}
  F32Tensor(Backend& b, const Shape& s, std::span<const float> v)
      : DeviceTensor(b, DType::kF32, s, v) {}
};
struct I32Tensor : DeviceTensor<std::int32_t> {
  I32Tensor(Backend& b, const Shape& s, std::span<const std::int32_t> v)
      : DeviceTensor(b, DType::kI32, s, v) {}
};

/// Rows `rows` of (kRows, width).
template <class T>
std::vector<T> pick_rows(std::span<const T> all, std::int64_t width, std::span<const int> rows) {
  std::vector<T> picked;
  for (const int r : rows) {
    const T* const from = all.data() + r * width;
    picked.insert(picked.end(), from, from + width);
  }
  return picked;
}

/// Random bytes of a stored type with scales that keep the values near `deviation`: for types that
/// from_f32 does not write.
inline void fill_blocks(std::vector<std::byte>& bytes, DType dtype, std::uint32_t seed,
                        float deviation) {
  std::mt19937 generator(seed);
  for (std::byte& b : bytes) b = static_cast<std::byte>(generator() & 255);
  const std::size_t block = traits(dtype).block_bytes;
  const auto put_half = [&](std::size_t at, float value) {
    const std::uint16_t half = f32_to_f16(value);
    std::memcpy(bytes.data() + at, &half, sizeof half);
  };
  for (std::size_t at = 0; at < bytes.size(); at += block) switch (dtype) {
      case DType::kF8E4M3:  // magnitudes up to 1.875, subnormals among them
        bytes[at] &= static_cast<std::byte>(0xbf);
        break;
      case DType::kMXFP4:  // 2^-6 .. 2^-3
        bytes[at] = static_cast<std::byte>(121 + (static_cast<int>(bytes[at]) & 3));
        break;
      case DType::kQ2_K:
        put_half(at + 80, deviation / 16);
        put_half(at + 82, deviation / 12);
        break;
      case DType::kQ3_K:
        put_half(at + 108, deviation / 40);
        break;
      case DType::kIQ4_XS:
        put_half(at, deviation / 1000);
        break;
      default:
        MOEBENCH_CHECK(!"a recipe for random weights of this type");
    }
}

/// Weights of a stored type; made once, kept for the program's life.
inline TensorView stored(DType dtype, const Shape& shape, std::uint32_t seed, float deviation) {
  static std::map<std::tuple<DType, std::int64_t, std::int64_t, std::uint32_t, float>,
                  std::vector<std::byte>>
      made;
  std::vector<std::byte>& bytes = made[{dtype, shape.elements(), shape.back(), seed, deviation}];
  if (bytes.empty()) {
    const auto elements = static_cast<std::size_t>(shape.elements());
    bytes.resize(row_bytes(dtype, elements));
    if (can_convert_from_f32(dtype))
      from_f32(bytes.data(), dtype, normal(shape.elements(), seed, deviation));
    else
      fill_blocks(bytes, dtype, seed, deviation);
  }
  return {bytes.data(), dtype, shape};
}

}  // namespace moebench::conformance
