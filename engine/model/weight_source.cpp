#include "engine/model/weight_source.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/formats/printable.h"
#include "engine/tensor/convert.h"

namespace moebench {
namespace {

std::size_t rows_of(const Shape& shape) noexcept {
  return static_cast<std::size_t>(shape.elements() / shape.back());
}

/// Calls work(begin, end) over parts of [0, rows), on several threads where there is much to do.
template <class Work>
void for_row_ranges(std::size_t rows, std::size_t columns, const Work& work) {
  constexpr std::size_t kElementsPerThread = 1 << 20;
  const std::size_t wanted = rows * columns / kElementsPerThread;
  const std::size_t threads = std::clamp<std::size_t>(
      std::min<std::size_t>(wanted, std::thread::hardware_concurrency()), 1, rows);
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < threads; ++i) {
    others.emplace_back([&, i] { work(rows * i / threads, rows * (i + 1) / threads); });
  }
  work(std::size_t{0}, rows / threads);
}

/// Shapes that differ in dimensions of size one only hold the same tensor: a (1, hidden) gate that
/// GGUF keeps as (hidden).
bool same_but_for_ones(const Shape& a, const Shape& b) noexcept {
  std::size_t i = 0, j = 0;
  for (;;) {
    while (i < a.rank() && a[i] == 1) ++i;
    while (j < b.rank() && b[j] == 1) ++j;
    if (i == a.rank() || j == b.rank()) return i == a.rank() && j == b.rank();
    if (a[i++] != b[j++]) return false;
  }
}

}  // namespace

std::unique_ptr<std::byte[]> convert_rows(const TensorView& view, DType to) {
  const auto columns = static_cast<std::size_t>(view.shape.back());
  const std::size_t rows = rows_of(view.shape);
  const std::size_t from_bytes = row_bytes(view.dtype, columns), to_bytes = row_bytes(to, columns);
  auto result = std::make_unique_for_overwrite<std::byte[]>(rows * to_bytes);
  for_row_ranges(rows, columns, [&](std::size_t begin, std::size_t end) {
    std::vector<float> values(columns);
    for (std::size_t row = begin; row < end; ++row) {
      to_f32(values.data(), view.data + row * from_bytes, view.dtype, columns);
      from_f32(result.get() + row * to_bytes, to, values);
    }
  });
  return result;
}

LoadedTensor latent_key_half(const AttentionConfig& a, const TensorView& joint) {
  MOEBENCH_CHECK(joint.dtype == DType::kF32);
  const auto heads = static_cast<std::size_t>(a.n_heads);
  const auto nope = static_cast<std::size_t>(a.qk_nope_dim);
  const auto values = static_cast<std::size_t>(a.value_dim);
  const auto rank = static_cast<std::size_t>(a.kv_lora_rank);
  LoadedTensor key;
  key.owned = std::make_unique_for_overwrite<std::byte[]>(heads * rank * nope * sizeof(float));
  key.view = {key.owned.get(), DType::kF32, {a.n_heads, a.kv_lora_rank, a.qk_nope_dim}};
  std::vector<float> row(rank);
  for (std::size_t head = 0; head < heads; ++head) {
    const std::byte* rows = joint.data + head * (nope + values) * rank * sizeof(float);
    std::byte* transposed = key.owned.get() + head * rank * nope * sizeof(float);
    for (std::size_t i = 0; i < nope; ++i) {
      std::memcpy(row.data(), rows + i * rank * sizeof(float), rank * sizeof(float));
      for (std::size_t j = 0; j < rank; ++j) {
        std::memcpy(transposed + (j * nope + i) * sizeof(float), &row[j], sizeof(float));
      }
    }
  }
  return key;
}

LoadedTensor latent_value_half(const AttentionConfig& a, const TensorView& joint) {
  MOEBENCH_CHECK(joint.dtype == DType::kF32);
  const auto heads = static_cast<std::size_t>(a.n_heads);
  const auto nope = static_cast<std::size_t>(a.qk_nope_dim);
  const auto values = static_cast<std::size_t>(a.value_dim);
  const std::size_t row = static_cast<std::size_t>(a.kv_lora_rank) * sizeof(float);
  LoadedTensor value;
  value.owned = std::make_unique_for_overwrite<std::byte[]>(heads * values * row);
  value.view = {value.owned.get(), DType::kF32, {a.n_heads, a.value_dim, a.kv_lora_rank}};
  for (std::size_t head = 0; head < heads; ++head) {
    std::memcpy(value.owned.get() + head * values * row,
                joint.data + (head * (nope + values) + nope) * row, values * row);
  }
  return value;
}

WeightSource::WeightSource(const ModelConfig& config, const Checkpoint& checkpoint,
                           std::optional<DType> requantize, const Backend* backend)
    : config_(config),
      checkpoint_(checkpoint),
      requantize_(requantize),
      backend_(backend),
      naming_(checkpoint.format() == "gguf" ? TensorNaming::kGguf : TensorNaming::kHuggingFace) {
  if (requantize && !can_convert_from_f32(*requantize)) {
    throw Error(ErrorCode::kUsage,
                "weights cannot be converted to " + std::string(name(*requantize)),
                "choose f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k or q6_k");
  }
}

void WeightSource::fail(const std::string& file, const std::string& what) const {
  throw Error(ErrorCode::kBadModel, checkpoint_.files()->path_of(file) + ": " + what,
              "the weights do not fit the model's configuration");
}

const CheckpointTensor* WeightSource::find(TensorRole role, std::int64_t layer, std::int64_t expert,
                                           std::string& name) const {
  for (std::string& candidate : tensor_names(role, naming_, layer, expert)) {
    if (const CheckpointTensor* tensor = checkpoint_.find(candidate)) {
      name = std::move(candidate);
      return tensor;
    }
  }
  return nullptr;
}

bool WeightSource::has(TensorRole role, std::int64_t layer, std::int64_t expert) const {
  std::string name;
  return find(role, layer, expert, name) != nullptr;
}

DType WeightSource::stored_type(TensorRole role, std::int64_t layer, std::int64_t expert) const {
  std::string name;
  const CheckpointTensor* tensor = find(role, layer, expert, name);
  return tensor == nullptr ? DType::kF32 : tensor->view.dtype;
}

const CheckpointTensor& WeightSource::locate(TensorRole role, std::int64_t layer,
                                             std::int64_t expert) {
  std::string name;
  const CheckpointTensor* tensor = find(role, layer, expert, name);
  if (tensor == nullptr) {
    const std::vector<std::string> names = tensor_names(role, naming_, layer, expert);
    throw Error(ErrorCode::kBadModel,
                checkpoint_.files()->location() + ": tensor " +
                    printable(names.empty() ? "?" : names.front()) + " is missing",
                "fetch the model again, or check that its configuration belongs to its weights");
  }
  const LayerConfig* config =
      layer < 0 ? nullptr : &config_.layers[static_cast<std::size_t>(layer)];
  const std::optional<Shape> shape = expected_shape(role, config_, config);
  if (!shape) fail(tensor->file, "tensor " + printable(name) + " does not belong to this model");
  if (!same_but_for_ones(tensor->view.shape, *shape)) {
    fail(tensor->file, "tensor " + printable(name) + " has shape " + to_string(tensor->view.shape) +
                           ", expected " + to_string(*shape));
  }
  if (!can_convert_to_f32(tensor->view.dtype)) {
    fail(tensor->file, "tensor " + printable(name) + " is stored as " +
                           std::string(moebench::name(tensor->view.dtype)) +
                           ", which is no type for weights");
  }
  taken_.insert(name);
  if (tensor->view.dtype == DType::kF8E4M3) fp8_scales(name, *tensor);
  return *tensor;
}

LoadedTensor WeightSource::take(TensorRole role, std::int64_t layer, std::int64_t expert) {
  return load(role, layer, expert, false);
}

LoadedTensor WeightSource::load(TensorRole role, std::int64_t layer, std::int64_t expert,
                                bool keep_fp8) {
  const CheckpointTensor& tensor = locate(role, layer, expert);
  const LayerConfig* config =
      layer < 0 ? nullptr : &config_.layers[static_cast<std::size_t>(layer)];
  LoadedTensor loaded;
  if (tensor.view.dtype == DType::kF8E4M3) {
    std::string name;
    find(role, layer, expert, name);
    const std::optional<TileScales> tiles = keep_fp8 && role != TensorRole::kEmbedding
                                                ? kept_fp8(name, tensor)
                                                : std::optional<TileScales>();
    if (tiles)
      loaded.view = {tensor.view.data, tensor.view.dtype, tensor.view.shape, tiles};
    else
      loaded = dequantize_fp8(tensor.view, fp8_scales(name, tensor));
  } else {
    loaded.view = tensor.view;
  }
  loaded.view.shape = *expected_shape(role, config_, config);
  loaded.mapped = {tensor.view.data, tensor.view.size_bytes()};
  return loaded;
}

DType WeightSource::kept_type(DType stored, std::int64_t columns) const {
  if (stored == DType::kF8E4M3) stored = DType::kBF16;
  if (!requantize_ || *requantize_ == stored) return stored;
  const auto fits = [columns](DType type) {
    return static_cast<std::size_t>(columns) % traits(type).block_elements == 0;
  };
  if (fits(*requantize_)) return *requantize_;
  return fits(DType::kQ8_0) ? DType::kQ8_0 : DType::kF16;
}

LoadedTensor WeightSource::take_matrix(TensorRole role, std::int64_t layer, std::int64_t expert) {
  LoadedTensor loaded = load(role, layer, expert, true);
  if (loaded.view.tiles) return loaded;
  const DType kept = kept_type(loaded.view.dtype, loaded.view.shape.back());
  if (kept == loaded.view.dtype) return loaded;
  std::unique_ptr<std::byte[]> converted = convert_rows(loaded.view, kept);
  loaded.owned = std::move(converted);
  loaded.view = {loaded.owned.get(), kept, loaded.view.shape};
  return loaded;
}

LoadedTensor WeightSource::take_f32(TensorRole role, std::int64_t layer) {
  LoadedTensor loaded = take(role, layer);
  if (loaded.view.dtype == DType::kF32) return loaded;
  std::unique_ptr<std::byte[]> converted = convert_rows(loaded.view, DType::kF32);
  loaded.owned = std::move(converted);
  loaded.view = {loaded.owned.get(), DType::kF32, loaded.view.shape};
  return loaded;
}

void WeightSource::skip(TensorRole role, std::int64_t layer) {
  std::string name;
  if (find(role, layer, -1, name) != nullptr) taken_.insert(name);
}

/// DeepSeek's FP8 layout: each tile of fp8_tile_rows x fp8_tile_columns shares the F32 scale that
/// NAME_scale_inv holds at (row / tile_rows, column / tile_columns).
const TensorView& WeightSource::fp8_scales(const std::string& name,
                                           const CheckpointTensor& tensor) {
  const Shape& shape = tensor.view.shape;
  const std::int64_t tile_rows = config_.fp8_tile_rows, tile_columns = config_.fp8_tile_columns;
  if (tile_rows == 0 || shape.rank() != 2) {
    fail(tensor.file, "tensor " + printable(name) +
                          " is stored as f8_e4m3, but the configuration has no "
                          "quantization_config.weight_block_size for it");
  }
  const std::string scale_name = name + "_scale_inv";
  const CheckpointTensor* scales = checkpoint_.find(scale_name);
  const Shape scale_shape{(shape[0] + tile_rows - 1) / tile_rows,
                          (shape[1] + tile_columns - 1) / tile_columns};
  if (scales == nullptr) fail(tensor.file, "tensor " + printable(scale_name) + " is missing");
  if (scales->view.dtype != DType::kF32 || !(scales->view.shape == scale_shape)) {
    fail(scales->file, "tensor " + printable(scale_name) + " has shape " +
                           to_string(scales->view.shape) + " in " +
                           std::string(moebench::name(scales->view.dtype)) + ", expected " +
                           to_string(scale_shape) + " in f32");
  }
  taken_.insert(scale_name);
  return scales->view;
}

std::optional<TileScales> WeightSource::kept_fp8(const std::string& name,
                                                 const CheckpointTensor& tensor) {
  if (backend_ == nullptr || requantize_) return std::nullopt;
  const TensorView& scales = fp8_scales(name, tensor);
  const TileScales tiles = {scales.data, config_.fp8_tile_rows, config_.fp8_tile_columns,
                            scales.shape[1]};
  if (!backend_->keeps_fp8(tiles, scales.shape[0])) return std::nullopt;
  return tiles;
}

/// weight = fp8 * scale, kept in BF16 as DeepSeek's own conversion script does.
LoadedTensor WeightSource::dequantize_fp8(const TensorView& view, const TensorView& scales) const {
  const auto rows = static_cast<std::size_t>(view.shape[0]);
  const auto n = static_cast<std::size_t>(view.shape[1]);
  const auto tile_rows = static_cast<std::size_t>(config_.fp8_tile_rows);
  const auto tile_columns = static_cast<std::size_t>(config_.fp8_tile_columns);
  LoadedTensor loaded;
  loaded.owned = std::make_unique_for_overwrite<std::byte[]>(rows * n * 2);
  for_row_ranges(rows, n, [&](std::size_t begin, std::size_t end) {
    std::vector<float> values(n), scale(static_cast<std::size_t>(scales.shape[1]));
    for (std::size_t row = begin; row < end; ++row) {
      to_f32(values.data(), view.data + row * n, view.dtype, n);
      std::memcpy(scale.data(), scales.data + row / tile_rows * scale.size() * sizeof(float),
                  scale.size() * sizeof(float));
      for (std::size_t i = 0; i < n; ++i) values[i] *= scale[i / tile_columns];
      from_f32(loaded.owned.get() + row * n * 2, DType::kBF16, values);
    }
  });
  loaded.view = {loaded.owned.get(), DType::kBF16, view.shape};
  return loaded;
}

bool WeightSource::is_prediction_layer(const std::string& name) const {
  const std::string_view prefix = naming_ == TensorNaming::kGguf ? "blk." : "model.layers.";
  if (!name.starts_with(prefix)) return false;
  const std::size_t begin = prefix.size();
  const std::size_t end = name.find('.', begin);
  if (end == std::string::npos || end == begin || end - begin > 6) return false;
  std::int64_t layer = 0;
  for (std::size_t i = begin; i < end; ++i) {
    if (name[i] < '0' || name[i] > '9') return false;
    layer = layer * 10 + (name[i] - '0');
  }
  const auto n_layers = static_cast<std::int64_t>(config_.layers.size());
  return layer >= n_layers && layer < n_layers + config_.prediction_layers;
}

void WeightSource::check_all_taken(std::vector<std::string>& notes) const {
  std::int64_t prediction_tensors = 0;
  for (const auto& [name, tensor] : checkpoint_.tensors()) {
    if (taken_.count(name) > 0) continue;
    // Tables that older exporters stored; computed from the configuration instead.
    if (name.ends_with(".rotary_emb.inv_freq") || name == "rope_freqs.weight") continue;
    if (is_prediction_layer(name)) {
      ++prediction_tensors;
      continue;
    }
    fail(tensor.file, "tensor " + printable(name) + " is not part of a " + config_.family +
                          " model with this configuration");
  }
  if (prediction_tensors > 0) {
    notes.push_back(std::to_string(prediction_tensors) +
                    " tensors of multi-token prediction layers were left out");
  }
}

}  // namespace moebench
