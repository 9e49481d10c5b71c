#include "engine/text/jinja/parser.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>

#include "engine/text/jinja/lexer.h"

namespace moebench::jinja {

namespace {

constexpr int kMaxNesting = 200;

using Kind = Expression::Kind;

class Parser {
 public:
  explicit Parser(std::string_view source) : tokens_(tokenize(source)) {}

  std::vector<Statement> run() {
    std::vector<Statement> body = statements({});
    return body;
  }

 private:
  // --- tokens ------------------------------------------------------------------------------------

  const Token& now() const { return tokens_[at_]; }
  const Token& ahead(std::size_t n = 1) const {
    return tokens_[std::min(at_ + n, tokens_.size() - 1)];
  }
  Token take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool take_operator(std::string_view op) {
    if (!now().is_operator(op)) return false;
    take();
    return true;
  }
  bool take_name(std::string_view name) {
    if (!now().is_name(name)) return false;
    take();
    return true;
  }
  [[noreturn]] void fail(const std::string& what) const { throw TemplateError(what, now().line); }
  std::string shown() const {
    switch (now().kind) {
      case Token::Kind::kEnd:
        return "the end of the template";
      case Token::Kind::kBlockEnd:
        return "%}";
      case Token::Kind::kVariableEnd:
        return "}}";
      case Token::Kind::kString:
        return "a string";
      default:
        return "'" + now().text + "'";
    }
  }
  void want_operator(std::string_view op) {
    if (!take_operator(op)) fail("'" + std::string(op) + "' expected before " + shown());
  }
  std::string want_name() {
    if (now().kind != Token::Kind::kName) fail("a name expected before " + shown());
    return take().text;
  }
  void want_block_end() {
    if (now().kind != Token::Kind::kBlockEnd) fail("%} expected before " + shown());
    take();
  }

  struct Nesting {
    explicit Nesting(Parser& parser) : parser_(parser) {
      if (++parser_.nesting_ > kMaxNesting) parser_.fail("nested too deeply");
    }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    ~Nesting() { --parser_.nesting_; }
    Parser& parser_;
  };

  // --- statements --------------------------------------------------------------------------------

  /// Statements up to one of the `end` tags, whose {% and name are left; or up to the end.
  std::vector<Statement> statements(std::initializer_list<std::string_view> end) {
    const Nesting nesting(*this);
    std::vector<Statement> list;
    while (true) {
      switch (now().kind) {
        case Token::Kind::kEnd:
          if (end.size() > 0) fail("'" + std::string(*(end.end() - 1)) + "' is missing");
          return list;
        case Token::Kind::kText: {
          Statement text;
          text.line = now().line;
          text.text = take().text;
          list.push_back(std::move(text));
          break;
        }
        case Token::Kind::kVariableBegin: {
          Statement print;
          print.kind = Statement::Kind::kPrint;
          print.line = take().line;
          print.expression = tuple_or_expression();
          if (now().kind != Token::Kind::kVariableEnd) fail("}} expected before " + shown());
          take();
          list.push_back(std::move(print));
          break;
        }
        case Token::Kind::kBlockBegin:
          for (const std::string_view name : end)
            if (ahead().is_name(name)) return list;
          take();
          statement(list);
          break;
        default:
          fail("unexpected " + shown());
      }
    }
  }

  /// Past the end tag that statements() stopped at.
  void end_tag(std::string_view name) {
    take();
    if (!take_name(name)) fail("'" + std::string(name) + "' expected before " + shown());
    want_block_end();
  }

  void statement(std::vector<Statement>& list) {
    Statement s;
    s.line = now().line;
    const std::string name = want_name();
    if (name == "if") {
      parse_if(s);
    } else if (name == "for") {
      parse_for(s);
    } else if (name == "set") {
      parse_set(s);
    } else if (name == "macro") {
      parse_macro(s);
    } else if (name == "filter") {
      s.kind = Statement::Kind::kFilter;
      s.expression = filter_chain(nullptr, true);
      want_block_end();
      s.body = statements({"endfilter"});
      end_tag("endfilter");
    } else if (name == "with") {
      s.kind = Statement::Kind::kScope;
      while (now().kind != Token::Kind::kBlockEnd) {
        if (!s.parameters.empty()) want_operator(",");
        std::string target = want_name();
        want_operator("=");
        s.parameters.emplace_back(std::move(target), expression());
      }
      want_block_end();
      s.body = statements({"endwith"});
      end_tag("endwith");
    } else if (name == "generation") {  // Hugging Face's mark of the assistant's words
      want_block_end();
      s.kind = Statement::Kind::kScope;
      s.body = statements({"endgeneration"});
      end_tag("endgeneration");
    } else if (name == "break" || name == "continue") {
      if (loops_ == 0) fail("'" + name + "' outside of a loop");
      s.kind = name == "break" ? Statement::Kind::kBreak : Statement::Kind::kContinue;
      want_block_end();
    } else {
      throw TemplateError("the tag '" + name + "' is not supported here", s.line);
    }
    list.push_back(std::move(s));
  }

  void parse_if(Statement& s) {
    s.kind = Statement::Kind::kIf;
    s.expression = tuple_or_expression(false);
    want_block_end();
    s.body = statements({"elif", "else", "endif"});
    if (ahead().is_name("elif")) {
      take();
      Statement next;
      next.line = take().line;
      const Nesting nesting(*this);
      parse_if(next);
      s.else_body.push_back(std::move(next));
    } else if (ahead().is_name("else")) {
      end_tag("else");
      s.else_body = statements({"endif"});
      end_tag("endif");
    } else {
      end_tag("endif");
    }
  }

  std::vector<std::string> target_names() {
    std::vector<std::string> names;
    const bool parenthesis = take_operator("(");
    do {
      if (!names.empty() &&
          (now().is_name("in") || now().is_operator(")") || now().is_operator("=")))
        break;
      names.push_back(want_name());
      if (names.size() > 16) fail("too many targets");
    } while (take_operator(","));
    if (parenthesis) want_operator(")");
    return names;
  }

  void parse_for(Statement& s) {
    s.kind = Statement::Kind::kFor;
    s.targets = target_names();
    if (!take_name("in")) fail("'in' expected before " + shown());
    s.expression = tuple_or_expression(false);
    if (take_name("if")) s.condition = expression();
    if (now().is_name("recursive")) fail("recursive loops are not supported");
    want_block_end();
    ++loops_;
    s.body = statements({"else", "endfor"});
    --loops_;
    if (ahead().is_name("else")) {
      end_tag("else");
      s.else_body = statements({"endfor"});
    }
    end_tag("endfor");
  }

  void parse_set(Statement& s) {
    s.kind = Statement::Kind::kSet;
    if (ahead().is_operator(".")) {
      s.kind = Statement::Kind::kSetMember;
      s.targets = {want_name()};
      take();
      s.text = want_name();
    } else {
      s.targets = target_names();
    }
    if (take_operator("=")) {
      s.expression = tuple_or_expression();
      want_block_end();
      return;
    }
    if (s.kind == Statement::Kind::kSetMember || s.targets.size() != 1)
      fail("'=' expected before " + shown());
    s.kind = Statement::Kind::kSetBlock;
    if (now().is_operator("|")) s.expression = filter_chain(nullptr, false);
    want_block_end();
    s.body = statements({"endset"});
    end_tag("endset");
  }

  void parse_macro(Statement& s) {
    s.kind = Statement::Kind::kMacro;
    s.text = want_name();
    want_operator("(");
    while (!take_operator(")")) {
      if (!s.parameters.empty()) want_operator(",");
      if (now().is_operator(")")) continue;
      std::string name = want_name();
      ExpressionPtr absent;
      if (take_operator("=")) absent = expression();
      s.parameters.emplace_back(std::move(name), std::move(absent));
    }
    want_block_end();
    const int loops = std::exchange(loops_, 0);
    s.body = statements({"endmacro"});
    loops_ = loops;
    end_tag("endmacro");
  }

  // --- expressions -------------------------------------------------------------------------------

  ExpressionPtr make(Kind kind, int line) const {
    auto e = std::make_unique<Expression>();
    e->kind = kind;
    e->line = line;
    return e;
  }
  template <class... Children>
  ExpressionPtr make(Kind kind, int line, Children... children) const {
    ExpressionPtr e = make(kind, line);
    (e->children.push_back(std::move(children)), ...);
    return e;
  }

  /// An expression, or several with commas between: a tuple.
  ExpressionPtr tuple_or_expression(bool conditional = true) {
    const int line = now().line;
    ExpressionPtr first = conditional ? expression() : or_expression();
    if (!now().is_operator(",")) return first;
    ExpressionPtr tuple = make(Kind::kTuple, line, std::move(first));
    while (take_operator(",")) {
      if (now().kind == Token::Kind::kBlockEnd || now().kind == Token::Kind::kVariableEnd) break;
      tuple->children.push_back(conditional ? expression() : or_expression());
    }
    return tuple;
  }

  ExpressionPtr expression() {
    const Nesting nesting(*this);
    ExpressionPtr value = or_expression();
    while (now().is_name("if")) {
      const int line = take().line;
      ExpressionPtr condition = or_expression();
      ExpressionPtr choice = make(Kind::kConditional, line, std::move(condition), std::move(value));
      if (take_name("else")) choice->children.push_back(expression());
      value = std::move(choice);
      chain();
    }
    return value;
  }

  /// Chains to the left make trees as deep as they are long.
  void chain() {
    if (++chained_ > kMaxChained) fail("the template is too large");
  }

  ExpressionPtr or_expression() {
    const std::size_t before = chained_;
    ExpressionPtr left = and_expression();
    while (now().is_name("or")) {
      const int line = take().line;
      left = make(Kind::kOr, line, std::move(left), and_expression());
      link(before);
    }
    return left;
  }

  ExpressionPtr and_expression() {
    const std::size_t before = chained_;
    ExpressionPtr left = not_expression();
    while (now().is_name("and")) {
      const int line = take().line;
      left = make(Kind::kAnd, line, std::move(left), not_expression());
      link(before);
    }
    return left;
  }

  ExpressionPtr not_expression() {
    const Nesting nesting(*this);
    if (!now().is_name("not")) return compare_expression();
    const int line = take().line;
    return make(Kind::kNot, line, not_expression());
  }

  ExpressionPtr compare_expression() {
    const int line = now().line;
    ExpressionPtr left = sum_expression();
    ExpressionPtr compare;
    while (true) {
      std::string op;
      if (now().kind == Token::Kind::kOperator &&
          (now().text == "==" || now().text == "!=" || now().text == "<" || now().text == "<=" ||
           now().text == ">" || now().text == ">=")) {
        op = take().text;
      } else if (now().is_name("in")) {
        op = take().text;
      } else if (now().is_name("not") && ahead().is_name("in")) {
        take(), take();
        op = "not in";
      } else {
        break;
      }
      if (!compare) compare = make(Kind::kCompare, line, std::move(left));
      compare->operators.push_back(op);
      compare->children.push_back(sum_expression());
    }
    return compare ? std::move(compare) : std::move(left);
  }

  ExpressionPtr binary(std::initializer_list<std::string_view> ops,
                       ExpressionPtr (Parser::*next)()) {
    const std::size_t before = chained_;
    ExpressionPtr left = (this->*next)();
    while (now().kind == Token::Kind::kOperator &&
           std::find(ops.begin(), ops.end(), now().text) != ops.end()) {
      const Token op = take();
      left = make(Kind::kBinary, op.line, std::move(left), (this->*next)());
      left->text = op.text;
      link(before);
    }
    return left;
  }

  /// One more link of a chain to the left that began when chained_ was `before`.
  void link(std::size_t before) {
    chain();
    if (chained_ - before > kMaxChain) fail("an expression is too long");
  }

  ExpressionPtr sum_expression() { return binary({"+", "-"}, &Parser::concatenation); }

  ExpressionPtr concatenation() {
    const int line = now().line;
    ExpressionPtr first = product();
    if (!now().is_operator("~")) return first;
    ExpressionPtr all = make(Kind::kConcatenate, line, std::move(first));
    while (take_operator("~")) all->children.push_back(product());
    return all;
  }

  ExpressionPtr product() { return binary({"*", "/", "//", "%"}, &Parser::power); }
  ExpressionPtr power() { return binary({"**"}, &Parser::unary_with_filters); }
  ExpressionPtr unary_with_filters() { return unary(true); }

  ExpressionPtr unary(bool with_filters) {
    const Nesting nesting(*this);
    ExpressionPtr e;
    const int line = now().line;
    if (take_operator("-")) {
      e = make(Kind::kNegate, line, unary(false));
    } else if (take_operator("+")) {
      e = make(Kind::kPlus, line, unary(false));
    } else {
      e = primary();
    }
    e = postfix(std::move(e));
    return with_filters ? filter_chain(std::move(e), false) : std::move(e);
  }

  ExpressionPtr primary() {
    const Token token = now();
    switch (token.kind) {
      case Token::Kind::kName: {
        take();
        ExpressionPtr e = make(Kind::kConstant, token.line);
        if (token.text == "true" || token.text == "True") {
          e->constant = Value(true);
        } else if (token.text == "false" || token.text == "False") {
          e->constant = Value(false);
        } else if (token.text == "none" || token.text == "None") {
          e->constant = Value(None{});
        } else {
          e->kind = Kind::kName;
          e->text = token.text;
        }
        return e;
      }
      case Token::Kind::kString: {
        std::string text;
        while (now().kind == Token::Kind::kString) text += take().text;
        ExpressionPtr e = make(Kind::kConstant, token.line);
        e->constant = Value(std::move(text));
        return e;
      }
      case Token::Kind::kInteger:
      case Token::Kind::kFloat: {
        take();
        ExpressionPtr e = make(Kind::kConstant, token.line);
        const char* begin = token.text.data();
        const char* end = begin + token.text.size();
        std::int64_t integer = 0;
        double real = 0;
        const auto result = token.kind == Token::Kind::kInteger
                                ? std::from_chars(begin, end, integer)
                                : std::from_chars(begin, end, real);
        if (result.ec != std::errc() || result.ptr != end)
          throw TemplateError("the number " + token.text + " is out of range", token.line);
        e->constant = token.kind == Token::Kind::kInteger ? Value(integer) : Value(real);
        return e;
      }
      default:
        break;
    }
    if (take_operator("(")) return parenthesized(token.line);
    if (take_operator("[")) {
      ExpressionPtr list = make(Kind::kList, token.line);
      while (!take_operator("]")) {
        if (!list->children.empty()) want_operator(",");
        if (!now().is_operator("]")) list->children.push_back(expression());
      }
      return list;
    }
    if (take_operator("{")) {
      ExpressionPtr dict = make(Kind::kDict, token.line);
      while (!take_operator("}")) {
        if (!dict->children.empty()) want_operator(",");
        if (now().is_operator("}")) continue;
        dict->children.push_back(expression());
        want_operator(":");
        dict->children.push_back(expression());
      }
      return dict;
    }
    fail("unexpected " + shown());
  }

  ExpressionPtr parenthesized(int line) {
    if (take_operator(")")) return make(Kind::kTuple, line);
    ExpressionPtr first = expression();
    if (!now().is_operator(",")) {
      want_operator(")");
      return first;
    }
    ExpressionPtr tuple = make(Kind::kTuple, line, std::move(first));
    while (take_operator(","))
      if (!now().is_operator(")")) tuple->children.push_back(expression());
    want_operator(")");
    return tuple;
  }

  ExpressionPtr postfix(ExpressionPtr e) {
    const std::size_t before = chained_;
    while (true) {
      const int line = now().line;
      if (take_operator(".")) {
        if (now().kind == Token::Kind::kInteger) {
          e = make(Kind::kItem, line, std::move(e), primary());
        } else {
          e = make(Kind::kAttribute, line, std::move(e));
          e->text = want_name();
        }
      } else if (take_operator("[")) {
        e = subscript(std::move(e), line);
      } else if (now().is_operator("(")) {
        e = make(Kind::kCall, line, std::move(e));
        call_arguments(*e);
      } else {
        return e;
      }
      link(before);
    }
  }

  ExpressionPtr subscript(ExpressionPtr object, int line) {
    ExpressionPtr start, stop, step;
    if (!now().is_operator(":")) start = expression();
    if (take_operator("]")) return make(Kind::kItem, line, std::move(object), std::move(start));
    if (now().is_operator(",")) fail("a tuple as subscript is not supported");
    want_operator(":");
    if (!now().is_operator(":") && !now().is_operator("]")) stop = expression();
    if (take_operator(":") && !now().is_operator("]")) step = expression();
    want_operator("]");
    return make(Kind::kSlice, line, std::move(object), std::move(start), std::move(stop),
                std::move(step));
  }

  void call_arguments(Expression& e) {
    want_operator("(");
    bool first = true;
    while (!take_operator(")")) {
      if (!first) want_operator(",");
      first = false;
      if (now().is_operator(")")) continue;
      if (now().is_operator("*") || now().is_operator("**"))
        fail("*arguments and **arguments are not supported");
      if (now().kind == Token::Kind::kName && ahead().is_operator("=")) {
        std::string name = take().text;
        take();
        e.named_arguments.emplace_back(std::move(name), expression());
      } else {
        if (!e.named_arguments.empty()) fail("a plain argument after a named one");
        e.arguments.push_back(expression());
      }
    }
  }

  /// Filters, tests and calls after a value. `bare`: the first filter comes without its bar.
  ExpressionPtr filter_chain(ExpressionPtr e, bool bare) {
    const std::size_t before = chained_;
    while (true) {
      const int line = now().line;
      if (bare || take_operator("|")) {
        bare = false;
        ExpressionPtr filter = make(Kind::kFilter, line, std::move(e));
        filter->text = want_name();
        if (now().is_operator("(")) call_arguments(*filter);
        e = std::move(filter);
      } else if (e && take_name("is")) {
        e = test(std::move(e), line);
      } else if (e && now().is_operator("(")) {
        e = make(Kind::kCall, line, std::move(e));
        call_arguments(*e);
      } else {
        return e;
      }
      link(before);
    }
  }

  ExpressionPtr test(ExpressionPtr e, int line) {
    const bool negated = take_name("not");
    ExpressionPtr test = make(Kind::kTest, line, std::move(e));
    test->text = want_name();
    const Token& next = now();
    if (next.is_operator("(")) {
      call_arguments(*test);
    } else if ((next.kind == Token::Kind::kName && next.text != "else" && next.text != "or" &&
                next.text != "and" && next.text != "is" && next.text != "if" &&
                next.text != "not" && next.text != "in" && next.text != "recursive") ||
               next.kind == Token::Kind::kString || next.kind == Token::Kind::kInteger ||
               next.kind == Token::Kind::kFloat || next.is_operator("[") || next.is_operator("{")) {
      test->arguments.push_back(postfix(primary()));
    }
    return negated ? make(Kind::kNot, line, std::move(test)) : std::move(test);
  }

  static constexpr std::size_t kMaxChained = 100'000;
  static constexpr std::size_t kMaxChain = 1'000;

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t chained_ = 0;
  int nesting_ = 0, loops_ = 0;
};

}  // namespace

std::vector<Statement> parse(std::string_view source) { return Parser(source).run(); }

}  // namespace moebench::jinja
