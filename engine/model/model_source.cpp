#include "engine/model/model_source.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "engine/base/error.h"
#include "engine/model/families.h"

namespace moebench {

ModelSource open_model(std::shared_ptr<const ModelFiles> files) {
  if (files->is_gguf()) {
    GgufModel model = open_gguf(files);
    ModelConfig config = config_from_gguf(model.metadata, model.checkpoint);
    return {std::move(files), std::move(model.checkpoint), std::move(config),
            std::move(model.metadata)};
  }
  ModelConfig config =
      config_from_hugging_face(files->require("config.json").text(), files->path_of("config.json"));
  Checkpoint checkpoint = open_safetensors(files);
  return {std::move(files), std::move(checkpoint), std::move(config), std::nullopt};
}

std::string model_sha256(const ModelFiles& files) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  bool good = context != nullptr && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  const auto add = [&](const void* data, std::size_t size) {
    good = good && EVP_DigestUpdate(context.get(), data, size) == 1;
  };
  constexpr std::size_t kChunkBytes = 64 << 20;
  for (const ModelFiles::File& file : files.files()) {
    const std::string header = file.name + '\0' + std::to_string(file.bytes.size()) + '\0';
    add(header.data(), header.size());
    for (std::size_t at = 0; at < file.bytes.size(); at += kChunkBytes) {
      const auto chunk = file.bytes.subspan(at, std::min(kChunkBytes, file.bytes.size() - at));
      add(chunk.data(), chunk.size());
      files.release_pages(chunk);  // a model larger than memory must not push out everything else
    }
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  good = good && EVP_DigestFinal_ex(context.get(), digest.data(), &size) == 1;
  if (!good) throw Error(ErrorCode::kInternal, "SHA-256 failed", "");
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    constexpr std::string_view kHex = "0123456789abcdef";
    text += kHex[digest[i] >> 4];
    text += kHex[digest[i] & 15];
  }
  return text;
}

}  // namespace moebench
