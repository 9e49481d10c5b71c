#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "engine/base/container_traits.h"
#include "engine/base/error.h"
#include "reports/record/fields.h"
#include "reports/record/record_files.h"

namespace moebench {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void bad_record(const std::string& what) {
  throw Error(ErrorCode::kConfiguration, what,
              "this is not a record that moebench wrote, or it was damaged since");
}

template <class T>
void write_value(Json& out, const T& value);

struct FieldWriter {
  Json& out;
  template <class T>
  void field(const char* name, const T& value) {
    write_value(out[name], value);
  }
  template <class T>
  void optional(const char* name, const T& value) {
    if constexpr (is_optional<T>) {
      if (value) write_value(out[name], *value);
    } else if constexpr (is_vector<T> || std::is_same_v<T, std::string> ||
                         std::is_same_v<T, Settings>) {
      if (!value.empty()) write_value(out[name], value);
    } else {
      write_value(out[name], value);
    }
  }
};

template <class T>
void write_value(Json& out, const T& value) {
  if constexpr (std::is_same_v<T, RunStatus>) {
    out = std::string(to_string(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value))
      throw Error(ErrorCode::kInternal, "a record holds a number that is not finite");
    out = value;
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string> ||
                       std::is_same_v<T, Settings>) {
    out = value;
  } else if constexpr (is_vector<T>) {
    out = Json::array();
    for (const auto& element : value) write_value(out.emplace_back(), element);
  } else {
    out = Json::object();
    FieldWriter writer{out};
    record_fields::visit(writer, const_cast<T&>(value));  // the writer only reads
  }
}

template <class T>
void read_value(const Json& in, T& value, const std::string& where);

struct FieldReader {
  const Json& in;
  const std::string& where;  // "file: key.key"
  template <class T>
  void field(const char* name, T& value) {
    const auto it = in.find(name);
    if (it == in.end()) bad_record(where + ": \"" + name + "\" is missing");
    read_value(*it, value, where + "." + name);
  }
  template <class T>
  void optional(const char* name, T& value) {
    const auto it = in.find(name);
    if (it != in.end()) read_value(*it, value, where + "." + name);
  }
};

template <class T>
void read_value(const Json& in, T& value, const std::string& where) {
  if constexpr (std::is_same_v<T, RunStatus>) {
    for (const RunStatus status : {RunStatus::kRunning, RunStatus::kPartial, RunStatus::kComplete})
      if (in.is_string() && in.get_ref<const std::string&>() == to_string(status)) {
        value = status;
        return;
      }
    bad_record(where + ": should be \"running\", \"partial\" or \"complete\"");
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!in.is_boolean()) bad_record(where + ": should be true or false");
    value = in.get<bool>();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!in.is_number()) bad_record(where + ": should be a number");
    value = in.get<T>();
    if (!std::isfinite(value)) bad_record(where + ": is not a finite number");
  } else if constexpr (std::is_unsigned_v<T>) {
    if (!in.is_number_unsigned()) bad_record(where + ": should be a whole number, not negative");
    value = in.get<T>();
  } else if constexpr (std::is_integral_v<T>) {
    if (!in.is_number_integer() ||
        (in.is_number_unsigned() && in.get<std::uint64_t>() > std::uint64_t{INT64_MAX}))
      bad_record(where + ": should be a whole number");
    const auto wide = in.get<std::int64_t>();
    value = static_cast<T>(wide);
    if (value != wide) bad_record(where + ": is out of range");
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!in.is_string()) bad_record(where + ": should be a string");
    value = in.get<std::string>();
  } else if constexpr (is_optional<T>) {
    read_value(in, value.emplace(), where);
  } else if constexpr (is_vector<T>) {
    if (!in.is_array()) bad_record(where + ": should be a list");
    value.clear();
    value.reserve(in.size());
    for (const auto& element : in) read_value(element, value.emplace_back(), where + "[]");
  } else if constexpr (std::is_same_v<T, Settings>) {
    if (!in.is_object()) bad_record(where + ": should be an object");
    for (const auto& [key, element] : in.items())
      read_value(element, value[key], where + "." + key);
  } else {
    if (!in.is_object()) bad_record(where + ": should be an object");
    FieldReader reader{in, where};
    record_fields::visit(reader, value);
  }
}

Json parse_json(std::string_view text, const std::string& where) {
  constexpr int kMaxDepth = 32;  // a record is six deep
  try {
    return Json::parse(text, [&](int depth, Json::parse_event_t, Json&) {
      if (depth > kMaxDepth) bad_record(where + ": nested too deeply");
      return true;
    });
  } catch (const Json::parse_error& error) {
    // Without the library's number and its line, which is 1 in every line of a log.
    const std::string words = error.what();
    const std::size_t what = words.find(": ", std::min(words.find("column"), words.size()));
    bad_record(where + ": is no JSON from byte " + std::to_string(error.byte) + " on" +
               (what == std::string::npos ? "" : words.substr(what)));
  } catch (const Json::exception& error) {
    bad_record(where + ": is no JSON: " + error.what());
  }
}

template <class T>
T parse_record(std::string_view text, const std::string& where) {
  T record;
  read_value(parse_json(text, where), record, where);
  return record;
}

template <class T>
std::string dump(const T& record, int indent) {
  Json json;
  write_value(json, record);
  return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string_view to_string(RunStatus status) {
  switch (status) {
    case RunStatus::kRunning:
      return "running";
    case RunStatus::kPartial:
      return "partial";
    case RunStatus::kComplete:
      return "complete";
  }
  return "running";
}

std::string to_json(const RunRecord& run) { return dump(run, 1); }
std::string to_json_line(const SampleRecord& sample) { return dump(sample, -1); }
std::string to_json_line(const StepSample& step) { return dump(step, -1); }

RunRecord parse_run_record(std::string_view text, const std::string& where) {
  const Json json = parse_json(text, where);
  // The version first: of a newer record, nothing else can be judged.
  if (!json.is_object()) bad_record(where + ": should be an object");
  const auto version = json.find("schema_version");
  if (version == json.end() || !version->is_number_integer())
    bad_record(where + ": \"schema_version\" is missing");
  if (version->get<double>() > kRecordSchemaVersion)
    throw Error(ErrorCode::kConfiguration,
                where + ": is a record of schema " + version->dump() +
                    "; this build reads up to schema " + std::to_string(kRecordSchemaVersion),
                "read it with the moebench that wrote it, or a newer one");
  if (version->get<double>() < 1) bad_record(where + ": there is no schema " + version->dump());
  RunRecord run;
  read_value(json, run, where);
  return run;
}

SampleRecord parse_sample_record(std::string_view line, const std::string& where) {
  auto sample = parse_record<SampleRecord>(line, where);
  using namespace verdicts;
  for (const char* known : {kCorrect, kWrong, kUnparsed, kTruncated, kFailed, kUngraded})
    if (sample.verdict == known) return sample;
  bad_record(where + ": unknown verdict \"" + sample.verdict + "\"");
}

StepSample parse_step_sample(std::string_view line, const std::string& where) {
  return parse_record<StepSample>(line, where);
}

}  // namespace moebench
