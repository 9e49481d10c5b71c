#include "engine/formats/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <span>
#include <utility>

#include "engine/base/error.h"
#include "engine/formats/gguf_types.h"
#include "engine/formats/printable.h"

namespace moebench {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read as little-endian");

constexpr std::uint64_t kMaxAlignment = 1 << 20;

/// Reads values one after another; every read is checked against the end of the file.
class Reader {
 public:
  Reader(std::string file, std::span<const std::byte> bytes)
      : file_(std::move(file)), bytes_(bytes) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::kBadModel, file_ + ": " + what,
                "fetch the file again or convert the model anew");
  }

  template <class T>
  T number(const char* what) {
    T value;
    need(sizeof value, what);
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

  std::string text(const char* what) {
    const auto length = number<std::uint64_t>(what);
    need(length, what);
    std::string value(reinterpret_cast<const char*>(bytes_.data() + at_), length);
    at_ += length;
    return value;
  }

  /// A number of things of which each takes at least `least_bytes`: no more than the file can hold,
  /// so that nothing is allocated on the word of a hostile count.
  std::uint64_t count(std::uint64_t least_bytes, const char* what) {
    const auto value = number<std::uint64_t>(what);
    if (value > (bytes_.size() - at_) / least_bytes) {
      fail(std::string("says it has ") + std::to_string(value) + " " + what +
           ", more than the file can hold (truncated?)");
    }
    return value;
  }

  std::uint64_t position() const noexcept { return at_; }
  std::span<const std::byte> since(std::uint64_t begin) const noexcept {
    return bytes_.subspan(begin, at_ - begin);
  }

 private:
  void need(std::uint64_t size, const char* what) const {
    if (size > bytes_.size() - at_) {
      fail(std::string("truncated: ends at byte ") + std::to_string(bytes_.size()) +
           " inside the " + what);
    }
  }

  std::string file_;
  std::span<const std::byte> bytes_;
  std::uint64_t at_ = 0;
};

template <class Wide, class Stored>
std::vector<Wide> number_array(Reader& reader) {
  std::vector<Wide> values(reader.count(sizeof(Stored), "array elements"));
  for (Wide& value : values) value = static_cast<Wide>(reader.number<Stored>("array"));
  return values;
}

bool truth(Reader& reader) {
  const auto byte = reader.number<std::uint8_t>("metadata");
  if (byte > 1) reader.fail("holds a bool that is " + std::to_string(byte));
  return byte == 1;
}

GgufValue parse_array(Reader& reader, const std::string& key) {
  switch (static_cast<GgufValueType>(reader.number<std::uint32_t>("metadata"))) {
    case GgufValueType::kU8:
      return number_array<std::int64_t, std::uint8_t>(reader);
    case GgufValueType::kI8:
      return number_array<std::int64_t, std::int8_t>(reader);
    case GgufValueType::kU16:
      return number_array<std::int64_t, std::uint16_t>(reader);
    case GgufValueType::kI16:
      return number_array<std::int64_t, std::int16_t>(reader);
    case GgufValueType::kU32:
      return number_array<std::int64_t, std::uint32_t>(reader);
    case GgufValueType::kI32:
      return number_array<std::int64_t, std::int32_t>(reader);
    case GgufValueType::kI64:
      return number_array<std::int64_t, std::int64_t>(reader);
    case GgufValueType::kF32:
      return number_array<double, float>(reader);
    case GgufValueType::kF64:
      return number_array<double, double>(reader);
    case GgufValueType::kU64: {
      std::vector<std::int64_t> values(reader.count(8, "array elements"));
      for (std::int64_t& value : values) {
        const auto stored = reader.number<std::uint64_t>("array");
        if (stored > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
          reader.fail("metadata key " + printable(key) + " holds a number out of range");
        }
        value = static_cast<std::int64_t>(stored);
      }
      return values;
    }
    case GgufValueType::kBool: {
      std::vector<bool> values(reader.count(1, "array elements"));
      for (auto&& value : values) value = truth(reader);
      return values;
    }
    case GgufValueType::kString: {
      std::vector<std::string> values(reader.count(8, "array elements"));
      for (std::string& value : values) value = reader.text("string array");
      return values;
    }
    case GgufValueType::kArray:
      reader.fail("metadata key " + printable(key) +
                  " is an array of arrays, which is not supported");
  }
  reader.fail("metadata key " + printable(key) + " is an array of an unknown type");
}

GgufValue parse_value(Reader& reader, const std::string& key) {
  const auto type = reader.number<std::uint32_t>("metadata");
  switch (static_cast<GgufValueType>(type)) {
    case GgufValueType::kU8:
      return std::uint64_t{reader.number<std::uint8_t>("metadata")};
    case GgufValueType::kI8:
      return std::int64_t{reader.number<std::int8_t>("metadata")};
    case GgufValueType::kU16:
      return std::uint64_t{reader.number<std::uint16_t>("metadata")};
    case GgufValueType::kI16:
      return std::int64_t{reader.number<std::int16_t>("metadata")};
    case GgufValueType::kU32:
      return std::uint64_t{reader.number<std::uint32_t>("metadata")};
    case GgufValueType::kI32:
      return std::int64_t{reader.number<std::int32_t>("metadata")};
    case GgufValueType::kU64:
      return reader.number<std::uint64_t>("metadata");
    case GgufValueType::kI64:
      return reader.number<std::int64_t>("metadata");
    case GgufValueType::kF32:
      return double{reader.number<float>("metadata")};
    case GgufValueType::kF64:
      return reader.number<double>("metadata");
    case GgufValueType::kBool:
      return truth(reader);
    case GgufValueType::kString:
      return reader.text("metadata");
    case GgufValueType::kArray:
      return parse_array(reader, key);
  }
  reader.fail("metadata key " + printable(key) + " has the unknown type " + std::to_string(type));
}

/// A tensor of the header, its data not yet looked at.
struct Entry {
  std::string name;
  DType dtype;
  Shape shape;
  std::uint64_t offset, bytes;
};

Entry parse_entry(Reader& reader) {
  Entry entry;
  entry.name = reader.text("tensor list");
  const std::string where = "tensor " + printable(entry.name);
  const auto rank = reader.number<std::uint32_t>("tensor list");
  if (rank == 0 || rank > Shape::kMaxRank) {
    reader.fail(where + " has " + std::to_string(rank) + " dimensions, not 1 to 4");
  }
  std::array<std::int64_t, Shape::kMaxRank> dims{};  // innermost first, as GGUF writes them
  std::uint64_t elements = 1;
  for (std::uint32_t i = 0; i < rank; ++i) {
    const auto dim = reader.number<std::uint64_t>("tensor list");
    if (dim == 0 || __builtin_mul_overflow(elements, dim, &elements) || elements >> 48 != 0) {
      reader.fail(where + " has an impossible dimension, " + std::to_string(dim));
    }
    dims[i] = static_cast<std::int64_t>(dim);
  }
  switch (rank) {
    case 1:
      entry.shape = {dims[0]};
      break;
    case 2:
      entry.shape = {dims[1], dims[0]};
      break;
    case 3:
      entry.shape = {dims[2], dims[1], dims[0]};
      break;
    default:
      entry.shape = {dims[3], dims[2], dims[1], dims[0]};
      break;
  }
  const auto type = reader.number<std::uint32_t>("tensor list");
  const std::optional<DType> dtype = dtype_of_gguf(type);
  if (!dtype) {
    reader.fail(where + " is stored as " + gguf_type_name(type) + ", which is not supported");
  }
  entry.dtype = *dtype;
  const std::size_t block = traits(*dtype).block_elements;
  if (static_cast<std::uint64_t>(dims[0]) % block != 0) {
    reader.fail(where + " has rows of " + std::to_string(dims[0]) + ", no multiple of " +
                std::string(name(*dtype)) + "'s block of " + std::to_string(block));
  }
  entry.bytes = elements / block * traits(*dtype).block_bytes;
  entry.offset = reader.number<std::uint64_t>("tensor list");
  return entry;
}

GgufMetadata::Values parse_metadata(Reader& reader, std::uint64_t n_values,
                                    std::vector<GgufRawValue>& raw) {
  GgufMetadata::Values values;
  for (std::uint64_t i = 0; i < n_values; ++i) {
    std::string key = reader.text("metadata");
    const std::uint64_t begin = reader.position();
    GgufValue value = parse_value(reader, key);
    raw.push_back({key, reader.since(begin)});
    const auto [at, inserted] = values.try_emplace(std::move(key), std::move(value));
    if (!inserted) reader.fail("metadata key " + printable(at->first) + " occurs twice");
  }
  return values;
}

std::uint64_t alignment_of(const GgufMetadata& metadata, const Reader& reader) {
  const std::optional<std::int64_t> stated = metadata.find_int("general.alignment");
  if (!stated) return kGgufDefaultAlignment;
  const auto alignment = static_cast<std::uint64_t>(*stated);
  if (*stated < 1 || alignment > kMaxAlignment || !std::has_single_bit(alignment)) {
    reader.fail("general.alignment is " + std::to_string(*stated) + ", no usable power of two");
  }
  return alignment;
}

void check_overlaps(const Reader& reader, std::vector<Entry> entries) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.offset < b.offset; });
  for (std::size_t i = 1; i < entries.size(); ++i) {
    if (entries[i - 1].offset + entries[i - 1].bytes > entries[i].offset) {
      reader.fail("tensors " + printable(entries[i - 1].name) + " and " +
                  printable(entries[i].name) + " overlap");
    }
  }
}

/// One file: adds its tensors and returns its metadata.
GgufMetadata parse_part(const ModelFiles& files, const ModelFiles::File& part,
                        Checkpoint::Tensors& tensors, std::vector<GgufRawValue>& raw) {
  const std::string path = files.path_of(part.name);
  Reader reader(path, part.bytes);
  if (reader.number<std::uint32_t>("header") != kGgufMagic) reader.fail("not a GGUF file");
  const auto version = reader.number<std::uint32_t>("header");
  if (version != 2 && version != 3) {
    reader.fail("GGUF version " + std::to_string(version) +
                " is not supported (2 and 3 are; a big-endian file reads as a huge version)");
  }
  const std::uint64_t n_tensors = reader.count(24, "tensors");
  const std::uint64_t n_values = reader.count(13, "metadata values");
  GgufMetadata metadata(path, parse_metadata(reader, n_values, raw));
  std::vector<Entry> entries;
  entries.reserve(n_tensors);
  for (std::uint64_t i = 0; i < n_tensors; ++i) entries.push_back(parse_entry(reader));

  const std::uint64_t alignment = alignment_of(metadata, reader);
  const std::uint64_t begin = (reader.position() + alignment - 1) / alignment * alignment;
  const std::uint64_t available = part.bytes.size() > begin ? part.bytes.size() - begin : 0;
  for (const Entry& entry : entries) {
    const std::string where = "tensor " + printable(entry.name);
    if (entry.offset % alignment != 0) reader.fail(where + " is not aligned");
    if (entry.offset > available || entry.bytes > available - entry.offset) {
      reader.fail("truncated: " + where + " needs " + std::to_string(entry.bytes) +
                  " bytes at offset " + std::to_string(entry.offset) + " of " +
                  std::to_string(available));
    }
    const TensorView view{part.bytes.data() + begin + entry.offset, entry.dtype, entry.shape};
    const auto [at, inserted] = tensors.try_emplace(entry.name, CheckpointTensor{view, part.name});
    if (!inserted) reader.fail(where + " is in " + at->second.file + " already");
  }
  check_overlaps(reader, std::move(entries));
  return metadata;
}

[[noreturn]] void fail_split(const GgufMetadata& metadata, const std::string& what) {
  throw Error(ErrorCode::kBadModel, metadata.file() + ": " + what,
              "put all parts of the split file, under their own names, into one directory");
}

}  // namespace

GgufModel open_gguf(std::shared_ptr<const ModelFiles> files) {
  if (!files->is_gguf()) {
    throw Error(ErrorCode::kBadModel, files->location() + ": not a GGUF model",
                "name a .gguf file");
  }
  Checkpoint::Tensors tensors;
  std::optional<GgufMetadata> first;
  std::vector<GgufRawValue> first_raw;
  std::int64_t number = 0;
  const auto n_parts = static_cast<std::int64_t>(files->files().size());
  for (const ModelFiles::File& part : files->files()) {
    std::vector<GgufRawValue> raw;
    GgufMetadata metadata = parse_part(*files, part, tensors, raw);
    const std::int64_t stated_parts = metadata.find_int("split.count").value_or(1);
    if (std::max<std::int64_t>(stated_parts, 1) != n_parts) {
      fail_split(metadata, "says it is one of " + std::to_string(stated_parts) + " parts, " +
                               std::to_string(n_parts) + " are here");
    }
    if (n_parts > 1 && metadata.require_int("split.no") != number) {
      fail_split(metadata, "says it is part " +
                               std::to_string(metadata.require_int("split.no") + 1) +
                               ", its name says " + std::to_string(number + 1));
    }
    if (!first) {
      first = std::move(metadata);
      first_raw = std::move(raw);
    }
    ++number;
  }
  const std::optional<std::int64_t> total = first->find_int("split.tensors.count");
  if (total && n_parts > 1 && *total != static_cast<std::int64_t>(tensors.size())) {
    fail_split(*first, "says the parts hold " + std::to_string(*total) + " tensors, they hold " +
                           std::to_string(tensors.size()));
  }
  return {*std::move(first), Checkpoint("gguf", std::move(files), std::move(tensors)),
          std::move(first_raw)};
}

}  // namespace moebench
