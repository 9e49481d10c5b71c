#include "engine/backends/cpu/matmul.h"

#include <algorithm>
#include <string>

#include "engine/base/error.h"
#include "engine/tensor/convert.h"

namespace moebench::cpu {
namespace {

// A chunk of a job: enough bytes of weights that claiming it costs nothing beside reading them,
// little enough that the threads end together.
constexpr std::size_t kChunkBytes = 64 << 10;
// A job smaller than this is done by the caller alone.
constexpr std::size_t kSerialBytes = 24 << 10;

/// Rows first, first + step, first + 2 step, ... of x.
Activations every(std::int64_t step, std::int64_t first, Activations x) noexcept {
  x.values += first * x.value_stride;
  x.q += first * x.q_stride;
  x.scales += first * x.scale_stride;
  x.sums += first * x.sum_stride;
  for (std::int64_t* stride : {&x.value_stride, &x.q_stride, &x.scale_stride, &x.sum_stride})
    *stride *= step;
  return x;
}

Packing head_packing(DType stored, std::int64_t k) noexcept {
  if (stored == DType::kF32) return Packing::kF32;
  const auto block = static_cast<std::int64_t>(traits(DType::kQ8_0).block_elements);
  return is_quantized(stored) && k % block == 0 ? Packing::kQ8_0 : Packing::kF16;
}

std::int64_t panels_per_chunk(const PanelMatrix& w, std::int64_t rows) noexcept {
  // Many rows make a panel expensive: smaller chunks balance better.
  const std::size_t wanted = rows > 32 ? kChunkBytes / 4 : kChunkBytes;
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(wanted / std::max<std::size_t>(1, w.stride_bytes)));
}

/// out (+)= tile for rows [row, row + count) and the columns of panel p.
void store_tile(const MatmulTarget& target, const PanelMatrix& w, std::int64_t p, std::int64_t row,
                int count, const float* tile) noexcept {
  const int width = panel_rows(w.packing);
  const std::int64_t column = p * width;
  const std::int64_t columns = std::min<std::int64_t>(width, w.n - column);
  const float* const bias = target.bias != nullptr
                                ? static_cast<const F32Vector*>(target.bias)->data() + column
                                : nullptr;
  for (int t = 0; t < count; ++t) {
    float* const to = target.out.row<float>(row + t) + column;
    const float* const from = tile + t * width;
    for (std::int64_t c = 0; c < columns; ++c) {
      const float y = bias != nullptr ? from[c] + bias[c] : from[c];
      to[c] = target.accumulate ? to[c] + y : y;
    }
  }
}

}  // namespace

void quantize_columns(const Kernels& kernels, ActivationKind kind, const float* x,
                      std::int64_t begin, std::int64_t end, const Activations& to,
                      std::int64_t row) noexcept {
  const bool wide = kind == ActivationKind::kInt8x256;
  // `to` describes the caller's own scratch memory.
  auto* const q = const_cast<std::int8_t*>(to.q) + row * to.q_stride + begin;
  auto* const scales =
      const_cast<float*>(to.scales) + row * to.scale_stride + begin / (wide ? 256 : 32);
  auto* const sums = const_cast<std::int16_t*>(to.sums) + row * to.sum_stride + begin / 16;
  (wide ? kernels.quantize_256 : kernels.quantize_32)(x, end - begin, q, scales, sums);
}

void RowForms::begin(const float* x, std::int64_t stride, std::int64_t rows,
                     std::int64_t k) noexcept {
  plain_.values = x;
  plain_.value_stride = stride;
  rows_ = rows;
  k_ = k;
  made_ = {};
}

const Activations& RowForms::get(ActivationKind kind, const Kernels& kernels, ThreadPool& pool) {
  if (kind == ActivationKind::kF32) return plain_;
  const std::size_t i = kind == ActivationKind::kInt8x32 ? 0 : 1;
  if (made_[i]) return int8_[i];
  int8_[i] = memory_[i].reserve(rows_, k_, kind);
  const auto one = [&](std::int64_t r) noexcept {
    quantize_columns(kernels, kind, plain_.values + r * plain_.value_stride, 0, k_, int8_[i], r);
  };
  constexpr std::int64_t kRows = 16;
  if (rows_ <= kRows)
    for (std::int64_t r = 0; r < rows_; ++r) one(r);
  else
    pool.run((rows_ + kRows - 1) / kRows, [&](std::int64_t chunk, int) noexcept {
      for (std::int64_t r = chunk * kRows; r < std::min(rows_, (chunk + 1) * kRows); ++r) one(r);
    });
  made_[i] = true;
  return int8_[i];
}

const std::int32_t* RowForms::all_rows(std::int64_t rows) {
  while (static_cast<std::int64_t>(identity_.size()) < rows)
    identity_.push_back(static_cast<std::int32_t>(identity_.size()));
  return identity_.data();
}

void check_source(const TensorView& source, std::size_t rank) {
  if (!can_convert_to_f32(source.dtype))
    throw Error(
        ErrorCode::kBadModel,
        "the CPU backend has no kernel for weights of type " + std::string(name(source.dtype)),
        "convert the model to f32, f16, bf16 or one of GGUF's q types");
  if (source.shape.rank() != rank)
    throw Error(ErrorCode::kBadModel, "a weight has " + std::to_string(source.shape.rank()) +
                                          " dimensions instead of " + std::to_string(rank));
  if (source.shape.back() % static_cast<std::int64_t>(traits(source.dtype).block_elements) != 0)
    throw Error(ErrorCode::kBadModel, "a weight's rows of " + std::to_string(source.shape.back()) +
                                          " values are no whole blocks of " +
                                          std::string(name(source.dtype)));
}

PackedMatrix::PackedMatrix(const TensorView& source, ThreadPool& pool) {
  check_source(source, 2);
  panels_.packing = packing_for(source.dtype);
  panels_.n = source.shape[0];
  panels_.k = source.shape[1];
  panels_.stride_bytes = panel_bytes(panels_.packing, panels_.k);
  bytes_ = panels_.stride_bytes * static_cast<std::size_t>(panels_.panels());
  memory_ = WeightMemory::allocate(bytes_);
  panels_.data = memory_.get();
  pool.run(panels_.panels(), [&](std::int64_t p, int) noexcept {
    pack_panel(panels_.packing, memory_.get() + static_cast<std::size_t>(p) * panels_.stride_bytes,
               source, p * panel_rows(panels_.packing));
  });
}

PackedHeads::PackedHeads(const TensorView& source, DType stored, ThreadPool& pool) {
  check_source(source, 3);
  PanelMatrix one;
  one.n = source.shape[1];
  one.k = source.shape[2];
  one.packing = head_packing(stored, one.k);
  one.stride_bytes = panel_bytes(one.packing, one.k);
  const std::int64_t heads = source.shape[0], panels = one.panels();
  const std::size_t head_bytes = one.stride_bytes * static_cast<std::size_t>(panels);
  bytes_ = head_bytes * static_cast<std::size_t>(heads);
  memory_ = WeightMemory::allocate(bytes_);
  for (std::int64_t h = 0; h < heads; ++h) {
    heads_.push_back(one);
    heads_.back().data = memory_.get() + head_bytes * static_cast<std::size_t>(h);
  }
  TensorView from = source;
  std::vector<std::byte> rounded;
  if (one.packing == Packing::kQ8_0) {  // packed from blocks of its own, which F32 has not
    const auto values = static_cast<std::size_t>(source.shape.elements());
    rounded.resize(row_bytes(DType::kQ8_0, values));
    from_f32(rounded.data(), DType::kQ8_0, {reinterpret_cast<const float*>(source.data), values});
    from = {rounded.data(), DType::kQ8_0, source.shape};
  }
  const std::size_t source_bytes = row_bytes(from.dtype, static_cast<std::size_t>(one.n * one.k));
  pool.run(heads * panels, [&](std::int64_t i, int) noexcept {
    const TensorView head = {from.data + source_bytes * static_cast<std::size_t>(i / panels),
                             from.dtype,
                             {one.n, one.k}};
    pack_panel(one.packing, memory_.get() + static_cast<std::size_t>(i) * one.stride_bytes, head,
               i % panels * panel_rows(one.packing));
  });
}

F32Vector::F32Vector(const TensorView& source) {
  if (!can_convert_to_f32(source.dtype)) check_source(source, source.shape.rank());
  values_.resize(static_cast<std::size_t>(source.shape.elements()));
  to_f32(values_.data(), source.data, source.dtype, values_.size());
}

void matmul(const Tensor& x, std::span<const MatmulTarget> targets, const Kernels& kernels,
            ThreadPool& pool, RowForms& forms) {
  const std::int64_t rows = x.shape[0];
  if (rows == 0) return;
  forms.begin(x.row<float>(0), x.strides[0], rows, x.shape[1]);
  const std::int32_t* const all = forms.all_rows(rows);
  constexpr std::size_t kMaxTargets = 8;
  for (; !targets.empty(); targets = targets.subspan(std::min(kMaxTargets, targets.size()))) {
    const std::size_t n = std::min(kMaxTargets, targets.size());
    struct Part {
      const PanelMatrix* w;
      const Activations* x;
      std::int64_t per_chunk, first_chunk;
    } parts[kMaxTargets];
    std::int64_t chunks = 0;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const PanelMatrix& w = static_cast<const PackedMatrix*>(targets[i].weight)->panels();
      MOEBENCH_CHECK(w.k == x.shape[1]);
      parts[i] = {&w, &forms.get(activation_kind(w.packing), kernels, pool),
                  panels_per_chunk(w, rows), chunks};
      chunks += (w.panels() + parts[i].per_chunk - 1) / parts[i].per_chunk;
      bytes += w.stride_bytes * static_cast<std::size_t>(w.panels());
    }
    const auto work = [&](std::int64_t chunk, int) noexcept {
      std::size_t i = n - 1;
      while (parts[i].first_chunk > chunk) --i;
      const Part& part = parts[i];
      const std::int64_t first = (chunk - part.first_chunk) * part.per_chunk;
      const std::int64_t last = std::min(first + part.per_chunk, part.w->panels());
      multiply_panels(kernels, *part.w, first, last, *part.x, all, rows,
                      [&](std::int64_t p, std::int64_t row, int count, const float* tile) noexcept {
                        store_tile(targets[i], *part.w, p, row, count, tile);
                      });
    };
    if (bytes * static_cast<std::size_t>(rows) < kSerialBytes)
      for (std::int64_t c = 0; c < chunks; ++c) work(c, 0);
    else
      pool.run(chunks, work);
  }
}

void head_matmul(const Tensor& out, const Tensor& x, const PackedHeads& w, const Kernels& kernels,
                 ThreadPool& pool, RowForms& forms) {
  const std::int64_t rows = x.shape[0], heads = w.heads();
  if (rows == 0 || heads == 0) return;
  MOEBENCH_CHECK(x.shape[1] == heads && x.shape[2] == w.head(0).k);
  const std::int32_t* const all = forms.all_rows(rows);
  MOEBENCH_CHECK(x.strides[0] == heads * x.strides[1]);
  forms.begin(x.row<float>(0), x.strides[1], rows * heads, x.shape[2]);
  const Activations& all_heads = forms.get(activation_kind(w.head(0).packing), kernels, pool);
  const std::int64_t panels = w.head(0).panels();
  const std::int64_t per_chunk = std::min(panels, panels_per_chunk(w.head(0), rows));
  const std::int64_t chunks = (panels + per_chunk - 1) / per_chunk;
  pool.run(heads * chunks, [&](std::int64_t chunk, int) noexcept {
    const std::int64_t h = chunk / chunks, first = chunk % chunks * per_chunk;
    const PanelMatrix& matrix = w.head(h);
    const Activations a = every(heads, h, all_heads);  // row t * heads + h is token t's
    const int width = panel_rows(matrix.packing);
    multiply_panels(kernels, matrix, first, std::min(first + per_chunk, panels), a, all, rows,
                    [&](std::int64_t p, std::int64_t row, int count, const float* tile) noexcept {
                      const std::int64_t columns =
                          std::min<std::int64_t>(width, matrix.n - p * width);
                      for (int t = 0; t < count; ++t) {
                        float* const to = out.row<float>(row + t) + h * out.strides[1] + p * width;
                        std::copy_n(tile + t * width, columns, to);
                      }
                    });
  });
}

}  // namespace moebench::cpu
