#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/backends/backend.h"
#include "engine/formats/checkpoint.h"
#include "engine/model/model_config.h"
#include "engine/model/tensor_table.h"

namespace moebench {

/// A tensor ready for a backend: a view of the mapped file, or of `owned` where it was converted.
struct LoadedTensor {
  TensorView view;
  std::unique_ptr<std::byte[]> owned;
  std::span<const std::byte> mapped;  ///< the file's bytes, which can be released once copied
  bool converted() const noexcept { return owned != nullptr; }
};

/// Takes tensors out of a checkpoint by role: finds them under either naming, checks their shapes,
/// undoes FP8 tiles, requantises matrices on request, and in the end knows what nobody asked for.
/// Every failure is Error(kBadModel) that names the file and the tensor. FP8 matrices stay as they
/// are, with their scales, where `backend` keeps_fp8 and nothing is requantised.
class WeightSource {
 public:
  WeightSource(const ModelConfig& config, const Checkpoint& checkpoint,
               std::optional<DType> requantize, const Backend* backend = nullptr);

  /// Whether the checkpoint has this tensor, under any of its names.
  bool has(TensorRole role, std::int64_t layer = -1, std::int64_t expert = -1) const;

  /// Finds a tensor, checks its shape and type, and counts it as taken, without reading it. Must
  /// exist and have expected_shape (or be the same but for dimensions of size one).
  const CheckpointTensor& locate(TensorRole role, std::int64_t layer = -1,
                                 std::int64_t expert = -1);
  /// The same, its bytes as stored; FP8 becomes BF16. Must exist and have expected_shape (or be the
  /// same but for dimensions of size one).
  LoadedTensor take(TensorRole role, std::int64_t layer = -1, std::int64_t expert = -1);
  /// The same, requantised, or FP8 with its scales (see above).
  LoadedTensor take_matrix(TensorRole role, std::int64_t layer = -1, std::int64_t expert = -1);
  /// The same as F32, whatever it is stored as.
  LoadedTensor take_f32(TensorRole role, std::int64_t layer = -1);
  /// Marks a tensor as known where it is present, without reading it.
  void skip(TensorRole role, std::int64_t layer = -1);

  /// The type that a matrix stored as `stored` with rows of `columns` is kept in.
  DType kept_type(DType stored, std::int64_t columns) const;
  /// The stored type of a role's tensor.
  DType stored_type(TensorRole role, std::int64_t layer, std::int64_t expert = -1) const;

  /// Throws for tensors that were never taken and are not known extras; `notes` hears of those.
  void check_all_taken(std::vector<std::string>& notes) const;

 private:
  const CheckpointTensor* find(TensorRole role, std::int64_t layer, std::int64_t expert,
                               std::string& name) const;
  const TensorView& fp8_scales(const std::string& name, const CheckpointTensor& tensor);
  std::optional<TileScales> kept_fp8(const std::string& name, const CheckpointTensor& tensor);
  LoadedTensor load(TensorRole role, std::int64_t layer, std::int64_t expert, bool keep_fp8);
  LoadedTensor dequantize_fp8(const TensorView& view, const TensorView& scales) const;
  [[noreturn]] void fail(const std::string& file, const std::string& what) const;
  bool is_prediction_layer(const std::string& name) const;

  const ModelConfig& config_;
  const Checkpoint& checkpoint_;
  std::optional<DType> requantize_;
  const Backend* backend_;
  TensorNaming naming_;
  std::set<std::string, std::less<>> taken_;
};

/// `view` (rows of blocks) in another type, in memory of its own; on several threads when large.
std::unique_ptr<std::byte[]> convert_rows(const TensorView& view, DType to);

/// The halves of MLA's joint up-projection (kKvB, in F32): kKB, transposed per head, and kVB.
LoadedTensor latent_key_half(const AttentionConfig& attention, const TensorView& joint);
LoadedTensor latent_value_half(const AttentionConfig& attention, const TensorView& joint);

}  // namespace moebench
