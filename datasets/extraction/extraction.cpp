#include "datasets/extraction/extraction.h"

#include <optional>

namespace moebench {
namespace {

std::string trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

/// The content of the last \boxed{...} that closes.
std::optional<std::string> last_box(std::string_view text) {
  for (std::size_t from = std::string_view::npos;;) {
    const std::size_t at = text.rfind("\\boxed", from);
    if (at == std::string_view::npos) return std::nullopt;
    std::size_t i = at + 6;
    while (i < text.size() && text[i] == ' ') ++i;
    if (i < text.size() && text[i] == '{') {
      int depth = 0;
      for (std::size_t j = i; j < text.size(); ++j) {
        if (text[j] == '\\') {
          ++j;
        } else if (text[j] == '{') {
          ++depth;
        } else if (text[j] == '}' && --depth == 0) {
          return std::string(text.substr(i + 1, j - i - 1));
        }
      }
    } else if (i < text.size() && i > at + 6) {
      return std::string(text.substr(i, 1));
    }
    if (at == 0) return std::nullopt;
    from = at - 1;
  }
}

std::optional<std::string> last_number(std::string_view text) {
  for (std::size_t end = text.size(); end > 0; --end) {
    if (text[end - 1] < '0' || text[end - 1] > '9') continue;
    std::size_t begin = end;
    while (begin > 0 &&
           std::string_view("0123456789.,").find(text[begin - 1]) != std::string_view::npos) {
      --begin;
    }
    while (begin < end && (text[begin] == ',' || text[begin] == '.')) ++begin;
    if (begin > 0 && text[begin - 1] == '-') --begin;
    return std::string(text.substr(begin, end - begin));
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(ExtractionRule rule) {
  switch (rule) {
    case ExtractionRule::kNone:
      return "none";
    case ExtractionRule::kHash:
      return "hash";
    case ExtractionRule::kBox:
      return "box";
    case ExtractionRule::kBoxGroup:
      return "box-group";
    case ExtractionRule::kFinalAnswer:
      return "final-answer";
    case ExtractionRule::kAnswerIs:
      return "answer-is";
    case ExtractionRule::kAnswerLabel:
      return "answer-label";
    case ExtractionRule::kBold:
      return "bold";
    case ExtractionRule::kLastNumber:
      return "last-number";
    case ExtractionRule::kLastMath:
      return "last-math";
    case ExtractionRule::kWholeText:
      return "whole-text";
  }
  return "none";
}

std::string last_boxed(std::string_view text) { return last_box(text).value_or(""); }

Extraction extract_answer(const ExtractionRules& rules, std::string_view output, bool) {
  Extraction result;
  if (const auto end = output.rfind("</think>"); end != std::string_view::npos) {
    output.remove_prefix(end + 8);
  } else if (output.find("<think>") != std::string_view::npos) {
    result.status = ExtractionStatus::kUnclosedThinking;
    return result;
  }
  const auto found = [&](std::string answer, ExtractionRule rule) {
    result.status = ExtractionStatus::kFound;
    result.answer = std::move(answer);
    result.rule = rule;
    return result;
  };
  const bool numbers =
      rules.kind == ExtractionKind::kStrictHash || rules.kind == ExtractionKind::kFlexibleNumber;
  if (numbers) {
    if (const auto at = output.rfind("####"); at != std::string_view::npos) {
      std::string_view rest = output.substr(at + 4);
      return found(trim(rest.substr(0, rest.find('\n'))), ExtractionRule::kHash);
    }
    if (rules.kind == ExtractionKind::kStrictHash) return result;
  }
  if (auto box = last_box(output)) return found(trim(*box), ExtractionRule::kBox);
  if (numbers) {
    if (auto number = last_number(output)) return found(*number, ExtractionRule::kLastNumber);
  }
  return result;
}

}  // namespace moebench
