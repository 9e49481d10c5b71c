#include "engine/formats/gguf_writer.h"

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/error.h"

namespace moebench {
namespace {

constexpr std::uint32_t kVersion = 3;

template <class T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void append_text(std::string& out, std::string_view text) {
  append<std::uint64_t>(out, text.size());
  out += text;
}

std::uint64_t aligned(std::uint64_t size) noexcept {
  return (size + kGgufDefaultAlignment - 1) / kGgufDefaultAlignment * kGgufDefaultAlignment;
}

}  // namespace

GgufWriter::GgufWriter(std::filesystem::path path)
    : path_(std::move(path)), temporary_(path_.string() + ".partial") {
  file_.open(temporary_, std::ios::binary | std::ios::trunc);
  if (!file_) {
    throw Error(ErrorCode::kIo, temporary_.string() + ": cannot create: " + std::strerror(errno),
                "choose a directory that exists and can be written");
  }
}

GgufWriter::~GgufWriter() {
  if (finished_) return;
  file_.close();
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void GgufWriter::begin_value(std::string_view key, GgufValueType type) {
  append_text(values_, key);
  append(values_, static_cast<std::uint32_t>(type));
  ++n_values_;
}

void GgufWriter::begin_array(std::string_view key, GgufValueType type, std::size_t size) {
  begin_value(key, GgufValueType::kArray);
  append(values_, static_cast<std::uint32_t>(type));
  append<std::uint64_t>(values_, size);
}

void GgufWriter::add_u32(std::string_view key, std::uint32_t value) {
  begin_value(key, GgufValueType::kU32);
  append(values_, value);
}

void GgufWriter::add_f32(std::string_view key, float value) {
  begin_value(key, GgufValueType::kF32);
  append(values_, value);
}

void GgufWriter::add_bool(std::string_view key, bool value) {
  begin_value(key, GgufValueType::kBool);
  append(values_, static_cast<std::uint8_t>(value));
}

void GgufWriter::add_string(std::string_view key, std::string_view value) {
  begin_value(key, GgufValueType::kString);
  append_text(values_, value);
}

void GgufWriter::add_strings(std::string_view key, std::span<const std::string> values) {
  begin_array(key, GgufValueType::kString, values.size());
  for (const std::string& value : values) append_text(values_, value);
}

void GgufWriter::add_i32s(std::string_view key, std::span<const std::int32_t> values) {
  begin_array(key, GgufValueType::kI32, values.size());
  for (const std::int32_t value : values) append(values_, value);
}

void GgufWriter::add_f32s(std::string_view key, std::span<const float> values) {
  begin_array(key, GgufValueType::kF32, values.size());
  for (const float value : values) append(values_, value);
}

void GgufWriter::add_bools(std::string_view key, const std::vector<bool>& values) {
  begin_array(key, GgufValueType::kBool, values.size());
  for (const bool value : values) append(values_, static_cast<std::uint8_t>(value));
}

void GgufWriter::add_raw(std::string_view key, std::span<const std::byte> type_and_value) {
  append_text(values_, key);
  values_.append(reinterpret_cast<const char*>(type_and_value.data()), type_and_value.size());
  ++n_values_;
}

void GgufWriter::add_tensor(std::string_view name, DType dtype, const Shape& shape) {
  MOEBENCH_CHECK(!data_begun_ && gguf_type_of(dtype).has_value());
  append_text(tensors_, name);
  append(tensors_, static_cast<std::uint32_t>(shape.rank()));
  for (std::size_t i = shape.rank(); i-- > 0;) {
    append(tensors_, static_cast<std::uint64_t>(shape[i]));
  }
  append(tensors_, *gguf_type_of(dtype));
  append(tensors_, offset_);
  sizes_.push_back(row_bytes(dtype, static_cast<std::size_t>(shape.elements())));
  offset_ += aligned(sizes_.back());
  ++n_tensors_;
}

void GgufWriter::begin_data() {
  std::string header;
  append(header, kGgufMagic);
  append(header, kVersion);
  append(header, n_tensors_);
  append(header, n_values_);
  file_ << header << values_ << tensors_;
  data_begun_ = true;
  pad_to_alignment();
}

void GgufWriter::pad_to_alignment() {
  const auto at = static_cast<std::uint64_t>(file_.tellp());
  const std::string padding(aligned(at) - at, '\0');
  file_ << padding;
}

void GgufWriter::write(std::span<const std::byte> bytes) {
  if (!data_begun_) begin_data();
  MOEBENCH_CHECK(current_ < sizes_.size() &&
                 bytes.size() <= sizes_[current_] - written_of_current_);
  file_.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  written_of_current_ += bytes.size();
  if (written_of_current_ == sizes_[current_]) {
    pad_to_alignment();
    ++current_;
    written_of_current_ = 0;
  }
  if (!file_) {
    throw Error(ErrorCode::kIo, temporary_.string() + ": cannot write: " + std::strerror(errno),
                "free some disk space");
  }
}

void GgufWriter::finish() {
  if (!data_begun_) begin_data();
  MOEBENCH_CHECK(current_ == sizes_.size());
  file_.close();
  std::error_code error;
  if (file_) std::filesystem::rename(temporary_, path_, error);
  if (!file_ || error) {
    throw Error(ErrorCode::kIo, path_.string() + ": cannot write: " + std::strerror(errno),
                "free some disk space, or choose another directory");
  }
  finished_ = true;
}

}  // namespace moebench
