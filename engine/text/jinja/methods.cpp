// Methods of strings and dicts, and the global functions.

#include <algorithm>

#include "engine/text/jinja/builtins.h"
#include "engine/text/jinja/strings.h"

namespace moebench::jinja {

namespace {

using Method = Value (*)(const Value& self, ArgumentReader& arguments, Runtime& runtime);

struct NamedMethod {
  std::string_view name;
  Method call;
};

Value strings_to_list(std::vector<std::string> strings, Runtime& runtime) {
  runtime.budget.charge(strings.size());
  std::vector<Value> items;
  items.reserve(strings.size());
  for (std::string& text : strings) items.emplace_back(std::move(text));
  return Value::list(std::move(items));
}

std::optional<std::string_view> optional_string(ArgumentReader& arguments, std::string_view name) {
  const Value* value = arguments.find(name);
  if (!value || value->is_none()) return std::nullopt;
  if (!value->is_string())
    throw TemplateError("'" + std::string(name) + "' is no string, but '" + value->type_name() +
                        "'");
  return value->string();
}

template <bool kLeft, bool kRight>
Value strip_method(const Value& self, ArgumentReader& arguments, Runtime&) {
  return Value(strip(self.string(), kLeft, kRight, optional_string(arguments, "chars")));
}

template <bool kFromRight>
Value split_method(const Value& self, ArgumentReader& arguments, Runtime& runtime) {
  const auto separator = optional_string(arguments, "sep");
  const std::int64_t limit = arguments.integer("maxsplit", -1);
  return strings_to_list(split(self.string(), separator, limit, kFromRight), runtime);
}

template <bool kStart>
Value affix_method(const Value& self, ArgumentReader& arguments, Runtime&) {
  const Value& affix = arguments.require("prefix");
  const auto has = [&](const Value& value) {
    if (!value.is_string()) throw TemplateError("startswith and endswith want strings");
    return kStart ? self.string().starts_with(value.string())
                  : self.string().ends_with(value.string());
  };
  if (affix.is_list() && affix.list().tuple)
    return Value(std::any_of(affix.list().items.begin(), affix.list().items.end(), has));
  return Value(has(affix));
}

template <bool kFromRight>
Value find_method(const Value& self, ArgumentReader& arguments, Runtime& runtime) {
  const std::string_view needle = arguments.string("sub", "");
  runtime.budget.charge_text(self.string().size());
  const std::size_t at = kFromRight ? self.string().rfind(needle) : self.string().find(needle);
  if (at == std::string::npos) return Value(std::int64_t{-1});
  return Value(
      static_cast<std::int64_t>(length_code_points(std::string_view(self.string()).substr(0, at))));
}

template <std::string (*kMap)(std::string_view)>
Value map_method(const Value& self, ArgumentReader&, Runtime&) {
  return Value(kMap(self.string()));
}

template <bool kPrefix>
Value remove_affix_method(const Value& self, ArgumentReader& arguments, Runtime&) {
  std::string_view text = self.string();
  const std::string_view affix = arguments.string("prefix", "");
  if (kPrefix && text.starts_with(affix)) text.remove_prefix(affix.size());
  if (!kPrefix && text.ends_with(affix)) text.remove_suffix(affix.size());
  return Value(text);
}

bool all_ascii(const std::string& text, bool (*holds)(char)) {
  return !text.empty() && std::all_of(text.begin(), text.end(), holds);
}

constexpr NamedMethod kStringMethods[] = {
    {"strip", strip_method<true, true>},
    {"lstrip", strip_method<true, false>},
    {"rstrip", strip_method<false, true>},
    {"split", split_method<false>},
    {"rsplit", split_method<true>},
    {"startswith", affix_method<true>},
    {"endswith", affix_method<false>},
    {"find", find_method<false>},
    {"rfind", find_method<true>},
    {"upper", map_method<upper>},
    {"lower", map_method<lower>},
    {"title", map_method<title>},
    {"capitalize", map_method<capitalize>},
    {"removeprefix", remove_affix_method<true>},
    {"removesuffix", remove_affix_method<false>},
    {"splitlines",
     [](const Value& self, ArgumentReader& arguments, Runtime& runtime) {
       return strings_to_list(split_lines(self.string(), arguments.boolean("keepends", false)),
                              runtime);
     }},
    {"replace",
     [](const Value& self, ArgumentReader& arguments, Runtime& runtime) {
       const Value &from = arguments.require("old"), &to = arguments.require("new");
       if (!from.is_string() || !to.is_string()) throw TemplateError("replace wants strings");
       runtime.budget.charge_text(self.string().size() * (to.string().size() + 1));
       return Value(
           replace(self.string(), from.string(), to.string(), arguments.integer("count", -1)));
     }},
    {"count",
     [](const Value& self, ArgumentReader& arguments, Runtime& runtime) {
       const std::string_view needle = arguments.string("sub", "");
       runtime.budget.charge_text(self.string().size());
       if (needle.empty())
         return Value(static_cast<std::int64_t>(length_code_points(self.string()) + 1));
       std::int64_t n = 0;
       for (std::size_t at = 0; (at = self.string().find(needle, at)) != std::string::npos;
            at += needle.size())
         ++n;
       return Value(n);
     }},
    {"join",
     [](const Value& self, ArgumentReader& arguments, Runtime& runtime) {
       std::string out;
       bool first = true;
       for (const Value& item : iterate(arguments.require("iterable"), runtime)) {
         if (!item.is_string()) throw TemplateError("join wants strings");
         if (!first) out += self.string();
         out += item.string();
         runtime.budget.charge_text(item.string().size() + self.string().size());
         first = false;
       }
       return Value(std::move(out));
     }},
    {"isdigit",
     [](const Value& self, ArgumentReader&, Runtime&) {
       return Value(all_ascii(self.string(), [](char c) { return c >= '0' && c <= '9'; }));
     }},
    {"isspace",
     [](const Value& self, ArgumentReader&, Runtime&) {
       return Value(!self.string().empty() && strip(self.string(), true, true, {}).empty());
     }},
    {"isupper",
     [](const Value& self, ArgumentReader&, Runtime&) { return Value(is_upper(self.string())); }},
    {"islower",
     [](const Value& self, ArgumentReader&, Runtime&) { return Value(is_lower(self.string())); }},
};

Value dict_items(const Dict& dict, Runtime& runtime) {
  runtime.budget.charge(dict.items.size() + 1);
  std::vector<Value> items;
  for (const auto& [key, value] : dict.items) items.push_back(Value::list({key, value}, true));
  return Value::list(std::move(items));
}

constexpr NamedMethod kDictMethods[] = {
    {"get",
     [](const Value& self, ArgumentReader& arguments, Runtime&) {
       const Value* found = self.dict().find(arguments.require("key"));
       const Value* absent = arguments.find("default");
       return found ? *found : absent ? *absent : Value(None{});
     }},
    {"items", [](const Value& self, ArgumentReader&,
                 Runtime& runtime) { return dict_items(self.dict(), runtime); }},
    {"keys", [](const Value& self, ArgumentReader&,
                Runtime& runtime) { return Value::list(iterate(self, runtime)); }},
    {"values",
     [](const Value& self, ArgumentReader&, Runtime& runtime) {
       runtime.budget.charge(self.dict().items.size() + 1);
       std::vector<Value> values;
       for (const auto& entry : self.dict().items) values.push_back(entry.second);
       return Value::list(std::move(values));
     }},
    {"copy", [](const Value& self, ArgumentReader&, Runtime&) { return self; }},
};

constexpr NamedMethod kListMethods[] = {
    {"index",
     [](const Value& self, ArgumentReader& arguments, Runtime& runtime) {
       const Value& wanted = arguments.require("value");
       const auto& items = self.list().items;
       for (std::size_t i = 0; i < items.size(); ++i)
         if (equal(items[i], wanted, runtime.budget)) return Value(static_cast<std::int64_t>(i));
       throw TemplateError("index: the value is not in the list");
     }},
    {"count",
     [](const Value& self, ArgumentReader& arguments, Runtime& runtime) {
       const Value& wanted = arguments.require("value");
       std::int64_t n = 0;
       for (const Value& entry : self.list().items)
         n += equal(entry, wanted, runtime.budget) ? 1 : 0;
       return Value(n);
     }},
};

template <std::size_t N>
Value bind(const NamedMethod (&methods)[N], const Value& object, std::string_view name,
           Runtime& runtime) {
  for (const NamedMethod& candidate : methods) {
    if (candidate.name != name) continue;
    return Value(std::make_shared<const Function>(
        Function{std::string(name), [object, &candidate, &runtime](const Arguments& arguments) {
                   if (object.is_string()) runtime.budget.charge_text(object.string().size());
                   ArgumentReader reader(candidate.name, arguments);
                   Value result = candidate.call(object, reader, runtime);
                   reader.done();
                   return result;
                 }}));
  }
  return Value();
}

Value make_function(std::string name, std::function<Value(const Arguments&)> call) {
  return Value(std::make_shared<const Function>(Function{std::move(name), std::move(call)}));
}

Value range(const Arguments& arguments, Runtime& runtime) {
  const auto& given = arguments.positional;
  if (given.empty() || given.size() > 3 || !arguments.named.empty())
    throw TemplateError("range wants one to three integers");
  for (const Value& value : given)
    if (!value.is_int())
      throw TemplateError("range wants integers, not '" + value.type_name() + "'");
  const std::int64_t start = given.size() > 1 ? given[0].integer() : 0;
  const std::int64_t stop = given.size() > 1 ? given[1].integer() : given[0].integer();
  const std::int64_t step = given.size() > 2 ? given[2].integer() : 1;
  if (step == 0) throw TemplateError("range: the step may not be zero");
  constexpr std::size_t kMaxRange = 100'000;  // the sandbox's own limit
  std::vector<Value> items;
  for (std::int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (items.size() >= kMaxRange) throw TemplateError("range: more than 100000 items");
    items.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  runtime.budget.charge(items.size());
  return Value::list(std::move(items));
}

}  // namespace

Value method(const Value& object, std::string_view name, Runtime& runtime) {
  if (object.is_string()) return bind(kStringMethods, object, name, runtime);
  if (object.is_dict()) return bind(kDictMethods, object, name, runtime);
  if (object.is_list()) return bind(kListMethods, object, name, runtime);
  return Value();
}

Value global(std::string_view name, Runtime& runtime) {
  if (name == "namespace" || name == "dict") {
    return make_function(
        std::string(name), [spaces = name == "namespace"](const Arguments& arguments) {
          std::vector<std::pair<Value, Value>> items;
          if (arguments.positional.size() > 1 ||
              (arguments.positional.size() == 1 && !arguments.positional[0].is_dict()))
            throw TemplateError("namespace and dict take a dict and named values");
          if (!arguments.positional.empty()) items = arguments.positional[0].dict().items;
          for (const auto& [key, value] : arguments.named) items.emplace_back(Value(key), value);
          Value dict = Value::dict(std::move(items));
          if (!spaces) return dict;
          auto names = std::make_shared<Namespace>();
          for (const auto& [key, value] : dict.dict().items) {
            if (!key.is_string()) throw TemplateError("a namespace's names are strings");
            names->items.emplace_back(key.string(), value);
          }
          return Value(std::move(names));
        });
  }
  if (name == "range")
    return make_function("range", [&runtime](const Arguments& a) { return range(a, runtime); });
  if (name == "raise_exception") {
    return make_function("raise_exception", [](const Arguments& arguments) -> Value {
      ArgumentReader reader("raise_exception", arguments);
      const Value& message = reader.require("message");
      throw TemplateError("the template refuses: " +
                          (message.is_string() ? message.string() : message.type_name()));
    });
  }
  if (name == "strftime_now") {
    return make_function("strftime_now", [&runtime](const Arguments& arguments) {
      ArgumentReader reader("strftime_now", arguments);
      const Value& format = reader.require("format");
      if (!format.is_string()) throw TemplateError("strftime_now wants a string");
      return Value(format_time(format.string(), runtime.unix_time));
    });
  }
  return Value::undefined(std::string(name));
}

}  // namespace moebench::jinja
