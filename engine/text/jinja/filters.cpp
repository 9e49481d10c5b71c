// Filters and tests.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "engine/text/jinja/builtins.h"
#include "engine/text/jinja/strings.h"
#include "engine/text/unicode.h"

namespace moebench::jinja {

namespace {

using Filter = Value (*)(const Value&, ArgumentReader&, Runtime&);
using Test = bool (*)(const Value&, ArgumentReader&, Runtime&);

template <class F>
struct Named {
  std::string_view name;
  F call;
};

std::int64_t length(const Value& value, Runtime& runtime) {
  if (value.is_string()) {
    runtime.budget.charge_text(value.string().size());
    return static_cast<std::int64_t>(length_code_points(value.string()));
  }
  if (value.is_list()) return static_cast<std::int64_t>(value.list().items.size());
  if (value.is_dict()) return static_cast<std::int64_t>(value.dict().items.size());
  if (value.is_undefined()) return 0;
  throw TemplateError("'" + value.type_name() + "' has no length");
}

/// "a.b.0": what map(attribute=...) and its like look up.
Value attribute_path(Value value, std::string_view path, Runtime& runtime) {
  while (true) {
    const std::size_t dot = path.find('.');
    const std::string_view part = path.substr(0, dot);
    std::int64_t index = 0;
    const auto parsed = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool number = parsed.ec == std::errc() && parsed.ptr == part.data() + part.size();
    // As Jinja: an item only, for a part that is not there undefined.
    value = item(value, number ? Value(index) : Value(part), runtime);
    if (dot == std::string_view::npos) return value;
    path.remove_prefix(dot + 1);
  }
}

Arguments rest_of(const Arguments& arguments, std::size_t n) {
  Arguments rest;
  for (std::size_t i = n; i < arguments.positional.size(); ++i)
    rest.positional.push_back(arguments.positional[i]);
  rest.named = arguments.named;
  return rest;
}

std::string_view name_argument(const Arguments& arguments, std::size_t i, std::string_view what) {
  if (i >= arguments.positional.size() || !arguments.positional[i].is_string())
    throw TemplateError(std::string(what) + " wants a name");
  return arguments.positional[i].string();
}

/// select, reject, selectattr, rejectattr
Value select(const Value& value, const Arguments& arguments, bool keep, bool by_attribute,
             Runtime& runtime) {
  std::size_t used = 0;
  std::string_view attribute;
  if (by_attribute) attribute = name_argument(arguments, used++, "selectattr");
  std::optional<std::string_view> test;
  if (used < arguments.positional.size()) test = name_argument(arguments, used++, "select");
  if (test && !is_test(*test))
    throw TemplateError("the test '" + std::string(*test) + "' is not supported");
  const Arguments rest = rest_of(arguments, used);
  std::vector<Value> kept;
  if (!value.truthy()) return Value::list({});  // none included, as Jinja has it
  for (const Value& entry : iterate(value, runtime)) {
    const Value subject = by_attribute ? attribute_path(entry, attribute, runtime) : entry;
    const bool holds = test ? apply_test(*test, subject, rest, runtime) : subject.truthy();
    if (holds == keep) kept.push_back(entry);
  }
  return Value::list(std::move(kept));
}

Value map(const Value& value, const Arguments& arguments, Runtime& runtime) {
  std::vector<Value> mapped;
  if (!value.truthy()) return Value::list({});  // none included, as Jinja has it
  if (arguments.positional.empty()) {
    ArgumentReader reader("map", arguments);
    const Value* attribute = reader.find("attribute");
    const Value* absent = reader.find("default");
    reader.done();
    if (!attribute) throw TemplateError("map wants a filter or an attribute");
    for (const Value& entry : iterate(value, runtime)) {
      Value found = attribute->is_string() ? attribute_path(entry, attribute->string(), runtime)
                                           : item(entry, *attribute, runtime);
      mapped.push_back(found.is_undefined() && absent ? *absent : std::move(found));
    }
  } else {
    const std::string_view filter = name_argument(arguments, 0, "map");
    if (!is_filter(filter))
      throw TemplateError("the filter '" + std::string(filter) + "' is not supported");
    const Arguments rest = rest_of(arguments, 1);
    for (const Value& entry : iterate(value, runtime))
      mapped.push_back(apply_filter(filter, entry, rest, runtime));
  }
  return Value::list(std::move(mapped));
}

std::string text_of(const Value& value, Runtime& runtime) { return to_str(value, runtime.budget); }

template <std::string (*kMap)(std::string_view)>
Value map_text(const Value& value, ArgumentReader&, Runtime& runtime) {
  return Value(kMap(text_of(value, runtime)));
}

Value join(const Value& value, ArgumentReader& arguments, Runtime& runtime) {
  const Value* separator = arguments.find("d");
  const Value* attribute = arguments.find("attribute");
  const std::string between = separator ? text_of(*separator, runtime) : "";
  std::string out;
  bool first = true;
  for (const Value& entry : iterate(value, runtime)) {
    if (!first) out += between;
    runtime.budget.charge_text(between.size());
    append_str(out,
               attribute ? attribute_path(entry, text_of(*attribute, runtime), runtime) : entry,
               runtime.budget);
    first = false;
  }
  return Value(std::move(out));
}

/// Ignores case as sort, min, max, unique and dictsort do unless asked otherwise.
Value sort_key(const Value& value, bool case_sensitive) {
  return value.is_string() && !case_sensitive ? Value(lower(value.string())) : value;
}

std::vector<Value> sorted(const Value& value, ArgumentReader& arguments, bool reverse_first,
                          Runtime& runtime) {
  bool reverse = false;
  if (reverse_first) reverse = arguments.boolean("reverse", false);
  const bool case_sensitive = arguments.boolean("case_sensitive", false);
  const Value* attribute = arguments.find("attribute");
  std::vector<std::pair<Value, Value>> keyed;
  for (Value& entry : iterate(value, runtime)) {
    Value key = attribute && !attribute->is_none()
                    ? attribute_path(entry, text_of(*attribute, runtime), runtime)
                    : entry;
    keyed.emplace_back(sort_key(key, case_sensitive), std::move(entry));
  }
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return (reverse ? compare(b.first, a.first, runtime.budget)
                    : compare(a.first, b.first, runtime.budget)) < 0;
  });
  std::vector<Value> items;
  for (auto& entry : keyed) items.push_back(std::move(entry.second));
  return items;
}

Value to_integer(const Value& value, ArgumentReader& arguments, Runtime&) {
  const std::int64_t absent = arguments.integer("default", 0);
  if (value.is_bool() || value.is_int()) return Value(value.integer());
  if (value.is_float()) {
    if (!(std::fabs(value.number()) < 9e18)) return Value(absent);
    return Value(static_cast<std::int64_t>(value.number()));
  }
  if (!value.is_string()) return Value(absent);
  std::string_view text = strip(value.string(), true, true, {});
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t integer = 0;
  double real = 0;
  const char* end = text.data() + text.size();
  if (auto r = std::from_chars(text.data(), end, integer); r.ec == std::errc() && r.ptr == end)
    return Value(integer);
  if (auto r = std::from_chars(text.data(), end, real);
      r.ec == std::errc() && r.ptr == end && std::fabs(real) < 9e18)
    return Value(static_cast<std::int64_t>(real));
  return Value(absent);
}

Value to_float(const Value& value, ArgumentReader& arguments, Runtime&) {
  const Value* given = arguments.find("default");
  const Value absent = given ? *given : Value(0.0);
  if (value.is_number()) return Value(value.number());
  if (!value.is_string()) return absent;
  std::string_view text = strip(value.string(), true, true, {});
  if (text.starts_with('+')) text.remove_prefix(1);
  double real = 0;
  const char* end = text.data() + text.size();
  const auto r = std::from_chars(text.data(), end, real);
  return r.ec == std::errc() && r.ptr == end ? Value(real) : absent;
}

Value indent(const Value& value, ArgumentReader& arguments, Runtime& runtime) {
  const Value* width = arguments.find("width");
  std::string margin(4, ' ');
  if (width) {
    if (width->is_string()) {
      margin = width->string();
    } else if (width->is_int() && width->integer() >= 0 && width->integer() <= 1000) {
      margin.assign(static_cast<std::size_t>(width->integer()), ' ');
    } else {
      throw TemplateError("indent wants a width from 0 to 1000 or a string");
    }
  }
  const bool first = arguments.boolean("first", false), blank = arguments.boolean("blank", false);
  const std::string text = text_of(value, runtime);
  std::string out = first ? margin : "";
  std::size_t begin = 0;
  for (bool head = true;; head = false) {
    const std::size_t end = text.find('\n', begin);
    const std::string line = text.substr(begin, end == std::string::npos ? end : end - begin);
    if (!head && (blank || !line.empty())) {
      out += margin;
      runtime.budget.charge_text(margin.size());
    }
    out += line;
    if (end == std::string::npos) break;
    out += '\n';
    begin = end + 1;
  }
  return Value(std::move(out));
}

/// json.dumps writes what is not ASCII as UTF-16 units, when asked to.
std::string escape_non_ascii(std::string_view json) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  const auto unit = [&](char32_t u) {
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(u >> shift) & 15];
  };
  for (std::size_t i = 0; i < json.size();) {
    const text::CodePoint c = text::read_code_point(json, i);
    i += static_cast<std::size_t>(c.size_bytes);
    if (c.value < 0x80) {
      out += static_cast<char>(c.value);
    } else if (c.value < 0x10000) {
      unit(c.value);
    } else {
      unit(0xD800 + ((c.value - 0x10000) >> 10));
      unit(0xDC00 + ((c.value - 0x10000) & 0x3FF));
    }
  }
  return out;
}

Value default_filter(const Value& value, ArgumentReader& arguments, Runtime&) {
  const Value* absent = arguments.find("default_value");
  const bool falsy = arguments.boolean("boolean", false);
  if (value.is_undefined() || (falsy && !value.truthy())) return absent ? *absent : Value("");
  return value;
}

Value length_filter(const Value& value, ArgumentReader&, Runtime& runtime) {
  return Value(length(value, runtime));
}

Value reverse(const Value& value, ArgumentReader&, Runtime& runtime) {
  std::vector<Value> items = iterate(value, runtime);
  std::reverse(items.begin(), items.end());
  if (!value.is_string()) return Value::list(std::move(items));
  std::string out;
  for (const Value& part : items) out += part.string();
  return Value(std::move(out));
}

Value extreme(const Value& value, ArgumentReader& arguments, Runtime& runtime, bool largest) {
  const std::vector<Value> items = sorted(value, arguments, false, runtime);
  if (items.empty()) return Value::undefined("the extreme of an empty sequence");
  if (!largest) return items.front();
  // The first among equals, as max gives it.
  std::size_t best = items.size() - 1;
  while (best > 0 && compare(sort_key(items[best - 1], false), sort_key(items[best], false),
                             runtime.budget) == 0)
    --best;
  return items[best];
}

constexpr Named<Filter> kFilters[] = {
    {"trim",
     [](const Value& v, ArgumentReader& a, Runtime& r) {
       const Value* chars = a.find("chars");
       const std::string text = text_of(v, r);
       if (chars && !chars->is_none()) {
         if (!chars->is_string()) throw TemplateError("trim wants a string of characters");
         return Value(strip(text, true, true, std::string_view(chars->string())));
       }
       return Value(strip(text, true, true, std::nullopt));
     }},
    {"upper", map_text<upper>},
    {"lower", map_text<lower>},
    {"capitalize", map_text<capitalize>},
    {"title", map_text<title>},
    {"string", [](const Value& v, ArgumentReader&, Runtime& r) { return Value(text_of(v, r)); }},
    {"safe", [](const Value& v, ArgumentReader&, Runtime&) { return v; }},
    {"length", length_filter},
    {"count", length_filter},
    {"join", join},
    {"default", default_filter},
    {"d", default_filter},
    {"int", to_integer},
    {"float", to_float},
    {"indent", indent},
    {"reverse", reverse},
    {"tojson",
     [](const Value& v, ArgumentReader& a, Runtime& r) {
       // Hugging Face's signature: (x, ensure_ascii=False, indent=None, separators, sort_keys)
       const bool ascii = a.boolean("ensure_ascii", false);
       const std::int64_t indent = a.integer("indent", -1);
       if (indent > 100) throw TemplateError("tojson: the indent is too large");
       const Value* separators = a.find("separators");
       if (separators && !separators->is_none())
         throw TemplateError("tojson: separators are not supported");
       std::string json =
           to_json(v, static_cast<int>(indent), a.boolean("sort_keys", false), r.budget);
       return Value(ascii ? escape_non_ascii(json) : std::move(json));
     }},
    {"first",
     [](const Value& v, ArgumentReader&, Runtime& r) {
       const std::vector<Value> items = iterate(v, r);
       return items.empty() ? Value::undefined("the first of an empty sequence") : items.front();
     }},
    {"last",
     [](const Value& v, ArgumentReader&, Runtime& r) {
       const std::vector<Value> items = iterate(v, r);
       return items.empty() ? Value::undefined("the last of an empty sequence") : items.back();
     }},
    {"list",
     [](const Value& v, ArgumentReader&, Runtime& r) { return Value::list(iterate(v, r)); }},
    {"replace",
     [](const Value& v, ArgumentReader& a, Runtime& r) {
       const std::string text = text_of(v, r);
       const std::string from = text_of(a.require("old"), r), to = text_of(a.require("new"), r);
       r.budget.charge_text(text.size() * (to.size() + 1));
       return Value(replace(text, from, to, a.integer("count", -1)));
     }},
    {"items",
     [](const Value& v, ArgumentReader&, Runtime& r) {
       if (v.is_undefined()) return Value::list({});
       if (!v.is_dict()) throw TemplateError("items wants a dict, not '" + v.type_name() + "'");
       return method(v, "items", r).function().call({});
     }},
    {"dictsort",
     [](const Value& v, ArgumentReader& a, Runtime& r) {
       if (!v.is_dict()) throw TemplateError("dictsort wants a dict, not '" + v.type_name() + "'");
       const bool case_sensitive = a.boolean("case_sensitive", false);
       const std::size_t by = a.string("by", "key") == "value" ? 1 : 0;
       const bool backwards = a.boolean("reverse", false);
       std::vector<Value> items = iterate(method(v, "items", r).function().call({}), r);
       std::stable_sort(items.begin(), items.end(), [&](const Value& x, const Value& y) {
         const Value p = sort_key(x.list().items[by], case_sensitive);
         const Value q = sort_key(y.list().items[by], case_sensitive);
         return (backwards ? compare(q, p, r.budget) : compare(p, q, r.budget)) < 0;
       });
       return Value::list(std::move(items));
     }},
    {"sort", [](const Value& v, ArgumentReader& a,
                Runtime& r) { return Value::list(sorted(v, a, true, r)); }},
    {"min", [](const Value& v, ArgumentReader& a, Runtime& r) { return extreme(v, a, r, false); }},
    {"max", [](const Value& v, ArgumentReader& a, Runtime& r) { return extreme(v, a, r, true); }},
    {"sum",
     [](const Value& v, ArgumentReader& a, Runtime& r) {
       const Value* attribute = a.find("attribute");
       const Value* start = a.find("start");
       Value total = start ? *start : Value(std::int64_t{0});
       for (const Value& entry : iterate(v, r))
         total = arithmetic("+", total,
                            attribute && !attribute->is_none()
                                ? attribute_path(entry, text_of(*attribute, r), r)
                                : entry,
                            r);
       return total;
     }},
    {"unique",
     [](const Value& v, ArgumentReader& a, Runtime& r) {
       const bool case_sensitive = a.boolean("case_sensitive", false);
       const Value* attribute = a.find("attribute");
       std::vector<Value> seen, kept;
       for (const Value& entry : iterate(v, r)) {
         const Value key = sort_key(attribute && !attribute->is_none()
                                        ? attribute_path(entry, text_of(*attribute, r), r)
                                        : entry,
                                    case_sensitive);
         if (std::any_of(seen.begin(), seen.end(),
                         [&](const Value& s) { return equal(s, key, r.budget); }))
           continue;
         seen.push_back(key);
         kept.push_back(entry);
       }
       return Value::list(std::move(kept));
     }},
    {"abs",
     [](const Value& v, ArgumentReader&, Runtime& r) {
       if (!v.is_number()) throw TemplateError("abs wants a number, not '" + v.type_name() + "'");
       if (v.is_float()) return Value(std::fabs(v.number()));
       return v.integer() < 0 ? arithmetic("-", Value(std::int64_t{0}), v, r) : Value(v.integer());
     }},
    {"round",
     [](const Value& v, ArgumentReader& a, Runtime&) {
       if (!v.is_number()) throw TemplateError("round wants a number, not '" + v.type_name() + "'");
       if (a.integer("precision", 0) != 0 || a.string("method", "common") != "common")
         throw TemplateError("round is supported to whole numbers only");
       return Value(std::nearbyint(v.number()));
     }},
};

template <int kSign, bool kOrEqual>
bool ordered(const Value& v, ArgumentReader& a, Runtime& r) {
  const int order = compare(v, a.require("other"), r.budget);
  return order == kSign || (kOrEqual && order == 0);
}

bool equal_test(const Value& v, ArgumentReader& a, Runtime& r) {
  return equal(v, a.require("other"), r.budget);
}
bool not_equal_test(const Value& v, ArgumentReader& a, Runtime& r) { return !equal_test(v, a, r); }

std::int64_t whole(const Value& v) {
  if (!v.is_int() && !v.is_bool())
    throw TemplateError("an integer is wanted, not '" + v.type_name() + "'");
  return v.integer();
}

constexpr Named<Test> kTests[] = {
    {"defined", [](const Value& v, ArgumentReader&, Runtime&) { return !v.is_undefined(); }},
    {"undefined", [](const Value& v, ArgumentReader&, Runtime&) { return v.is_undefined(); }},
    {"none", [](const Value& v, ArgumentReader&, Runtime&) { return v.is_none(); }},
    {"boolean", [](const Value& v, ArgumentReader&, Runtime&) { return v.is_bool(); }},
    {"true", [](const Value& v, ArgumentReader&, Runtime&) { return v.is_bool() && v.truthy(); }},
    {"false", [](const Value& v, ArgumentReader&, Runtime&) { return v.is_bool() && !v.truthy(); }},
    {"string", [](const Value& v, ArgumentReader&, Runtime&) { return v.is_string(); }},
    {"number", [](const Value& v, ArgumentReader&, Runtime&) { return v.is_number(); }},
    {"integer", [](const Value& v, ArgumentReader&, Runtime&) { return v.is_int(); }},
    {"float", [](const Value& v, ArgumentReader&, Runtime&) { return v.is_float(); }},
    {"mapping", [](const Value& v, ArgumentReader&, Runtime&) { return v.is_dict(); }},
    {"iterable",
     [](const Value& v, ArgumentReader&, Runtime&) {
       return v.is_string() || v.is_list() || v.is_dict() || v.is_undefined();
     }},
    {"sequence",
     [](const Value& v, ArgumentReader&, Runtime&) {
       return v.is_string() || v.is_list() || v.is_dict() || v.is_undefined();
     }},
    {"callable", [](const Value& v, ArgumentReader&, Runtime&) { return v.is_function(); }},
    {"even", [](const Value& v, ArgumentReader&, Runtime&) { return whole(v) % 2 == 0; }},
    {"odd", [](const Value& v, ArgumentReader&, Runtime&) { return whole(v) % 2 != 0; }},
    {"divisibleby",
     [](const Value& v, ArgumentReader& a, Runtime& r) {
       return arithmetic("%", v, a.require("num"), r).number() == 0;
     }},
    {"in", [](const Value& v, ArgumentReader& a,
              Runtime& r) { return contains(a.require("seq"), v, r); }},
    {"lower", [](const Value& v, ArgumentReader&, Runtime& r) { return is_lower(text_of(v, r)); }},
    {"upper", [](const Value& v, ArgumentReader&, Runtime& r) { return is_upper(text_of(v, r)); }},
    {"sameas",
     [](const Value& v, ArgumentReader& a, Runtime& r) {
       const Value& other = a.require("other");
       return v.type_name() == other.type_name() && equal(v, other, r.budget);
     }},
    {"eq", equal_test},
    {"equalto", equal_test},
    {"==", equal_test},
    {"ne", not_equal_test},
    {"!=", not_equal_test},
    {"lt", ordered<-1, false>},
    {"lessthan", ordered<-1, false>},
    {"<", ordered<-1, false>},
    {"le", ordered<-1, true>},
    {"<=", ordered<-1, true>},
    {"gt", ordered<1, false>},
    {"greaterthan", ordered<1, false>},
    {">", ordered<1, false>},
    {"ge", ordered<1, true>},
    {">=", ordered<1, true>},
};

template <class F, std::size_t N>
F find(const Named<F> (&list)[N], std::string_view name) {
  for (const Named<F>& entry : list)
    if (entry.name == name) return entry.call;
  return nullptr;
}

/// Those whose first arguments are names, the rest another filter's or test's.
constexpr std::string_view kHigherOrder[] = {"map", "select", "reject", "selectattr", "rejectattr"};

}  // namespace

bool is_filter(std::string_view name) {
  return find(kFilters, name) || std::ranges::find(kHigherOrder, name) != std::end(kHigherOrder);
}

bool is_test(std::string_view name) { return find(kTests, name) != nullptr; }

Value apply_filter(std::string_view name, const Value& value, const Arguments& arguments,
                   Runtime& runtime) {
  runtime.budget.charge();
  if (name == "map") return map(value, arguments, runtime);
  if (name == "select") return select(value, arguments, true, false, runtime);
  if (name == "reject") return select(value, arguments, false, false, runtime);
  if (name == "selectattr") return select(value, arguments, true, true, runtime);
  if (name == "rejectattr") return select(value, arguments, false, true, runtime);
  ArgumentReader reader(name, arguments);
  Value result = find(kFilters, name)(value, reader, runtime);
  reader.done();
  return result;
}

bool apply_test(std::string_view name, const Value& value, const Arguments& arguments,
                Runtime& runtime) {
  runtime.budget.charge();
  ArgumentReader reader(name, arguments);
  const bool result = find(kTests, name)(value, reader, runtime);
  reader.done();
  return result;
}

}  // namespace moebench::jinja
