#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/formats/gguf_types.h"
#include "engine/tensor/tensor.h"

namespace moebench {

/// Writes one GGUF version 3 file: first all metadata and all tensors' names and shapes, then their
/// bytes in the same order, so that no tensor need be in memory with another. The file appears
/// under its name only when finish() is done; an abandoned one is removed. Throws Error(kIo) when
/// the disk does not take it.
class GgufWriter {
 public:
  explicit GgufWriter(std::filesystem::path path);
  ~GgufWriter();
  GgufWriter(const GgufWriter&) = delete;
  GgufWriter& operator=(const GgufWriter&) = delete;

  void add_u32(std::string_view key, std::uint32_t value);
  void add_f32(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_string(std::string_view key, std::string_view value);
  void add_strings(std::string_view key, std::span<const std::string> values);
  void add_i32s(std::string_view key, std::span<const std::int32_t> values);
  void add_f32s(std::string_view key, std::span<const float> values);
  void add_bools(std::string_view key, const std::vector<bool>& values);
  /// A value as another file stores it: its type's number, then its bytes
  /// (GgufModel::raw_metadata).
  void add_raw(std::string_view key, std::span<const std::byte> type_and_value);

  /// Precondition: a type that GGUF has; whole blocks a row.
  void add_tensor(std::string_view name, DType dtype, const Shape& shape);

  /// The next bytes of the tensors' data, tensor by tensor; a tensor may come in several pieces.
  void write(std::span<const std::byte> bytes);
  void finish();

 private:
  void begin_value(std::string_view key, GgufValueType type);
  void begin_array(std::string_view key, GgufValueType type, std::size_t size);
  void begin_data();
  void pad_to_alignment();

  std::filesystem::path path_, temporary_;
  std::ofstream file_;
  std::string values_, tensors_;
  std::uint64_t n_values_ = 0, n_tensors_ = 0;
  std::uint64_t offset_ = 0;          ///< of the next tensor to be added
  std::vector<std::uint64_t> sizes_;  ///< bytes of each tensor
  std::size_t current_ = 0;           ///< tensor being written
  std::uint64_t written_of_current_ = 0;
  bool data_begun_ = false, finished_ = false;
};

}  // namespace moebench
