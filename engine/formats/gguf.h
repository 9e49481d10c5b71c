#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/formats/checkpoint.h"

namespace moebench {

/// A metadata value. Integers of every width are widened to 64 bits, floats to double.
using GgufValue =
    std::variant<std::int64_t, std::uint64_t, double, bool, std::string, std::vector<std::int64_t>,
                 std::vector<double>, std::vector<bool>, std::vector<std::string>>;

/// The key-value part of a GGUF file. Getters come in two kinds: find_* gives nothing where the key
/// is absent, require_* throws Error(kBadModel) that names the key; both throw when the key holds
/// another type. Integers convert between signednesses when the value fits; int to float too.
class GgufMetadata {
 public:
  using Values = std::map<std::string, GgufValue, std::less<>>;
  GgufMetadata(std::string file, Values values)
      : file_(std::move(file)), values_(std::move(values)) {}

  const Values& values() const noexcept { return values_; }
  const std::string& file() const noexcept { return file_; }  ///< for messages
  bool contains(std::string_view key) const noexcept { return values_.find(key) != values_.end(); }

  std::optional<std::int64_t> find_int(std::string_view key) const;
  std::optional<double> find_float(std::string_view key) const;
  std::optional<bool> find_bool(std::string_view key) const;
  std::optional<std::string> find_string(std::string_view key) const;
  /// The array itself, or nullptr.
  const std::vector<std::string>* find_strings(std::string_view key) const;
  const std::vector<std::int64_t>* find_ints(std::string_view key) const;
  const std::vector<double>* find_floats(std::string_view key) const;
  const std::vector<bool>* find_bools(std::string_view key) const;

  std::int64_t require_int(std::string_view key) const;
  double require_float(std::string_view key) const;
  std::string require_string(std::string_view key) const;
  const std::vector<std::string>& require_strings(std::string_view key) const;

 private:
  const GgufValue* find(std::string_view key) const noexcept;

  std::string file_;
  Values values_;
};

/// A metadata entry as the file stores it, for copying it into another file unchanged.
struct GgufRawValue {
  std::string key;
  std::span<const std::byte> type_and_value;
};

struct GgufModel {
  GgufMetadata metadata;  ///< of the first part
  Checkpoint checkpoint;
  std::vector<GgufRawValue> raw_metadata;  ///< of the first part, in the file's order
};

/// GGUF version 2 or 3, little-endian, one file or all parts of a split one. Throws
/// Error(kBadModel) that names the file and what is wrong: a truncated file, counts and lengths
/// that the file cannot hold, an unknown tensor type, misaligned or overlapping data.
GgufModel open_gguf(std::shared_ptr<const ModelFiles> files);

}  // namespace moebench
