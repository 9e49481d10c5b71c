// Operators, subscripts and iteration of template values.

#include <algorithm>
#include <cmath>

#include "engine/text/jinja/builtins.h"

namespace moebench::jinja {

namespace {

[[noreturn]] void no_operation(std::string_view op, const Value& a, const Value& b) {
  for (const Value* value : {&a, &b})
    if (value->is_undefined())
      throw TemplateError("'" + value->undefined().name + "' is undefined");
  throw TemplateError("'" + std::string(op) + "' does not take '" + a.type_name() + "' and '" +
                      b.type_name() + "'");
}

[[noreturn]] void overflow() { throw TemplateError("an integer is too large"); }

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (b == 0) throw TemplateError("division by zero");
  if (b == -1) {
    std::int64_t result = 0;
    if (__builtin_sub_overflow(std::int64_t{0}, a, &result)) overflow();
    return result;
  }
  const std::int64_t quotient = a / b;
  return a % b != 0 && ((a < 0) != (b < 0)) ? quotient - 1 : quotient;
}

Value integer_arithmetic(std::string_view op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (op == "+") {
    if (__builtin_add_overflow(a, b, &result)) overflow();
  } else if (op == "-") {
    if (__builtin_sub_overflow(a, b, &result)) overflow();
  } else if (op == "*") {
    if (__builtin_mul_overflow(a, b, &result)) overflow();
  } else if (op == "//") {
    result = floor_divide(a, b);
  } else if (op == "%") {
    result = b == -1 ? 0 : a - floor_divide(a, b) * b;
  } else if (op == "/") {
    if (b == 0) throw TemplateError("division by zero");
    return Value(static_cast<double>(a) / static_cast<double>(b));
  } else {  // **
    if (b < 0) return Value(std::pow(static_cast<double>(a), static_cast<double>(b)));
    result = 1;
    for (std::int64_t i = 0; i < b; ++i) {
      if (result == 0 || (a == 1) || (a == -1 && i >= 2)) {
        if (a == -1) result = b % 2 == 0 ? 1 : -1;
        break;
      }
      if (__builtin_mul_overflow(result, a, &result)) overflow();
    }
  }
  return Value(result);
}

Value float_arithmetic(std::string_view op, double a, double b) {
  if (op == "+") return Value(a + b);
  if (op == "-") return Value(a - b);
  if (op == "*") return Value(a * b);
  if (op == "**") return Value(std::pow(a, b));
  if (b == 0) throw TemplateError("division by zero");
  if (op == "/") return Value(a / b);
  if (op == "//") return Value(std::floor(a / b));
  const double rest = std::fmod(a, b);
  return Value(rest != 0 && ((rest < 0) != (b < 0)) ? rest + b : rest);
}

Value repeat(const Value& object, std::int64_t times, Runtime& runtime) {
  const auto n = static_cast<std::size_t>(std::max<std::int64_t>(times, 0));
  if (object.is_string()) {
    if (object.string().empty()) return object;
    if (n > (std::size_t{1} << 28) / object.string().size())
      throw TemplateError("a string is repeated too often");
    runtime.budget.charge_text(n * object.string().size());
    std::string out;
    for (std::size_t i = 0; i < n; ++i) out += object.string();
    return Value(std::move(out));
  }
  const auto& items = object.list().items;
  if (items.empty()) return object;
  if (n > (std::size_t{1} << 24) / items.size())
    throw TemplateError("a list is repeated too often");
  runtime.budget.charge(n * items.size());
  std::vector<Value> out;
  for (std::size_t i = 0; i < n; ++i) out.insert(out.end(), items.begin(), items.end());
  return Value::list(std::move(out), object.list().tuple);
}

}  // namespace

Value arithmetic(std::string_view op, const Value& a, const Value& b, Runtime& runtime) {
  if (a.is_number() && b.is_number()) {
    if (a.is_float() || b.is_float()) return float_arithmetic(op, a.number(), b.number());
    return integer_arithmetic(op, a.integer(), b.integer());
  }
  if (op == "+" && a.is_string() && b.is_string()) {
    runtime.budget.charge_text(a.string().size() + b.string().size());
    return Value(a.string() + b.string());
  }
  if (op == "+" && a.is_list() && b.is_list() && a.list().tuple == b.list().tuple) {
    std::vector<Value> all = a.list().items;
    all.insert(all.end(), b.list().items.begin(), b.list().items.end());
    runtime.budget.charge(all.size());
    return Value::list(std::move(all), a.list().tuple);
  }
  const auto whole = [](const Value& v) { return v.is_bool() || v.is_int(); };
  if (op == "*") {
    if ((a.is_string() || a.is_list()) && whole(b)) return repeat(a, b.integer(), runtime);
    if ((b.is_string() || b.is_list()) && whole(a)) return repeat(b, a.integer(), runtime);
  }
  no_operation(op, a, b);
}

bool contains(const Value& haystack, const Value& needle, Runtime& runtime) {
  if (haystack.is_string()) {
    if (!needle.is_string()) no_operation("in", needle, haystack);
    runtime.budget.charge_text(haystack.string().size());
    return haystack.string().find(needle.string()) != std::string::npos;
  }
  if (haystack.is_dict()) {
    runtime.budget.charge(haystack.dict().items.size() / 16 + 1);
    return haystack.dict().find(needle) != nullptr;
  }
  if (haystack.is_list())
    return std::any_of(haystack.list().items.begin(), haystack.list().items.end(),
                       [&](const Value& item) { return equal(item, needle, runtime.budget); });
  if (haystack.is_undefined()) return false;  // iterates as empty
  no_operation("in", needle, haystack);
}

std::vector<Value> iterate(const Value& value, Runtime& runtime) {
  if (value.is_list()) {
    runtime.budget.charge(value.list().items.size() + 1);
    return value.list().items;
  }
  std::vector<Value> items;
  if (value.is_dict()) {
    runtime.budget.charge(value.dict().items.size() + 1);
    for (const auto& item : value.dict().items) items.push_back(item.first);
  } else if (value.is_string()) {
    const std::vector<std::size_t> offsets = code_point_offsets(value.string());
    runtime.budget.charge(offsets.size());
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
      items.emplace_back(value.string().substr(offsets[i], offsets[i + 1] - offsets[i]));
  } else if (!value.is_undefined()) {
    throw TemplateError("'" + value.type_name() + "' cannot be iterated");
  }
  return items;
}

Value item(const Value& object, const Value& key, Runtime& runtime) {
  const auto missing = [&] {
    return Value::undefined(key.is_string() ? key.string()
                                            : "element " + to_str(key, runtime.budget));
  };
  if (object.is_undefined()) throw TemplateError("'" + object.undefined().name + "' is undefined");
  if (object.is_dict()) {
    runtime.budget.charge(object.dict().items.size() / 16 + 1);
    if (const Value* found = object.dict().find(key)) return *found;
  } else if (object.is_namespace()) {
    if (key.is_string())
      if (const Value* found = object.names().find(key.string())) return *found;
    return missing();
  } else if ((object.is_list() || object.is_string()) && (key.is_int() || key.is_bool())) {
    std::int64_t i = key.integer();
    if (object.is_list()) {
      const auto& items = object.list().items;
      const auto n = static_cast<std::int64_t>(items.size());
      if (i < 0) i += n;
      return i >= 0 && i < n ? items[static_cast<std::size_t>(i)] : missing();
    }
    const std::string& text = object.string();
    runtime.budget.charge_text(text.size());
    const std::vector<std::size_t> offsets = code_point_offsets(text);
    const auto n = static_cast<std::int64_t>(offsets.size()) - 1;
    if (i < 0) i += n;
    if (i < 0 || i >= n) return missing();
    const auto at = static_cast<std::size_t>(i);
    return Value(text.substr(offsets[at], offsets[at + 1] - offsets[at]));
  }
  if (key.is_string()) {
    Value bound = method(object, key.string(), runtime);
    if (!bound.is_undefined()) return bound;
  }
  return missing();
}

Value slice(const Value& object, const Value& start, const Value& stop, const Value& step,
            Runtime& runtime) {
  if (object.is_undefined()) throw TemplateError("'" + object.undefined().name + "' is undefined");
  if (!object.is_list() && !object.is_string())
    throw TemplateError("'" + object.type_name() + "' cannot be sliced");
  std::vector<std::size_t> offsets;
  if (object.is_string()) offsets = code_point_offsets(object.string());
  const auto n = static_cast<std::int64_t>(object.is_string() ? offsets.size() - 1
                                                              : object.list().items.size());
  runtime.budget.charge(static_cast<std::size_t>(n) / 16 + 1);
  const auto bound = [&](const Value& value, std::int64_t absent, bool forward) {
    if (value.is_none()) return absent;
    if (!value.is_int() && !value.is_bool())
      throw TemplateError("a slice wants integers, not '" + value.type_name() + "'");
    std::int64_t i = value.integer();
    if (i < 0) i = std::max(i, -n - 1) + n;
    return forward ? std::clamp<std::int64_t>(i, 0, n) : std::clamp<std::int64_t>(i, -1, n - 1);
  };
  std::int64_t by = 1;
  if (!step.is_none()) {
    if (!step.is_int())
      throw TemplateError("a slice wants integers, not '" + step.type_name() + "'");
    by = std::clamp<std::int64_t>(step.integer(), -n - 1, n + 1);
    if (by == 0) throw TemplateError("a slice's step may not be zero");
  }
  const std::int64_t from = bound(start, by > 0 ? 0 : n - 1, by > 0);
  const std::int64_t to = bound(stop, by > 0 ? n : -1, by > 0);
  std::string text;
  std::vector<Value> items;
  for (std::int64_t i = from; by > 0 ? i < to : i > to; i += by) {
    const auto at = static_cast<std::size_t>(i);
    if (object.is_string()) {
      text.append(object.string(), offsets[at], offsets[at + 1] - offsets[at]);
    } else {
      items.push_back(object.list().items[at]);
    }
  }
  runtime.budget.charge_text(text.size());
  runtime.budget.charge(items.size());
  if (object.is_string()) return Value(std::move(text));
  return Value::list(std::move(items), object.list().tuple);
}

const Value* ArgumentReader::find(std::string_view name) {
  if (position_ < arguments_.positional.size()) return &arguments_.positional[position_++];
  ++position_;
  for (const auto& [key, value] : arguments_.named) {
    if (key == name) {
      ++named_used_;
      return &value;
    }
  }
  return nullptr;
}

const Value& ArgumentReader::require(std::string_view name) {
  if (const Value* value = find(name)) return *value;
  throw TemplateError(std::string(function_) + ": the argument '" + std::string(name) +
                      "' is missing");
}

std::int64_t ArgumentReader::integer(std::string_view name, std::int64_t absent) {
  const Value* value = find(name);
  if (!value || value->is_none()) return absent;
  if (!value->is_int() && !value->is_bool())
    throw TemplateError(std::string(function_) + ": '" + std::string(name) + "' is no integer");
  return value->integer();
}

bool ArgumentReader::boolean(std::string_view name, bool absent) {
  const Value* value = find(name);
  return value ? value->truthy() : absent;
}

std::string_view ArgumentReader::string(std::string_view name, std::string_view absent) {
  const Value* value = find(name);
  if (!value || value->is_none()) return absent;
  if (!value->is_string())
    throw TemplateError(std::string(function_) + ": '" + std::string(name) + "' is no string");
  return value->string();
}

void ArgumentReader::done() const {
  if (position_ < arguments_.positional.size() || named_used_ < arguments_.named.size())
    throw TemplateError(std::string(function_) + ": too many arguments, or one of unknown name");
}

}  // namespace moebench::jinja
