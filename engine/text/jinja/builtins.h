#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "engine/text/jinja/value.h"

namespace moebench::jinja {

/// What filters, tests and methods need of the rendering they happen in.
struct Runtime {
  Budget& budget;
  std::int64_t unix_time = 0;
};

// All throw TemplateError: for a name that does not exist in this subset, and for values that
// Python would not take.

/// value|name(arguments); what map, select and their like apply, too.
Value apply_filter(std::string_view name, const Value& value, const Arguments& arguments,
                   Runtime& runtime);
/// value is name(arguments)
bool apply_test(std::string_view name, const Value& value, const Arguments& arguments,
                Runtime& runtime);
/// Whether apply_filter, apply_test know a name; Jinja asks when it compiles.
bool is_filter(std::string_view name);
bool is_test(std::string_view name);

/// object.name: a method, bound; an undefined value when there is none.
Value method(const Value& object, std::string_view name, Runtime& runtime);
/// namespace, range, dict, raise_exception, strftime_now; an undefined value for another name.
Value global(std::string_view name, Runtime& runtime);

/// object[key] as Python and Jinja look it up; undefined when it is not there.
Value item(const Value& object, const Value& key, Runtime& runtime);
/// What a for loop goes through: a list's items, a dict's keys, a string's characters.
std::vector<Value> iterate(const Value& value, Runtime& runtime);
/// a op b for + - * / // % **.
Value arithmetic(std::string_view op, const Value& a, const Value& b, Runtime& runtime);
/// needle in haystack
bool contains(const Value& haystack, const Value& needle, Runtime& runtime);
Value slice(const Value& object, const Value& start, const Value& stop, const Value& step,
            Runtime& runtime);

/// Reads arguments by position or name, as a function with these parameters would; `next` past the
/// end gives undefined.
class ArgumentReader {
 public:
  ArgumentReader(std::string_view function, const Arguments& arguments)
      : function_(function), arguments_(arguments) {}
  /// Null when not given.
  const Value* find(std::string_view name);
  const Value& require(std::string_view name);
  std::int64_t integer(std::string_view name, std::int64_t absent);
  bool boolean(std::string_view name, bool absent);
  std::string_view string(std::string_view name, std::string_view absent);
  /// Throws when arguments are left over.
  void done() const;

 private:
  std::string_view function_;
  const Arguments& arguments_;
  std::size_t position_ = 0, named_used_ = 0;
};

}  // namespace moebench::jinja
