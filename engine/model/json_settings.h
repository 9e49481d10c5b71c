#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/formats/printable.h"

namespace moebench {

/// A JSON object of settings, read key by key. Keys set to null count as absent. Remembers which
/// keys were asked for.
class JsonSettings {
  using Json = nlohmann::json;

 public:
  JsonSettings(const Json& object, std::string file, std::string path)
      : object_(object), file_(std::move(file)), path_(std::move(path)) {}

  [[noreturn]] void fail(std::string_view key, const std::string& what) const {
    throw Error(ErrorCode::kBadModel,
                file_ + ": key " + printable(path_ + std::string(key)) + " " + what,
                "the model asks for something that this engine does not have, or its "
                "configuration is damaged");
  }

  const Json* find(std::string_view key) {
    seen_.emplace(key);
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  std::optional<std::int64_t> find_int(std::string_view key, std::int64_t low, std::int64_t high) {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number_integer()) fail(key, "is not an integer");
    const auto number = value->get<std::int64_t>();
    if (number < low || number > high) {
      fail(key, "is " + value->dump() + ", not within " + std::to_string(low) + " and " +
                    std::to_string(high));
    }
    return number;
  }
  std::int64_t require_int(std::string_view key, std::int64_t low, std::int64_t high) {
    const std::optional<std::int64_t> value = find_int(key, low, high);
    if (!value) fail(key, "is missing");
    return *value;
  }
  /// The first of several spellings that is there.
  std::int64_t require_int(std::initializer_list<std::string_view> keys, std::int64_t low,
                           std::int64_t high) {
    std::optional<std::int64_t> value;
    for (const std::string_view key : keys) {
      const std::optional<std::int64_t> found = find_int(key, low, high);
      if (!value) value = found;
    }
    if (!value) fail(*keys.begin(), "is missing");
    return *value;
  }
  std::optional<double> find_float(std::string_view key) {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number()) fail(key, "is not a number");
    const auto number = value->get<double>();
    if (!std::isfinite(number)) fail(key, "is not finite");
    return number;
  }
  double require_positive(std::string_view key) {
    const std::optional<double> value = find_float(key);
    if (!value) fail(key, "is missing");
    if (!(*value > 0.0)) fail(key, "is not positive");
    return *value;
  }
  bool find_bool(std::string_view key, bool otherwise) {
    const Json* value = find(key);
    if (value == nullptr) return otherwise;
    if (!value->is_boolean()) fail(key, "is neither true nor false");
    return value->get<bool>();
  }
  std::optional<std::string> find_string(std::string_view key) {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) fail(key, "is not a string");
    return value->get<std::string>();
  }

  const Json& object() const noexcept { return object_; }
  const std::string& file() const noexcept { return file_; }
  bool seen(const std::string& key) const { return seen_.count(key) > 0; }

 private:
  const Json& object_;
  std::string file_, path_;
  std::set<std::string, std::less<>> seen_;
};

}  // namespace moebench
