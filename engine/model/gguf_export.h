#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/formats/gguf_writer.h"
#include "engine/model/model_source.h"
#include "engine/model/weight_source.h"

namespace moebench {

/// A Hugging Face model written down as GGUF, in the names, layouts and keys of its architecture's
/// usual converters, so that llama.cpp reads it as well as config_from_gguf does: FP8 undone,
/// experts stacked, q and k permuted where the family's GGUF layout pairs neighbours, MLA's
/// up-projection split in two. Matrices become `type`; norms, biases, routers and gates are F32;
/// rows that fill no block of `type` become q8_0 or stay as they are.
class GgufExport {
 public:
  /// Plans, reading nothing. `source` must be a Hugging Face model and outlive this. Throws
  /// Error(kBadModel) for missing, unexpected or misshapen tensors, Error(kUsage) for a setting
  /// that GGUF has no word for.
  GgufExport(const ModelSource& source, DType type);

  /// The architecture's metadata keys, general.architecture included.
  void add_keys(GgufWriter& writer) const;
  void add_tensors(GgufWriter& writer) const;
  /// Reads, converts and writes tensor by tensor (experts one by one), in the order of add_tensors.
  void write_tensors(GgufWriter& writer);

  std::int64_t tensors() const noexcept { return static_cast<std::int64_t>(plans_.size()); }
  /// Those that become `type` and were of another.
  std::int64_t converted() const noexcept { return converted_; }
  std::int64_t bytes_before() const noexcept { return bytes_before_; }
  std::int64_t bytes_after() const noexcept;
  /// What was left out or could not become `type`, and where llama.cpp computes another thing.
  const std::vector<std::string>& notes() const noexcept { return notes_; }

 private:
  struct Plan {
    std::string name;
    DType type;
    Shape shape;
    TensorRole role;
    std::int64_t layer;
    bool divisors = false;  ///< not a role's: Llama 3's rotary divisors
  };

  void check_sayable() const;
  void note_differences();
  void plan(TensorRole role, std::int64_t layer = -1);
  void plan_layer(std::int64_t layer);
  DType type_of(TensorRole role, const Shape& shape, DType stored);
  void add_attention_keys(GgufWriter& writer, const std::string& prefix) const;
  void add_rope_keys(GgufWriter& writer, const std::string& prefix) const;
  void add_moe_keys(GgufWriter& writer, const std::string& prefix, const MoeConfig& moe) const;

  const LayerConfig* layer_config(std::int64_t layer) const;
  /// Which tensor of the checkpoint a role's export comes from, and its locate()d parts' bytes.
  DType locate_sources(TensorRole role, std::int64_t layer);
  /// Rows of each head whose rotary part has to change from halves to neighbours; heads is 0 where
  /// nothing changes.
  struct Rotation {
    std::int64_t heads = 0, rotated = 0;
  };
  Rotation rotation_of(TensorRole role, std::int64_t layer) const;
  void write_stack(GgufWriter& writer, const Plan& plan);
  void write_rows(GgufWriter& writer, const TensorView& view, DType to) const;

  const ModelSource& source_;
  const ModelConfig& config_;
  DType type_;
  WeightSource weights_;
  std::vector<Plan> plans_;
  std::vector<std::string> notes_;
  std::int64_t converted_ = 0, bytes_before_ = 0, substituted_ = 0;
};

}  // namespace moebench
