#include <limits>
#include <utility>

#include "engine/base/error.h"
#include "engine/formats/gguf.h"
#include "engine/formats/printable.h"

namespace moebench {
namespace {

[[noreturn]] void fail(const std::string& file, std::string_view key, const std::string& what) {
  throw Error(ErrorCode::kBadModel, file + ": metadata key " + printable(key) + " " + what,
              "convert the model anew with a current converter");
}

template <class T>
const std::vector<T>* array_of(const GgufValue* value, const std::string& file,
                               std::string_view key, const char* type) {
  if (value == nullptr) return nullptr;
  if (const auto* array = std::get_if<std::vector<T>>(value)) return array;
  fail(file, key, std::string("is not an array of ") + type);
}

}  // namespace

const GgufValue* GgufMetadata::find(std::string_view key) const noexcept {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

std::optional<std::int64_t> GgufMetadata::find_int(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<std::int64_t>(value)) return *number;
  if (const auto* number = std::get_if<std::uint64_t>(value)) {
    if (*number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      fail(file_, key, "is out of range");
    }
    return static_cast<std::int64_t>(*number);
  }
  fail(file_, key, "is not an integer");
}

std::optional<double> GgufMetadata::find_float(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<double>(value)) return *number;
  if (const auto* number = std::get_if<std::int64_t>(value)) return static_cast<double>(*number);
  if (const auto* number = std::get_if<std::uint64_t>(value)) return static_cast<double>(*number);
  fail(file_, key, "is not a number");
}

std::optional<bool> GgufMetadata::find_bool(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* truth = std::get_if<bool>(value)) return *truth;
  fail(file_, key, "is not a bool");
}

std::optional<std::string> GgufMetadata::find_string(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* text = std::get_if<std::string>(value)) return *text;
  fail(file_, key, "is not a string");
}

const std::vector<std::string>* GgufMetadata::find_strings(std::string_view key) const {
  return array_of<std::string>(find(key), file_, key, "strings");
}
const std::vector<std::int64_t>* GgufMetadata::find_ints(std::string_view key) const {
  return array_of<std::int64_t>(find(key), file_, key, "integers");
}
const std::vector<double>* GgufMetadata::find_floats(std::string_view key) const {
  return array_of<double>(find(key), file_, key, "floats");
}
const std::vector<bool>* GgufMetadata::find_bools(std::string_view key) const {
  return array_of<bool>(find(key), file_, key, "bools");
}

std::int64_t GgufMetadata::require_int(std::string_view key) const {
  if (const std::optional<std::int64_t> value = find_int(key)) return *value;
  fail(file_, key, "is missing");
}
double GgufMetadata::require_float(std::string_view key) const {
  if (const std::optional<double> value = find_float(key)) return *value;
  fail(file_, key, "is missing");
}
std::string GgufMetadata::require_string(std::string_view key) const {
  if (std::optional<std::string> value = find_string(key)) return *std::move(value);
  fail(file_, key, "is missing");
}
const std::vector<std::string>& GgufMetadata::require_strings(std::string_view key) const {
  if (const std::vector<std::string>* value = find_strings(key)) return *value;
  fail(file_, key, "is missing");
}

}  // namespace moebench
