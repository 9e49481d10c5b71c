#include "datasets/grading/tokens.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "datasets/grading/spellings.h"

namespace moebench {
namespace {

using namespace spellings;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

template <class Range>
bool contains(const Range& range, std::string_view name) {
  return std::find(std::begin(range), std::end(range), name) != std::end(range);
}

/// The one-character string of an ASCII character, in static storage.
std::string_view one_char(char c) {
  static const auto table = [] {
    std::array<char, 128> chars{};
    for (int i = 0; i < 128; ++i) chars[static_cast<std::size_t>(i)] = static_cast<char>(i);
    return chars;
  }();
  return {&table[static_cast<unsigned char>(c) & 127], 1};
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '~' || text.front() == '$'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '~' || text.back() == '$'))
    text.remove_suffix(1);
  return text;
}

class Tokeniser {
 public:
  Tokeniser(std::string_view input, bool commas_separate)
      : input_(input), commas_separate_(commas_separate) {}

  TokenStream run() {
    stream_.tokens.reserve(input_.size() / 2 + 4);
    scan(input_, 0);
    push(TokenKind::kEnd, {});
    return std::move(stream_);
  }

 private:
  void push(TokenKind kind, std::string_view text) {
    if (kind == TokenKind::kChar) {
      const char c = text[0];
      if (c == '(' || c == '[') ++depth_;
      if ((c == ')' || c == ']') && depth_ > 0) --depth_;
    }
    stream_.tokens.push_back({kind, text, space_, false});
    space_ = false;
  }

  /// A sign's meaning: one character of ASCII punctuation, a set brace, or a command.
  void push_meaning(std::string_view meaning) {
    if (meaning == "{{" || meaning == "}}") {
      if (meaning == "{{") ++depth_;
      if (meaning == "}}" && depth_ > 0) --depth_;
      push(TokenKind::kCommand, meaning == "{{" ? "lbrace" : "rbrace");
    } else if (meaning.size() == 1 && !is_letter(meaning[0])) {
      push(TokenKind::kChar, meaning);
    } else {
      push(TokenKind::kCommand, meaning);
    }
  }

  void scan(std::string_view in, int nesting) {
    for (std::size_t i = 0; i < in.size();) {
      const char c = in[i];
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '~') {
        space_ = true;
        ++i;
      } else if (c == '$') {
        i = scan_dollar(in, i);
      } else if (c == '.' && in.substr(i + 1).starts_with("\\overline")) {
        push(TokenKind::kNumber, "0.");
        ++i;
      } else if (is_digit(c) || (c == '.' && i + 1 < in.size() && is_digit(in[i + 1]))) {
        i = scan_number(in, i);
      } else if (is_letter(c)) {
        std::size_t end = i;
        while (end < in.size() && is_letter(in[end])) ++end;
        push(TokenKind::kWord, in.substr(i, end - i));
        i = end;
      } else if (c == '\\') {
        i = scan_command(in, i, nesting);
      } else if (static_cast<unsigned char>(c) >= 128) {
        i = scan_unicode(in, i);
      } else {
        i = scan_punctuation(in, i);
      }
    }
  }

  /// A bare dollar delimits mathematics; before a number, and with no partner, it is a currency,
  /// which says nothing either. Only "and" between two formulas must not glue them.
  std::size_t scan_dollar(std::string_view, std::size_t i) {
    space_ = true;
    return i + 1;
  }

  std::size_t scan_punctuation(std::string_view in, std::size_t i) {
    const std::string_view rest = in.substr(i);
    const auto take = [&](std::string_view what, std::string_view meaning) {
      if (!rest.starts_with(what)) return false;
      push_meaning(meaning);
      return true;
    };
    if (take("<=", "le") || take(">=", "ge") || take("!=", "ne")) return i + 2;
    if (take("=<", "le") || take("=>", "ge")) return i + 2;
    if (take("**", "^")) return i + 2;
    if (take("+/-", "pm")) return i + 3;
    if (take("+-", "pm") && false) return i + 2;
    if (take("...", "ldots")) return i + 3;
    if (in[i] == '`' || in[i] == '"' || in[i] == '?') return i + 1;
    push(TokenKind::kChar, one_char(in[i]));
    return i + 1;
  }

  std::size_t scan_unicode(std::string_view in, std::size_t i) {
    const std::string_view rest = in.substr(i);
    for (const Sign& space : kSpaces) {
      if (rest.starts_with(space.bytes)) {
        space_ = true;
        return i + space.bytes.size();
      }
    }
    for (const Sign& sign : kSigns) {
      if (rest.starts_with(sign.bytes)) {
        push_meaning(sign.meaning);
        return i + sign.bytes.size();
      }
    }
    for (const Vulgar& vulgar : kVulgar) {
      if (rest.starts_with(vulgar.bytes)) {
        push(TokenKind::kCommand, "frac");
        push(TokenKind::kNumber, vulgar.numerator);
        push(TokenKind::kNumber, vulgar.denominator);
        return i + vulgar.bytes.size();
      }
    }
    for (const Exponent& exponent : kExponents) {
      if (!rest.starts_with(exponent.bytes)) continue;
      push(TokenKind::kChar, exponent.raised ? "^" : "_");
      push(TokenKind::kChar, "{");
      bool more = true;
      while (more) {  // x²³ is x^{23}
        more = false;
        for (const Exponent& next : kExponents) {
          if (next.raised == exponent.raised && in.substr(i).starts_with(next.bytes)) {
            push(is_digit(next.digit[0]) ? TokenKind::kNumber : TokenKind::kChar, next.digit);
            i += next.bytes.size();
            more = true;
            break;
          }
        }
      }
      push(TokenKind::kChar, "}");
      return i;
    }
    // An unknown character: kept as a word, so that text can be compared and mathematics fails.
    std::size_t end = i + 1;
    while (end < in.size() && (static_cast<unsigned char>(in[end]) & 0xc0) == 0x80) ++end;
    push(TokenKind::kText, in.substr(i, end - i));
    return end;
  }

  /// The content of the {...} that begins at or after i; npos-terminated when it does not close.
  std::pair<std::string_view, std::size_t> braced(std::string_view in, std::size_t i) {
    while (i < in.size() && in[i] == ' ') ++i;
    if (i >= in.size() || in[i] != '{') return {{}, std::string_view::npos};
    int depth = 0;
    for (std::size_t j = i; j < in.size(); ++j) {
      if (in[j] == '\\') {
        ++j;
      } else if (in[j] == '{') {
        ++depth;
      } else if (in[j] == '}' && --depth == 0) {
        return {in.substr(i + 1, j - i - 1), j + 1};
      }
    }
    return {{}, std::string_view::npos};
  }

  std::size_t scan_command(std::string_view in, std::size_t i, int nesting) {
    std::size_t end = i + 1;
    if (end >= in.size()) return end;
    if (!is_letter(in[end])) {
      switch (in[end]) {
        case '\\': {
          push(TokenKind::kChar, "\\");
          std::size_t after = end + 1;  // \\[2pt]
          if (after < in.size() && in[after] == '[') {
            const std::size_t close = in.find(']', after);
            if (close != std::string_view::npos &&
                in.substr(after, close - after).find_first_of("pem") != std::string_view::npos)
              after = close + 1;
          }
          return after;
        }
        case '{':
          push_meaning("{{");
          break;
        case '}':
          push_meaning("}}");
          break;
        case '%':
          push(TokenKind::kChar, "%");
          break;
        case '$':
          push(TokenKind::kCommand, "dollar");
          break;
        case '|':
          push(TokenKind::kChar, "|");
          break;
        case '&':
          push(TokenKind::kChar, "&");
          break;
        case '_':
          push(TokenKind::kChar, "_");
          break;
        case '#':
          break;
        default:
          space_ = true;  // \, \; \: \! \( \) \[ \] and "\ "
      }
      return end + 1;
    }
    while (end < in.size() && is_letter(in[end])) ++end;
    std::string_view name = in.substr(i + 1, end - i - 1);
    if (name == "not") {
      std::size_t sign = end;
      while (sign < in.size() && in[sign] == ' ') ++sign;
      if (sign < in.size() && in[sign] == '=') {
        push(TokenKind::kCommand, "ne");
        return sign + 1;
      }
    }
    if (const std::size_t after = scan_unit_vector(in, i); after != i) return after;
    if (contains(kTextCommands, name)) return scan_text(in, end, nesting);
    if (contains(kSpaceCommands, name)) {
      space_ = true;
      return end;
    }
    if (name == "color" || name == "textcolor" || name == "colorbox") {  // the colour's name
      const auto [content, after] = braced(in, end);
      return after == std::string_view::npos ? end : after;
    }
    if (name == "hspace" || name == "vspace" || name == "phantom" || name == "label" ||
        name == "tag" || name == "mspace") {
      const auto [content, after] = braced(in, end);
      space_ = true;
      return after == std::string_view::npos ? end : after;
    }
    if (name == "mathbb" || name == "Bbb") {
      const auto [content, after] = braced(in, end);
      const std::string_view letter =
          after == std::string_view::npos ? in.substr(end).substr(0, 1) : trim(content);
      if (letter == "R") {
        push(TokenKind::kCommand, "reals");
      } else {
        push(TokenKind::kText, letter);
      }
      return after == std::string_view::npos ? std::min(end + 1, in.size()) : after;
    }
    const auto word_follows = [&] {
      return in.substr(end).starts_with("{\\text") || in.substr(end).starts_with("{\\mathrm") ||
             in.substr(end).starts_with("{\\mbox");
    };
    if ((name == "frac" || name == "dfrac" || name == "tfrac") && word_follows()) {
      // \frac{\text{km}}{\text{h}}
      const auto [top, middle] = braced(in, end);
      const auto [bottom, after] = middle == std::string_view::npos
                                       ? std::pair{std::string_view{}, middle}
                                       : braced(in, middle);
      if (after != std::string_view::npos && is_text_only(top) && is_text_only(bottom)) {
        push(TokenKind::kText, in.substr(i, after - i));
        return after;
      }
    }
    if (contains(kDropped, name)) {
      if ((name == "left" || name == "right") && end < in.size() && in[end] == '.') return end + 1;
      return end;
    }
    for (const auto& [from, to] : kSynonyms) {
      if (name == from) {
        push_meaning(to);
        return end;
      }
    }
    push(TokenKind::kCommand, name);
    return end;
  }

  /// \mathbf{i}, \hat{\jmath}, \vec k, \hat{\mathbf{k}}: a vector of length one along an axis.
  /// The position behind it, or `i`.
  std::size_t scan_unit_vector(std::string_view in, std::size_t i) {
    static constexpr std::string_view kMarks[] = {"\\mathbf", "\\boldsymbol", "\\bm", "\\bf",
                                                  "\\hat",    "\\widehat",    "\\vec"};
    std::size_t at = i;
    int marks = 0, braces = 0;
    while (true) {
      const std::string_view rest = in.substr(at);
      const auto mark = std::find_if(std::begin(kMarks), std::end(kMarks), [&](auto name) {
        return rest.starts_with(name) &&
               (rest.size() == name.size() || !is_letter(rest[name.size()]));
      });
      if (mark != std::end(kMarks)) {
        at += mark->size();
        ++marks;
      } else if (rest.starts_with('{')) {
        ++at;
        ++braces;
      } else if (rest.starts_with(' ')) {
        ++at;
      } else {
        break;
      }
      if (marks + braces > 6) return i;
    }
    if (marks == 0 || at >= in.size()) return i;
    const std::string_view rest = in.substr(at);
    std::string_view axis;
    for (const std::string_view name : {"\\imath", "\\jmath", "i", "j", "k"}) {
      if (rest.starts_with(name) && (rest.size() == name.size() || !is_letter(rest[name.size()])))
        axis = name;
    }
    if (axis.empty()) return i;
    at += axis.size();
    for (; braces > 0; --braces) {
      while (at < in.size() && in[at] == ' ') ++at;
      if (at >= in.size() || in[at] != '}') return i;
      ++at;
    }
    static constexpr std::string_view kAxes[] = {"unit i", "unit j", "unit k"};
    const char letter = axis[0] == '\\' ? axis[1] : axis[0];
    push(TokenKind::kCommand, kAxes[letter - 'i']);
    return at;
  }

  /// Nothing but one \text{...}, \mathrm{...} or the like.
  bool is_text_only(std::string_view in) {
    in = trim(in);
    if (!in.starts_with('\\')) return false;
    std::size_t end = 1;
    while (end < in.size() && is_letter(in[end])) ++end;
    const std::string_view name = in.substr(1, end - 1);
    return name != "mathbf" && name != "mathit" && contains(kTextCommands, name) &&
           braced(in, end).second == in.size() && in.find_first_of("0123456789") == in.npos;
  }

  /// \text{...}: single letters, numbers and function names are mathematics in another font; all
  /// else is words.
  std::size_t scan_text(std::string_view in, std::size_t end, int nesting) {
    const auto [content, after] = braced(in, end);
    if (after == std::string_view::npos) return end;
    const std::string_view inner = trim(content);
    const bool short_math = inner.size() == 1 && (is_letter(inner[0]) || is_digit(inner[0]));
    // 5\text{ m} is a length; \mathbf{v} and 2\mathrm{e} are letters.
    const bool after_value =
        !stream_.tokens.empty() &&
        (stream_.tokens.back().kind == TokenKind::kNumber || stream_.tokens.back().text == "}" ||
         stream_.tokens.back().text == ")" || stream_.tokens.back().text == "pi" ||
         stream_.tokens.back().text == "/" ||
         (stream_.tokens.size() > 1 && stream_.tokens.back().text == "*" &&
          stream_.tokens[stream_.tokens.size() - 2].kind == TokenKind::kText));
    const bool unit_letter =
        inner.size() == 1 && after_value &&
        std::string_view("mgshlLJNWVKCFA").find(inner[0]) != std::string_view::npos;
    const bool starts_with_digit = !inner.empty() && is_digit(inner[0]);  // \text{10 cm}
    const bool number = !inner.empty() &&
                        inner.find_first_not_of("0123456789.,-+/()[]: ") == std::string_view::npos;
    const bool separator = !inner.empty() && (inner[0] == ',' || inner[0] == ';');
    static constexpr std::string_view kNames[] = {
        "sin",    "cos", "tan", "cot", "sec", "csc", "cis", "arcsin", "arccos",
        "arctan", "ln",  "log", "exp", "gcd", "lcm", "max", "min",    "arccot"};
    const bool markup =
        inner.find('\\') != std::string_view::npos || inner.find('^') != std::string_view::npos;
    if (content.size() > inner.size()) space_ = true;
    if (contains(kNames, inner)) {
      push(TokenKind::kCommand, inner);
    } else if (inner == "infinity" || inner == "Infinity") {
      push(TokenKind::kCommand, "infty");
    } else if (((short_math && !unit_letter) || number || markup || starts_with_digit ||
                separator) &&
               nesting < 20) {
      scan(inner, nesting + 1);
    } else if (!inner.empty()) {
      push(TokenKind::kText, inner);
    }
    if (content.size() > inner.size()) space_ = true;
    return after;
  }

  /// If a thousands separator and three digits stand at i, the position behind them.
  std::size_t thousands_group(std::string_view in, std::size_t i, bool& plain) const {
    std::size_t j = i;
    plain = false;
    const std::string_view rest = in.substr(i);
    if (rest.starts_with("{,}")) {
      j += 3;
      if (in.substr(j).starts_with("\\!")) j += 2;
    } else if (rest.starts_with(",\\!") || rest.starts_with(", \\!")) {
      j = in.find("\\!", i) + 2;
      while (j < in.size() && in[j] == ' ') ++j;
    } else if (rest.starts_with("\\,") || rest.starts_with("\\;") || rest.starts_with("\\ ") ||
               rest.starts_with("\\:")) {
      j += 2;
    } else if (rest.starts_with("{\\,}")) {
      j += 4;
    } else if (rest.starts_with("\\text{,}")) {
      j += 8;
    } else if (rest.starts_with(" ") || rest.starts_with("~")) {
      j += 1;
    } else if (rest.starts_with(",")) {
      if (commas_separate_ || depth_ > 0) return i;
      j += 1;
      plain = true;
    } else {
      return i;
    }
    if (j + 3 > in.size() || !is_digit(in[j]) || !is_digit(in[j + 1]) || !is_digit(in[j + 2]))
      return i;
    if (j + 3 < in.size() && is_digit(in[j + 3])) return i;
    const bool space = rest[0] == ' ' || rest[0] == '~' || rest.starts_with("\\ ");
    if (space && j + 3 < in.size() && in[j + 3] == '/') return i;  // 59 205/256
    return j + 3;
  }

  std::size_t scan_number(std::string_view in, std::size_t begin) {
    std::size_t i = begin;
    while (i < in.size() && is_digit(in[i])) ++i;
    bool ambiguous = false;
    if (i > begin && i - begin <= 3 && in[begin] != '0') {
      bool plain = false, any_plain = false;
      std::size_t end = i;
      for (std::size_t next; (next = thousands_group(in, end, plain)) != end;) {
        any_plain = any_plain || plain;
        end = next;
      }
      // 1,200,30 is no number with thousands.
      const bool list_goes_on =
          any_plain && end + 1 < in.size() && in[end] == ',' && is_digit(in[end + 1]);
      if (!list_goes_on) {
        ambiguous = any_plain && end > i;
        i = end;
      }
    }
    if (i < in.size() && in[i] == '.') {
      const std::string_view after = in.substr(i + 1);
      if (!after.empty() && is_digit(after[0])) {
        ++i;
        while (i < in.size() && is_digit(in[i])) ++i;
      } else if (after.starts_with("\\overline") || after.starts_with("\\dot{") ||
                 after.starts_with("\\bar") || after.starts_with("\\dot ") ||
                 after.starts_with("(")) {
        ++i;
      }
    }
    if (i + 1 < in.size() && (in[i] == 'e' || in[i] == 'E')) {  // 2.5e3
      std::size_t j = i + 1;
      if (in[j] == '+' || in[j] == '-') ++j;
      std::size_t digits = j;
      while (digits < in.size() && is_digit(in[digits])) ++digits;
      const bool ends = digits == in.size() || !is_letter(in[digits]);
      if (digits > j && digits - j <= 4 && ends) i = digits;
    }
    push(TokenKind::kNumber, in.substr(begin, i - begin));
    stream_.tokens.back().text_commas = ambiguous;
    stream_.ambiguous_commas = stream_.ambiguous_commas || ambiguous;
    return i;
  }

  std::string_view input_;
  bool commas_separate_;
  bool space_ = false;
  int depth_ = 0;  // of ( [ \{
  TokenStream stream_;
};

}  // namespace

TokenStream tokenise(std::string_view answer, bool commas_separate) {
  if (answer.size() > kMaxAnswerBytes) {
    TokenStream stream;
    stream.too_long = true;
    stream.tokens.push_back({});
    return stream;
  }
  return Tokeniser(answer, commas_separate).run();
}

}  // namespace moebench
