#include "engine/formats/json_document.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "engine/base/error.h"
#include "engine/formats/printable.h"

namespace moebench {
namespace {

using Json = nlohmann::json;
constexpr int kMaxDepth = 64;

[[noreturn]] void fail(const std::string& file, const std::string& what) {
  throw Error(ErrorCode::kBadModel, file + ": " + what,
              "fetch the file again or convert the model anew");
}

}  // namespace

Json parse_json_document(std::string_view text, const std::string& file, DuplicateKeys duplicates) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxDepth)
      fail(file, "nested deeper than " + std::to_string(kMaxDepth) + " levels");
    if (duplicates == DuplicateKeys::kError) {
      if (event == Json::parse_event_t::object_start) keys.emplace_back();
      if (event == Json::parse_event_t::object_end) keys.pop_back();
      if (event == Json::parse_event_t::key &&
          !keys.back().insert(parsed.get<std::string>()).second) {
        fail(file, "the key " + printable(parsed.get<std::string>()) + " occurs twice");
      }
    }
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const Json::parse_error& error) {
    fail(file, "not valid JSON at byte " + std::to_string(error.byte));
  } catch (const Json::exception& error) {
    fail(file, std::string("not valid JSON: ") + error.what());
  }
}

}  // namespace moebench
