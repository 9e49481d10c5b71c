#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace moebench::jinja {

/// Anything wrong with a template, at parsing or rendering. The line is added where it is known.
class TemplateError : public std::runtime_error {
 public:
  explicit TemplateError(const std::string& message, int line = 0)
      : std::runtime_error(message), line_(line) {}
  int line() const noexcept { return line_; }

 private:
  int line_;
};

class Value;
struct List;
struct Dict;
struct Namespace;
struct Function;

struct Undefined {
  std::string name;  ///< what was looked up, for the message when it is used
};
struct None {};

/// A value of the template language, with Python's semantics. Lists and dicts are immutable once
/// made (templates run in an immutable sandbox), so copies share them.
class Value {
 public:
  using Storage =
      std::variant<Undefined, None, bool, std::int64_t, double, std::shared_ptr<const std::string>,
                   std::shared_ptr<const List>, std::shared_ptr<const Dict>,
                   std::shared_ptr<Namespace>, std::shared_ptr<const Function>>;

  Value() : storage_(Undefined{}) {}
  Value(None) : storage_(None{}) {}
  Value(bool b) : storage_(b) {}
  Value(std::int64_t i) : storage_(i) {}
  Value(double d) : storage_(d) {}
  Value(std::string s) : storage_(std::make_shared<const std::string>(std::move(s))) {}
  Value(std::string_view s) : Value(std::string(s)) {}
  Value(const char* s) : Value(std::string(s)) {}
  Value(std::shared_ptr<const List> list) : storage_(std::move(list)) {}
  Value(std::shared_ptr<const Dict> dict) : storage_(std::move(dict)) {}
  Value(std::shared_ptr<Namespace> names) : storage_(std::move(names)) {}
  Value(std::shared_ptr<const Function> function) : storage_(std::move(function)) {}
  static Value undefined(std::string name) {
    Value value;
    value.storage_ = Undefined{std::move(name)};
    return value;
  }
  /// Throw TemplateError when nested deeper than kMaxDepth, or around a namespace.
  static Value list(std::vector<Value> items, bool tuple = false);
  static Value dict(std::vector<std::pair<Value, Value>> items);

  bool is_undefined() const { return std::holds_alternative<Undefined>(storage_); }
  bool is_none() const { return std::holds_alternative<None>(storage_); }
  bool is_bool() const { return std::holds_alternative<bool>(storage_); }
  bool is_int() const { return std::holds_alternative<std::int64_t>(storage_); }
  bool is_float() const { return std::holds_alternative<double>(storage_); }
  bool is_number() const { return is_bool() || is_int() || is_float(); }
  bool is_string() const {
    return std::holds_alternative<std::shared_ptr<const std::string>>(storage_);
  }
  bool is_list() const { return std::holds_alternative<std::shared_ptr<const List>>(storage_); }
  bool is_dict() const { return std::holds_alternative<std::shared_ptr<const Dict>>(storage_); }
  bool is_namespace() const { return std::holds_alternative<std::shared_ptr<Namespace>>(storage_); }
  bool is_function() const {
    return std::holds_alternative<std::shared_ptr<const Function>>(storage_);
  }

  // Each for a value of that kind only.
  const std::string& string() const {
    return *std::get<std::shared_ptr<const std::string>>(storage_);
  }
  const List& list() const { return *std::get<std::shared_ptr<const List>>(storage_); }
  const Dict& dict() const { return *std::get<std::shared_ptr<const Dict>>(storage_); }
  Namespace& names() const { return *std::get<std::shared_ptr<Namespace>>(storage_); }
  const Function& function() const { return *std::get<std::shared_ptr<const Function>>(storage_); }
  std::int64_t integer() const;  ///< of a bool or an int
  double number() const;         ///< of a bool, an int or a float
  const Undefined& undefined() const { return std::get<Undefined>(storage_); }

  bool truthy() const;
  /// Python's name of the type, for messages.
  std::string type_name() const;

  static constexpr int kMaxDepth = 100;

 private:
  Storage storage_;
};

struct List {
  std::vector<Value> items;
  bool tuple = false;  ///< printed with parentheses; otherwise the same
  int depth = 1;
};

/// In order of insertion. Looked up from the front: templates' dicts are small.
struct Dict {
  std::vector<std::pair<Value, Value>> items;
  int depth = 1;
  const Value* find(std::string_view key) const;
  const Value* find(const Value& key) const;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> items;
  Value* find(std::string_view name);
};

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

struct Function {
  std::string name;
  std::function<Value(const Arguments&)> call;
};

/// Counts what a rendering does, so that a hostile template ends. Throws TemplateError past it.
class Budget {
 public:
  void charge(std::size_t units = 1) {
    spent_ += units;
    if (spent_ > kMaxUnits) throw TemplateError("the template takes too many steps");
  }
  /// For text made: 64 bytes a unit.
  void charge_text(std::size_t bytes) { charge(bytes / 64 + 1); }

 private:
  static constexpr std::size_t kMaxUnits = 1'000'000;
  std::size_t spent_ = 0;
};

bool equal(const Value& a, const Value& b, Budget& budget);
/// Python's order; throws TemplateError for kinds that have none.
int compare(const Value& a, const Value& b, Budget& budget);
/// What {{ value }} prints: Python's str().
void append_str(std::string& out, const Value& value, Budget& budget);
std::string to_str(const Value& value, Budget& budget);
/// json.dumps with ensure_ascii=False; indent < 0: on one line.
std::string to_json(const Value& value, int indent, bool sort_keys, Budget& budget);

// Text by code points, as Python counts.
std::size_t length_code_points(std::string_view text);
/// Byte offsets of every code point's begin, and the end's.
std::vector<std::size_t> code_point_offsets(std::string_view text);

}  // namespace moebench::jinja
