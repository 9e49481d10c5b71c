#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/formats/checkpoint.h"
#include "engine/formats/json_document.h"
#include "engine/formats/printable.h"

namespace moebench {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kSingle = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit

struct Spelling {
  std::string_view name;
  DType dtype;
};
constexpr std::array<Spelling, 6> kDTypes = {{{"F32", DType::kF32},
                                              {"F16", DType::kF16},
                                              {"BF16", DType::kBF16},
                                              {"F8_E4M3", DType::kF8E4M3},
                                              {"I32", DType::kI32},
                                              {"I64", DType::kI64}}};

[[noreturn]] void fail(const std::string& file, const std::string& what) {
  throw Error(ErrorCode::kBadModel, file + ": " + what,
              "fetch the file again or convert the model anew");
}

std::uint64_t unsigned_value(const Json& value, const std::string& file, const std::string& what) {
  if (!value.is_number_unsigned()) fail(file, what + " is not a non-negative integer");
  return value.get<std::uint64_t>();
}

std::optional<DType> dtype_of(std::string_view name) noexcept {
  for (const Spelling& spelling : kDTypes)
    if (spelling.name == name) return spelling.dtype;
  return std::nullopt;
}

struct Extent {
  std::uint64_t begin, end;
  std::string tensor;
};

/// One entry of a header, checked against the data section `data`.
TensorView parse_tensor(const std::string& file, const std::string& tensor, const Json& entry,
                        std::span<const std::byte> data, std::vector<Extent>& extents) {
  const std::string where = "tensor " + printable(tensor);
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets") || !entry["dtype"].is_string() ||
      !entry["shape"].is_array() || !entry["data_offsets"].is_array() ||
      entry["data_offsets"].size() != 2) {
    fail(file, where + " needs dtype, shape and two data_offsets");
  }
  const std::string dtype_name = entry["dtype"].get<std::string>();
  const std::optional<DType> dtype = dtype_of(dtype_name);
  if (!dtype) {
    fail(file, where + " has dtype " + printable(dtype_name) +
                   ", which is not supported (F32, F16, BF16, F8_E4M3 are)");
  }
  const Json& dims = entry["shape"];
  if (dims.size() > Shape::kMaxRank) {
    fail(file, where + " has " + std::to_string(dims.size()) + " dimensions, more than 4");
  }
  const std::uint64_t begin =
      unsigned_value(entry["data_offsets"][0], file, where + " data_offsets");
  const std::uint64_t end = unsigned_value(entry["data_offsets"][1], file, where + " data_offsets");
  if (begin > end || end > data.size()) {
    fail(file, where + " lies at bytes " + std::to_string(begin) + " to " + std::to_string(end) +
                   " of a data section of " + std::to_string(data.size()) + " bytes");
  }
  // A scalar (rank 0) is kept as one element.
  std::uint64_t bytes = traits(*dtype).block_bytes;
  std::array<std::int64_t, Shape::kMaxRank> sizes{};
  std::size_t rank = 0;
  for (const Json& dim : dims) {
    const std::uint64_t size = unsigned_value(dim, file, where + " shape");
    if (size > data.size() || __builtin_mul_overflow(bytes, size, &bytes)) {
      fail(file, where + " has a shape that no file of this size can hold");
    }
    sizes[rank++] = static_cast<std::int64_t>(size);
  }
  if (bytes != end - begin) {
    fail(file, where + " says " + std::to_string(bytes) + " bytes by dtype and shape but " +
                   std::to_string(end - begin) + " by data_offsets");
  }
  Shape shape;
  switch (rank) {
    case 0:
      shape = {1};
      break;
    case 1:
      shape = {sizes[0]};
      break;
    case 2:
      shape = {sizes[0], sizes[1]};
      break;
    case 3:
      shape = {sizes[0], sizes[1], sizes[2]};
      break;
    default:
      shape = {sizes[0], sizes[1], sizes[2], sizes[3]};
      break;
  }
  if (bytes > 0) extents.push_back({begin, end, tensor});
  return TensorView{data.data() + begin, *dtype, shape};
}

void parse_shard(const ModelFiles& files, const ModelFiles::File& shard,
                 Checkpoint::Tensors& tensors) {
  const std::string file = files.path_of(shard.name);
  std::uint64_t header_bytes = 0;
  if (shard.bytes.size() < sizeof header_bytes) fail(file, "too short for a safetensors header");
  std::memcpy(&header_bytes, shard.bytes.data(), sizeof header_bytes);
  const std::uint64_t available = shard.bytes.size() - sizeof header_bytes;
  if (header_bytes > available || header_bytes > kMaxHeaderBytes) {
    fail(file, "the header says it is " + std::to_string(header_bytes) +
                   " bytes long, the file has " + std::to_string(available) + " after its length");
  }
  const std::string_view text = shard.text().substr(sizeof header_bytes, header_bytes);
  const std::span<const std::byte> data = shard.bytes.subspan(sizeof header_bytes + header_bytes);
  const Json header = parse_json_document(text, file, DuplicateKeys::kError);
  if (!header.is_object()) fail(file, "the header is not a JSON object");
  std::vector<Extent> extents;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const TensorView view = parse_tensor(file, name, entry, data, extents);
    const auto [at, inserted] = tensors.try_emplace(name, CheckpointTensor{view, shard.name});
    if (!inserted)
      fail(file, "tensor " + printable(name) + " is in " + at->second.file + " already");
  }
  std::sort(extents.begin(), extents.end(),
            [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
  for (std::size_t i = 1; i < extents.size(); ++i) {
    if (extents[i].begin < extents[i - 1].end) {
      fail(file, "tensors " + printable(extents[i - 1].tensor) + " and " +
                     printable(extents[i].tensor) + " overlap");
    }
  }
  if (!extents.empty() && extents.back().end != data.size()) {
    fail(file, "holds " + std::to_string(data.size() - extents.back().end) +
                   " bytes after its last tensor");
  }
}

/// A shard is a file beside the index; an index from elsewhere must not lead to any other.
void require_beside(const std::string& file, const std::string& tensor, const std::string& shard) {
  if (shard.find('/') == std::string::npos && shard != "." && shard != "..") return;
  const std::filesystem::path path = std::filesystem::path(shard).lexically_normal();
  const bool outside = path.is_absolute() || *path.begin() == "..";
  throw Error(ErrorCode::kBadModel,
              file + ": weight_map of " + printable(tensor) + " names " + printable(shard) +
                  (outside ? ", which points outside the model's folder"
                           : ", which is not the name of a file in the model's folder"),
              "put the shard beside the index and name it without a folder");
}

void parse_sharded(const ModelFiles& files, const ModelFiles::File& index_file,
                   Checkpoint::Tensors& tensors) {
  const std::string file = files.path_of(index_file.name);
  const Json index = parse_json_document(index_file.text(), file, DuplicateKeys::kError);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    fail(file, "has no weight_map object");
  }
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : index["weight_map"].items()) {
    if (!shard.is_string())
      fail(file, "weight_map of " + printable(tensor) + " is not a file name");
    require_beside(file, tensor, shard.get_ref<const std::string&>());
    shards.insert(shard.get<std::string>());
  }
  for (const std::string& shard : shards) {
    const ModelFiles::File* found = files.find(shard);
    if (found == nullptr) {
      throw Error(ErrorCode::kBadModel,
                  files.location() + ": " + printable(shard) + " is missing, a shard that " +
                      index_file.name + " names",
                  "complete the model's directory (an interrupted download?)");
    }
    parse_shard(files, *found, tensors);
  }
  for (const auto& [tensor, shard] : index["weight_map"].items()) {
    const auto found = tensors.find(tensor);
    if (found == tensors.end() || found->second.file != shard.get_ref<const std::string&>()) {
      fail(file, "tensor " + printable(tensor) + " should be in " +
                     printable(shard.get<std::string>()) + " but is not");
    }
  }
}

}  // namespace

Checkpoint open_safetensors(std::shared_ptr<const ModelFiles> files) {
  Checkpoint::Tensors tensors;
  if (const ModelFiles::File* index = files->find(kIndex)) {
    parse_sharded(*files, *index, tensors);
  } else {
    parse_shard(*files, files->require(kSingle), tensors);
  }
  return {"safetensors", std::move(files), std::move(tensors)};
}

}  // namespace moebench
