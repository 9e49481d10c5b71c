#include "harness/cli/help_format.h"

#include <CLI/CLI.hpp>
#include <sstream>
#include <string>

namespace moebench {

namespace {

constexpr std::size_t kColumn = 32;
constexpr std::size_t kWidth = 100;

std::string two_columns(const std::string& left, const std::string& right) {
  std::string text = "  " + left;
  std::size_t column = text.size();
  if (column + 2 > kColumn) {
    text += "\n";
    column = 0;
  }
  text.append(kColumn - column, ' ');
  column = kColumn;
  std::istringstream words(right);
  std::string word;
  while (words >> word) {
    if (column > kColumn && column + 1 + word.size() > kWidth) {
      text += "\n" + std::string(kColumn, ' ');
      column = kColumn;
    }
    if (column > kColumn) {
      text += " ";
      ++column;
    }
    text += word;
    column += word.size();
  }
  return text + "\n";
}

class HelpFormat final : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    std::string text = CLI::Formatter::make_help(app, std::move(name), mode);
    for (std::size_t at = 0; (at = text.find("\n\n\n", at)) != std::string::npos;) {
      text.erase(at, 1);
    }
    return text;
  }

  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    std::string left = make_option_name(option, is_positional);
    const bool takes_value = option->get_type_size() != 0;
    const std::string value =
        option->get_option_text().empty() ? option->get_type_name() : option->get_option_text();
    // A positional's name is its value's name.
    if (takes_value && is_positional && !value.empty()) left = value;
    if (takes_value && !is_positional && !value.empty()) left += " " + value;
    std::string right = option->get_description();
    if (option->get_required() && !is_positional) right += " (required)";
    if (takes_value && !option->get_default_str().empty()) {
      right += " (default: " + option->get_default_str() + ")";
    }
    return two_columns(left, right);
  }

  std::string make_subcommand(const CLI::App* sub) const override {
    return two_columns(sub->get_name(), sub->get_description());
  }
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> make_help_format() { return std::make_shared<HelpFormat>(); }

}  // namespace moebench
