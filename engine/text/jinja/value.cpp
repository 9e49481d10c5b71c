#include "engine/text/jinja/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/text/unicode.h"

namespace moebench::jinja {

namespace {

int depth_of(const Value& value) {
  if (value.is_namespace())
    throw TemplateError("a namespace inside a list, a dict or a namespace is not supported");
  if (value.is_list()) return value.list().depth;
  if (value.is_dict()) return value.dict().depth;
  return 0;
}

int checked_depth(int depth) {
  if (depth > Value::kMaxDepth) throw TemplateError("a value is nested too deeply");
  return depth;
}

bool is_hashable(const Value& key) { return key.is_string() || key.is_number() || key.is_none(); }

bool same_key(const Value& a, const Value& b) {
  if (a.is_string() || b.is_string())
    return a.is_string() && b.is_string() && a.string() == b.string();
  if (a.is_number() && b.is_number()) return a.number() == b.number();
  return a.is_none() && b.is_none();
}

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  // Python's repr: the shortest digits, positional for exponents from -4 to 15.
  const double magnitude = std::fabs(value);
  const bool positional = magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e16);
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value,
                    positional ? std::chars_format::fixed : std::chars_format::scientific)
          .ptr;
  std::string text(buffer, end);
  if (positional && text.find('.') == std::string::npos) text += ".0";
  return text;
}

void append_repr(std::string& out, const Value& value, Budget& budget) {
  if (!value.is_string()) {
    append_str(out, value, budget);
    return;
  }
  const std::string& text = value.string();
  budget.charge_text(text.size());
  const bool has_single = text.find('\'') != std::string::npos;
  const char quote = has_single && text.find('"') == std::string::npos ? '"' : '\'';
  out += quote;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == quote || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      constexpr char kHex[] = "0123456789abcdef";
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += quote;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          constexpr char kHex[] = "0123456789abcdef";
          out += "\\u00";
          out += kHex[static_cast<unsigned char>(c) >> 4];
          out += kHex[static_cast<unsigned char>(c) & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

struct JsonWriter {
  std::string& out;
  int indent;
  bool sort_keys;
  Budget& budget;

  void new_line(int level) const {
    if (indent < 0) return;
    out += '\n';
    out.append(static_cast<std::size_t>(indent * level), ' ');
  }
  void separate(bool first, int level) const {
    if (!first) out += indent < 0 ? ", " : ",";
    new_line(level);
  }
  void write(const Value& value, int level) const {
    budget.charge();
    if (value.is_string()) {
      budget.charge_text(value.string().size());
      append_json_string(out, value.string());
    } else if (value.is_none()) {
      out += "null";
    } else if (value.is_bool()) {
      out += value.truthy() ? "true" : "false";
    } else if (value.is_number()) {
      append_str(out, value, budget);
    } else if (value.is_list()) {
      if (value.list().items.empty()) {
        out += "[]";
        return;
      }
      out += '[';
      bool first = true;
      for (const Value& item : value.list().items) {
        separate(first, level + 1);
        write(item, level + 1);
        first = false;
      }
      new_line(level);
      out += ']';
    } else if (value.is_dict()) {
      if (value.dict().items.empty()) {
        out += "{}";
        return;
      }
      auto items = value.dict().items;
      if (sort_keys)
        std::stable_sort(items.begin(), items.end(), [&](const auto& a, const auto& b) {
          return compare(a.first, b.first, budget) < 0;
        });
      out += '{';
      bool first = true;
      for (const auto& [key, item] : items) {
        separate(first, level + 1);
        std::string name;
        if (key.is_bool() || key.is_none()) {
          name = key.is_none() ? "null" : key.truthy() ? "true" : "false";
        } else {
          name = to_str(key, budget);
        }
        append_json_string(out, name);
        out += ": ";
        write(item, level + 1);
        first = false;
      }
      new_line(level);
      out += '}';
    } else {
      throw TemplateError("tojson: " + value.type_name() + " cannot be written as JSON");
    }
  }
};

}  // namespace

Value Value::list(std::vector<Value> items, bool tuple) {
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, depth_of(item));
  return Value(
      std::make_shared<const List>(List{std::move(items), tuple, checked_depth(depth + 1)}));
}

Value Value::dict(std::vector<std::pair<Value, Value>> items) {
  Dict dict;
  int depth = 0;
  for (auto& [key, value] : items) {
    if (!is_hashable(key))
      throw TemplateError("a dict's key may not be of type " + key.type_name());
    depth = std::max(depth, depth_of(value));
    const auto same =
        std::find_if(dict.items.begin(), dict.items.end(),
                     [&, k = &key](const auto& item) { return same_key(item.first, *k); });
    if (same != dict.items.end()) {
      same->second = std::move(value);
    } else {
      dict.items.emplace_back(std::move(key), std::move(value));
    }
  }
  dict.depth = checked_depth(depth + 1);
  return Value(std::make_shared<const Dict>(std::move(dict)));
}

std::int64_t Value::integer() const {
  return is_bool() ? std::int64_t{std::get<bool>(storage_)} : std::get<std::int64_t>(storage_);
}

double Value::number() const {
  return is_float() ? std::get<double>(storage_) : static_cast<double>(integer());
}

bool Value::truthy() const {
  if (is_bool()) return std::get<bool>(storage_);
  if (is_number()) return number() != 0;
  if (is_string()) return !string().empty();
  if (is_list()) return !list().items.empty();
  if (is_dict()) return !dict().items.empty();
  return is_namespace() || is_function();
}

std::string Value::type_name() const {
  constexpr const char* kNames[] = {"undefined", "None", "bool", "int",       "float",
                                    "str",       "list", "dict", "namespace", "function"};
  return kNames[storage_.index()];
}

const Value* Dict::find(std::string_view key) const {
  for (const auto& [name, value] : items)
    if (name.is_string() && name.string() == key) return &value;
  return nullptr;
}

const Value* Dict::find(const Value& key) const {
  for (const auto& [name, value] : items)
    if (same_key(name, key)) return &value;
  return nullptr;
}

Value* Namespace::find(std::string_view name) {
  for (auto& [key, value] : items)
    if (key == name) return &value;
  return nullptr;
}

bool equal(const Value& a, const Value& b, Budget& budget) {
  budget.charge();
  if (a.is_number() && b.is_number()) {
    if (!a.is_float() && !b.is_float()) return a.integer() == b.integer();
    return a.number() == b.number();
  }
  if (a.is_string() && b.is_string()) {
    budget.charge_text(std::min(a.string().size(), b.string().size()));
    return a.string() == b.string();
  }
  if (a.is_list() && b.is_list()) {
    const auto &x = a.list().items, &y = b.list().items;
    if (x.size() != y.size() || a.list().tuple != b.list().tuple) return false;
    for (std::size_t i = 0; i < x.size(); ++i)
      if (!equal(x[i], y[i], budget)) return false;
    return true;
  }
  if (a.is_dict() && b.is_dict()) {
    if (a.dict().items.size() != b.dict().items.size()) return false;
    for (const auto& [key, value] : a.dict().items) {
      budget.charge(a.dict().items.size() / 16 + 1);
      const Value* other = b.dict().find(key);
      if (!other || !equal(value, *other, budget)) return false;
    }
    return true;
  }
  if (a.is_undefined() && b.is_undefined()) return true;
  if (a.is_namespace() && b.is_namespace()) return &a.names() == &b.names();
  if (a.is_function() && b.is_function()) return &a.function() == &b.function();
  return a.is_none() && b.is_none();
}

int compare(const Value& a, const Value& b, Budget& budget) {
  budget.charge();
  const auto order = [](auto x, auto y) { return x < y ? -1 : y < x ? 1 : 0; };
  if (a.is_number() && b.is_number())
    return a.is_float() || b.is_float() ? order(a.number(), b.number())
                                        : order(a.integer(), b.integer());
  if (a.is_string() && b.is_string()) {
    budget.charge_text(std::min(a.string().size(), b.string().size()));
    return order(a.string().compare(b.string()), 0);  // UTF-8 sorts as its code points do
  }
  if (a.is_list() && b.is_list()) {
    const auto &x = a.list().items, &y = b.list().items;
    for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i)
      if (const int c = compare(x[i], y[i], budget)) return c;
    return order(x.size(), y.size());
  }
  throw TemplateError("'" + a.type_name() + "' and '" + b.type_name() + "' have no order");
}

void append_str(std::string& out, const Value& value, Budget& budget) {
  budget.charge();
  if (value.is_undefined()) return;
  if (value.is_string()) {
    budget.charge_text(value.string().size());
    out += value.string();
  } else if (value.is_none()) {
    out += "None";
  } else if (value.is_bool()) {
    out += value.truthy() ? "True" : "False";
  } else if (value.is_int()) {
    out += std::to_string(value.integer());
  } else if (value.is_float()) {
    out += float_repr(value.number());
  } else if (value.is_list()) {
    const List& list = value.list();
    out += list.tuple ? '(' : '[';
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out += ", ";
      append_repr(out, list.items[i], budget);
    }
    if (list.tuple && list.items.size() == 1) out += ',';
    out += list.tuple ? ')' : ']';
  } else if (value.is_dict()) {
    out += '{';
    bool first = true;
    for (const auto& [key, item] : value.dict().items) {
      if (!first) out += ", ";
      append_repr(out, key, budget);
      out += ": ";
      append_repr(out, item, budget);
      first = false;
    }
    out += '}';
  } else {
    throw TemplateError("a " + value.type_name() + " cannot be printed");
  }
}

std::string to_str(const Value& value, Budget& budget) {
  std::string out;
  append_str(out, value, budget);
  return out;
}

std::string to_json(const Value& value, int indent, bool sort_keys, Budget& budget) {
  std::string out;
  JsonWriter{out, indent, sort_keys, budget}.write(value, 0);
  return out;
}

std::size_t length_code_points(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::vector<std::size_t> code_point_offsets(std::string_view text) {
  std::vector<std::size_t> offsets;
  for (std::size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) offsets.push_back(i);
  offsets.push_back(text.size());
  return offsets;
}

}  // namespace moebench::jinja
