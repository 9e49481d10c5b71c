#pragma once

// Reading catalogues and claims, where a misspelt key or a price without a date must not pass in
// silence. For .cpp files of reports/ only.

#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/error.h"

namespace moebench {

/// One JSON object with the place it stands at; every reader names that place in its errors.
class StrictObject {
 public:
  StrictObject(const nlohmann::json& json, std::string where)
      : json_(json), where_(std::move(where)) {
    if (!json_.is_object()) fail("should be an object");
  }

  static nlohmann::json parse(std::string_view text, const std::string& where) {
    try {
      return nlohmann::json::parse(text);
    } catch (const nlohmann::json::exception& error) {
      throw Error(ErrorCode::kConfiguration, where + ": is no JSON: " + error.what());
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::kConfiguration, where_ + ": " + what);
  }
  const std::string& where() const { return where_; }
  bool has(const char* key) const { return json_.contains(key); }

  /// Keys beyond these are an error.
  void allow_only(std::initializer_list<const char*> keys) const {
    for (const auto& [key, value] : json_.items()) {
      bool known = false;
      for (const char* allowed : keys) known = known || key == allowed;
      if (!known) fail("unknown key \"" + key + "\"");
    }
  }

  std::string text(const char* key) const {
    const auto& value = need(key);
    if (!value.is_string() || value.get_ref<const std::string&>().empty())
      fail(std::string("\"") + key + "\" should be a text that is not empty");
    return value.get<std::string>();
  }
  std::string text_or(const char* key, std::string otherwise) const {
    if (!has(key)) return otherwise;
    if (!json_[key].is_string()) fail(std::string("\"") + key + "\" should be a text");
    return json_[key].get<std::string>();
  }
  /// At least zero and finite.
  double number(const char* key) const {
    const auto& value = need(key);
    if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() < 0)
      fail(std::string("\"") + key + "\" should be a number, not negative");
    return value.get<double>();
  }
  std::optional<double> number_if(const char* key) const {
    return has(key) ? std::optional<double>(number(key)) : std::nullopt;
  }
  bool flag(const char* key) const {
    if (!has(key)) return false;
    if (!json_[key].is_boolean()) fail(std::string("\"") + key + "\" should be true or false");
    return json_[key].get<bool>();
  }
  std::vector<StrictObject> objects(const char* key) const {
    const auto& value = need(key);
    if (!value.is_array()) fail(std::string("\"") + key + "\" should be a list");
    std::vector<StrictObject> result;
    for (std::size_t i = 0; i < value.size(); ++i)
      result.emplace_back(value[i], where_ + "." + key + "[" + std::to_string(i) + "]");
    return result;
  }
  StrictObject object(const char* key) const { return {need(key), where_ + "." + key}; }
  std::vector<std::string> texts(const char* key) const {
    const auto& value = need(key);
    std::vector<std::string> result;
    if (!value.is_array()) fail(std::string("\"") + key + "\" should be a list");
    for (const auto& element : value) {
      if (!element.is_string()) fail(std::string("\"") + key + "\" should hold texts");
      result.push_back(element.get<std::string>());
    }
    return result;
  }

 private:
  const nlohmann::json& need(const char* key) const {
    const auto it = json_.find(key);
    if (it == json_.end()) fail(std::string("\"") + key + "\" is missing");
    return *it;
  }

  const nlohmann::json& json_;  // outlives this
  std::string where_;
};

}  // namespace moebench
