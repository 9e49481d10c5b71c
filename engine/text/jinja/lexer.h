#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moebench::jinja {

struct Token {
  enum class Kind : std::uint8_t {
    kText,           ///< output as it is
    kVariableBegin,  ///< {{
    kVariableEnd,
    kBlockBegin,  ///< {%
    kBlockEnd,
    kName,
    kString,
    kInteger,
    kFloat,
    kOperator,
    kEnd,
  };
  Kind kind = Kind::kEnd;
  std::string text;  ///< the string's value; the operator, the name or the number as written
  int line = 0;

  bool is_operator(std::string_view op) const { return kind == Kind::kOperator && text == op; }
  bool is_name(std::string_view name) const { return kind == Kind::kName && text == name; }
};

/// Cuts a template into tokens, with white space handled as trim_blocks and lstrip_blocks want it
/// (the settings that Hugging Face renders chat templates with). Throws TemplateError.
std::vector<Token> tokenize(std::string_view source);

}  // namespace moebench::jinja
