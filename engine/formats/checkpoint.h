#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "engine/formats/model_files.h"
#include "engine/tensor/tensor.h"

namespace moebench {

/// A named tensor of a checkpoint: a view into the mapped file, checked to lie inside it.
struct CheckpointTensor {
  TensorView view;   ///< (out, in) for matrices, whatever order the file keeps its dimensions in
  std::string file;  ///< name within ModelFiles
};

/// Tensor name -> view. Immutable; the views live as long as files().
class Checkpoint {
 public:
  using Tensors = std::map<std::string, CheckpointTensor, std::less<>>;

  Checkpoint(std::string format, std::shared_ptr<const ModelFiles> files, Tensors tensors)
      : format_(std::move(format)), files_(std::move(files)), tensors_(std::move(tensors)) {}

  const std::string& format() const noexcept { return format_; }  ///< "safetensors" or "gguf"
  const std::shared_ptr<const ModelFiles>& files() const noexcept { return files_; }
  const Tensors& tensors() const noexcept { return tensors_; }
  const CheckpointTensor* find(std::string_view name) const noexcept {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
  }

 private:
  std::string format_;
  std::shared_ptr<const ModelFiles> files_;
  Tensors tensors_;
};

/// All tensors of model.safetensors, or of the shards that model.safetensors.index.json names.
/// Throws Error(kBadModel) that names the file and what is wrong: a header that lies about sizes,
/// overlapping or duplicate tensors, an unknown dtype, a missing shard.
Checkpoint open_safetensors(std::shared_ptr<const ModelFiles> files);

}  // namespace moebench
