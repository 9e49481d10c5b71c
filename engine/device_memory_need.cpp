#include "engine/device_memory_need.h"

#include <string>

#include "engine/base/error.h"
#include "engine/model/tensor_table.h"

namespace moebench {
namespace {

std::string gigabytes(std::int64_t bytes) {
  const std::int64_t tenths = (bytes + 99'999'999) / 100'000'000;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " GB";
}

}  // namespace

std::int64_t weight_bytes_on(const Backend& backend, const ModelSource& source,
                             std::optional<DType> requantize, bool host_experts) {
  const auto matrix = [&](const TensorView& view) {
    const std::int64_t k = view.shape.back(), n = view.shape.elements() / k;
    // The loader multiplies the scales into FP8, which makes it BF16, where they can't be kept.
    const TileScales tiles = {nullptr, source.config.fp8_tile_rows, source.config.fp8_tile_columns,
                              0};
    const bool unpacked = view.dtype == DType::kF8E4M3 &&
                          (requantize || tiles.columns == 0 || !backend.keeps_fp8(tiles, 0));
    DType type = unpacked ? DType::kBF16 : view.dtype;
    if (requantize && k % static_cast<std::int64_t>(traits(*requantize).block_elements) == 0)
      type = *requantize;
    return static_cast<std::int64_t>(backend.prepared_bytes(type, n, k));
  };
  std::int64_t bytes = 0;
  for (const auto& [name, tensor] : source.checkpoint.tensors()) {
    const TensorView& view = tensor.view;
    const bool number = view.dtype != DType::kI32 && view.dtype != DType::kI64;
    if (host_experts && is_routed_expert(name)) continue;
    if (!number || view.shape.elements() == 0) continue;
    bytes += view.shape.rank() < 2 ? view.shape.elements() * 4 : matrix(view);
  }
  if (source.config.tied_embeddings)  // read as a table and as a matrix
    for (const char* name : {"model.embed_tokens.weight", "token_embd.weight"})
      if (const CheckpointTensor* tensor = source.checkpoint.find(name))
        bytes += matrix(tensor->view);
  return bytes;
}

void check_device_memory(const Backend& backend, std::int64_t free_bytes, std::int64_t weight_bytes,
                         std::int64_t workspace_bytes, std::int64_t page_bytes) {
  if (weight_bytes + workspace_bytes + page_bytes <= free_bytes) return;
  const BackendInfo info = backend.info();
  throw Error(ErrorCode::kDevice,
              info.name + " (" + info.description + ") has " + gigabytes(free_bytes) +
                  " free; the model needs " + gigabytes(weight_bytes) + " for its weights and " +
                  gigabytes(workspace_bytes + page_bytes) + " for workspace and cache",
              "narrower weights (--weights-type q4_0), fewer --step-tokens, experts in host memory "
              "(--cpu-experts), or a larger GPU");
}

}  // namespace moebench
