#include "engine/text/chat_template.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/parser.h"
#include "engine/text/unicode.h"

namespace moebench {

namespace {

using nlohmann::ordered_json;

[[noreturn]] void fail(const jinja::TemplateError& error) {
  throw Error(ErrorCode::kBadModel,
              "chat template, line " + std::to_string(error.line()) + ": " + error.what());
}

jinja::Value from_json(const ordered_json& json, int depth = 0) {
  if (depth > jinja::Value::kMaxDepth)
    throw jinja::TemplateError("a variable is nested too deeply");
  switch (json.type()) {
    case ordered_json::value_t::null:
      return jinja::Value(jinja::None{});
    case ordered_json::value_t::boolean:
      return jinja::Value(json.get<bool>());
    case ordered_json::value_t::number_integer:
    case ordered_json::value_t::number_unsigned:
      return jinja::Value(json.get<std::int64_t>());
    case ordered_json::value_t::number_float:
      return jinja::Value(json.get<double>());
    case ordered_json::value_t::string: {
      const auto& text = json.get_ref<const std::string&>();
      return jinja::Value(text::is_valid_utf8(text) ? text : text::replace_invalid_utf8(text));
    }
    case ordered_json::value_t::array: {
      std::vector<jinja::Value> items;
      for (const ordered_json& item : json) items.push_back(from_json(item, depth + 1));
      return jinja::Value::list(std::move(items));
    }
    case ordered_json::value_t::object: {
      std::vector<std::pair<jinja::Value, jinja::Value>> items;
      for (const auto& [key, item] : json.items())
        items.emplace_back(jinja::Value(key), from_json(item, depth + 1));
      return jinja::Value::dict(std::move(items));
    }
    default:
      throw jinja::TemplateError("a variable is of a kind that templates do not have");
  }
}

}  // namespace

struct ChatTemplate::Parsed {
  std::vector<jinja::Statement> body;
};

ChatTemplate::ChatTemplate(std::string_view source) {
  const std::string valid = text::replace_invalid_utf8(source);
  try {
    parsed_ = std::make_shared<const Parsed>(Parsed{jinja::parse(valid)});
  } catch (const jinja::TemplateError& error) {
    fail(error);
  }
}

std::string ChatTemplate::render(const ordered_json& variables,
                                 std::optional<std::int64_t> unix_time) const {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  try {
    std::vector<std::pair<std::string, jinja::Value>> names;
    for (const auto& [key, value] : variables.items()) names.emplace_back(key, from_json(value));
    return jinja::render(parsed_->body, std::move(names), unix_time.value_or(now.count()));
  } catch (const jinja::TemplateError& error) {
    fail(error);
  }
}

std::string ChatTemplate::render(const Tokenizer& tokenizer,
                                 std::span<const TemplateMessage> messages,
                                 const ChatPromptOptions& options) const {
  ordered_json variables;
  variables["messages"] = ordered_json::array();
  for (const TemplateMessage& message : messages)
    variables["messages"].push_back({{"role", message.role}, {"content", message.content}});
  variables["tools"] = nullptr;
  variables["documents"] = nullptr;
  variables["add_generation_prompt"] = options.add_generation_prompt;
  if (options.enable_thinking) {
    variables["enable_thinking"] = *options.enable_thinking;
    variables["thinking"] = *options.enable_thinking;
  }
  for (const auto& [name, token] : tokenizer.special_tokens()) variables[name] = token;
  return render(variables, options.unix_time);
}

}  // namespace moebench
