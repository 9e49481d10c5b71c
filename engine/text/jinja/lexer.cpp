#include "engine/text/jinja/lexer.h"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "engine/text/jinja/value.h"
#include "engine/text/unicode.h"

namespace moebench::jinja {

namespace {

constexpr std::size_t kMaxSourceBytes = std::size_t{1} << 20;
constexpr std::string_view kSpace = " \t\n\r\f\v";

bool is_name_start(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return std::isalpha(byte) || c == '_' || byte >= 0x80;
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_part(char c) { return is_name_start(c) || is_digit(c); }

class Lexer {
 public:
  explicit Lexer(std::string_view source) {
    if (source.size() > kMaxSourceBytes) throw TemplateError("the template is larger than 1 MiB");
    // Jinja sees \n only, and drops one newline at the end.
    source_.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) {
      if (source[i] == '\r') {
        source_ += '\n';
        if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
      } else {
        source_ += source[i];
      }
    }
    if (source_.ends_with('\n')) source_.pop_back();
  }

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const std::size_t open = find_tag();
      std::string_view text = std::string_view(source_).substr(at_, open - at_);
      if (open == source_.size()) {
        push_text(text);
        break;
      }
      const char kind = source_[open + 1];
      const char sign = open + 2 < source_.size() ? source_[open + 2] : ' ';
      const std::string_view whole = text;
      if (sign == '-') {
        const std::size_t last = text.find_last_not_of(kSpace);
        text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
      } else if (sign != '+' && kind != '{') {  // lstrip_blocks
        const std::size_t line = text.rfind('\n') + 1;
        if ((line > 0 || line_starting_) &&
            text.find_first_not_of(kSpace, line) == std::string_view::npos)
          text = text.substr(0, line);
      }
      push_text(text);
      count_lines(whole);
      at_ = open + 2 + (sign == '-' || sign == '+' ? 1 : 0);
      if (kind == '#') {
        comment();
      } else {
        tag(kind);
      }
    }
    tokens_.push_back({Token::Kind::kEnd, "", line_});
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw TemplateError(what, line_); }

  std::string_view rest() const { return std::string_view(source_).substr(at_); }

  std::size_t find_tag() const {
    for (std::size_t i = at_; i + 1 < source_.size(); ++i)
      if (source_[i] == '{' &&
          (source_[i + 1] == '{' || source_[i + 1] == '%' || source_[i + 1] == '#'))
        return i;
    return source_.size();
  }

  void push_text(std::string_view text) {
    if (!text.empty()) tokens_.push_back({Token::Kind::kText, std::string(text), line_});
  }
  void count_lines(std::string_view text) {
    line_ += static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }
  void skip(std::size_t bytes) {
    count_lines(rest().substr(0, bytes));
    at_ += bytes;
  }
  void skip_space() {
    const std::size_t n = rest().find_first_not_of(kSpace);
    skip(n == std::string_view::npos ? rest().size() : n);
  }

  /// Whether a tag ends here, and past it if so. `close`: "}}", "%}" or "#}".
  bool end_tag(std::string_view close) {
    const bool minus = rest().starts_with('-') && rest().substr(1).starts_with(close);
    const bool plus =
        close != "}}" && rest().starts_with('+') && rest().substr(1).starts_with(close);
    if (!minus && !plus && !rest().starts_with(close)) return false;
    const std::size_t begin = at_;
    skip(close.size() + (minus || plus ? 1 : 0));
    if (minus) {
      skip_space();
    } else if (!plus && close != "}}" && rest().starts_with('\n')) {  // trim_blocks
      skip(1);
    }
    line_starting_ = at_ > begin && source_[at_ - 1] == '\n';
    return true;
  }

  void comment() {
    const std::size_t close = source_.find("#}", at_);
    if (close == std::string::npos) fail("a comment is not closed");
    const bool signed_close =
        close > at_ && (source_[close - 1] == '-' || source_[close - 1] == '+');
    skip(close - at_ - (signed_close ? 1 : 0));
    end_tag("#}");
  }

  void tag(char kind) {
    const bool block = kind == '%';
    const std::string_view close = block ? "%}" : "}}";
    if (block && raw()) return;
    tokens_.push_back({block ? Token::Kind::kBlockBegin : Token::Kind::kVariableBegin, "", line_});
    std::string brackets;
    while (true) {
      skip_space();
      if (at_ >= source_.size()) fail(std::string("a tag is not closed by ") + std::string(close));
      const int line = line_;
      if (brackets.empty() && end_tag(close)) {
        tokens_.push_back({block ? Token::Kind::kBlockEnd : Token::Kind::kVariableEnd, "", line});
        return;
      }
      expression_token(brackets);
    }
  }

  /// {% raw %} ... {% endraw %}: text, whatever is in it.
  bool raw() {
    const std::size_t begin = at_;
    const int begin_line = line_;
    skip_space();
    if (!rest().starts_with("raw")) {
      at_ = begin, line_ = begin_line;
      return false;
    }
    at_ += 3;
    skip_space();
    if (!end_tag("%}")) {
      at_ = begin, line_ = begin_line;
      return false;
    }
    const std::size_t text = at_;
    for (std::size_t open = source_.find("{%", at_); open != std::string::npos;
         open = source_.find("{%", open + 2)) {
      std::size_t name = open + 2;
      const bool minus = name < source_.size() && source_[name] == '-';
      if (minus || (name < source_.size() && source_[name] == '+')) ++name;
      name = std::min(source_.find_first_not_of(kSpace, name), source_.size());
      if (source_.compare(name, 6, "endraw") != 0) continue;
      std::string_view body = std::string_view(source_).substr(text, open - text);
      if (minus) {
        const std::size_t last = body.find_last_not_of(kSpace);
        body = body.substr(0, last == std::string_view::npos ? 0 : last + 1);
      } else if (source_[open + 2] != '+') {
        const std::size_t line = body.rfind('\n') + 1;
        if ((line > 0 || line_starting_) &&
            body.find_first_not_of(kSpace, line) == std::string_view::npos)
          body = body.substr(0, line);
      }
      push_text(body);
      skip(name + 6 - at_);
      skip_space();
      if (!end_tag("%}")) fail("endraw wants %} after it");
      return true;
    }
    fail("raw without endraw");
  }

  void expression_token(std::string& brackets) {
    const char c = source_[at_];
    if (is_name_start(c)) {
      std::size_t end = at_;
      while (end < source_.size() && is_name_part(source_[end])) ++end;
      push(Token::Kind::kName, end);
    } else if (is_digit(c)) {
      number();
    } else if (c == '"' || c == '\'') {
      string(c);
    } else {
      constexpr std::string_view kOperators[] = {"**", "//", "==", "!=", "<=", ">=", "+", "-", "*",
                                                 "/",  "%",  "~",  "<",  ">",  "=",  "(", ")", "[",
                                                 "]",  "{",  "}",  ",",  ".",  ":",  "|"};
      const auto op = std::ranges::find_if(
          kOperators, [&](std::string_view candidate) { return rest().starts_with(candidate); });
      if (op == std::ranges::end(kOperators)) fail(std::string("unexpected character '") + c + "'");
      if (*op == "(" || *op == "[" || *op == "{") {
        brackets += c == '(' ? ')' : c == '[' ? ']' : '}';
      } else if (*op == ")" || *op == "]" || *op == "}") {
        if (brackets.empty() || brackets.back() != c) fail(std::string("unexpected '") + c + "'");
        brackets.pop_back();
      }
      push(Token::Kind::kOperator, at_ + op->size());
    }
  }

  void push(Token::Kind kind, std::size_t end) {
    tokens_.push_back({kind, source_.substr(at_, end - at_), line_});
    at_ = end;
  }

  void number() {
    std::size_t end = at_;
    const auto digits = [&] {
      while (end < source_.size() && (is_digit(source_[end]) || source_[end] == '_')) ++end;
    };
    digits();
    bool real = false;
    if (end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
      real = true;
      ++end;
      digits();
    }
    if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      std::size_t exponent = end + 1;
      if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-'))
        ++exponent;
      if (exponent < source_.size() && is_digit(source_[exponent])) {
        real = true;
        end = exponent;
        digits();
      }
    }
    if (end < source_.size() && is_name_start(source_[end])) fail("a number runs into a name");
    push(real ? Token::Kind::kFloat : Token::Kind::kInteger, end);
    std::erase(tokens_.back().text, '_');
  }

  void string(char quote) {
    const int line = line_;
    std::string value;
    std::size_t i = at_ + 1;
    for (; i < source_.size() && source_[i] != quote; ++i) {
      if (source_[i] != '\\') {
        value += source_[i];
        continue;
      }
      if (++i >= source_.size()) break;
      escape(i, value);
    }
    if (i >= source_.size()) fail("a string is not closed");
    skip(i + 1 - at_);
    tokens_.push_back({Token::Kind::kString, std::move(value), line});
  }

  /// Python's escapes; `i` is at the character after the backslash, and stays on the last one used.
  void escape(std::size_t& i, std::string& value) {
    const char c = source_[i];
    constexpr std::string_view kPlain = "ntrabfv\\'\"", kMeaning = "\n\t\r\a\b\f\v\\'\"";
    if (const std::size_t plain = kPlain.find(c); plain != std::string_view::npos) {
      value += kMeaning[plain];
    } else if (c == '\n') {  // a line continued
    } else if (c == 'x' || c == 'u' || c == 'U') {
      const std::size_t n = c == 'x' ? 2 : c == 'u' ? 4 : 8;
      char32_t code = 0;
      for (std::size_t k = 1; k <= n; ++k) {
        if (i + k >= source_.size() || !std::isxdigit(static_cast<unsigned char>(source_[i + k])))
          fail(std::string("\\") + c + " wants " + std::to_string(n) + " hex digits");
        const char digit = static_cast<char>(std::tolower(source_[i + k]));
        code = code * 16 + static_cast<char32_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
      }
      if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        fail("an escape is no Unicode character");
      text::append_utf8(value, code);
      i += n;
    } else if (c >= '0' && c <= '7') {
      char32_t code = 0;
      std::size_t k = 0;
      for (; k < 3 && i + k < source_.size() && source_[i + k] >= '0' && source_[i + k] <= '7'; ++k)
        code = code * 8 + static_cast<char32_t>(source_[i + k] - '0');
      text::append_utf8(value, code);
      i += k - 1;
    } else {
      value += '\\';
      value += c;
    }
  }

  std::string source_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace moebench::jinja
