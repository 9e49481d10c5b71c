#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "datasets/grading/parser.h"
#include "datasets/grading/tokens.h"
#include "datasets/grading/tree.h"

namespace moebench::parsing {

using Id = std::int32_t;

/// The recursive descent. parser.cpp holds lists, relations, sets and units; parser_sum.cpp sums,
/// products and powers; parser_atom.cpp, parser_number.cpp and parser_group.cpp what a product is
/// made of. Failures are thrown as ParseFailure and caught in parse_answer.
class Parser {
 public:
  Parser(const TokenStream& stream, Tree& tree) : tokens_(stream.tokens), tree_(tree) {}

  void parse_all();

 private:
  /// Counts the recursion, so that no input can exhaust the stack.
  struct Deeper {
    explicit Deeper(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kMaxDepth * 6) parser_.fail_budget("too deeply nested");
    }
    ~Deeper() { --parser_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    Parser& parser_;
  };

  // parser.cpp
  Id parse_list(bool inside_bracket);
  Id parse_relation();
  Id parse_union();
  Id parse_quantity();
  bool relation_here(Relation& relation) const;
  void skip_label_words();
  std::size_t all_reals_except_here() const;
  bool modulus_here() const;
  Id parse_modulus(Id residue);
  bool bracketed_words_here() const;
  bool unit_here() const;
  std::string parse_unit();

  // parser_sum.cpp
  Id parse_sum();
  Id parse_product();
  Id parse_signed();
  Id parse_postfix(bool in_function_argument);
  Id apply_power(Id base);
  bool factor_here() const;
  Id parse_exponent();
  bool mixed_number_follows(Id whole) const;
  Id parse_juxtaposed(Id left, bool in_function_argument);
  Id multiply(Id left, Id right);
  Id negate(Id value);
  Id unit_coefficient(Id term, int& axis);
  Id vector_of_units(const std::vector<Id>& terms);
  Id parse_percent_or_degree(Id value);
  Id parse_temperature(Id degrees);
  Id divide(Id left, Id right);

  // parser_atom.cpp
  Id parse_atom();
  Id parse_word();
  Id parse_command();
  bool capitals_here() const;
  Id words_of_capitals();
  Id parse_function(Function function);

  // parser_number.cpp
  Id parse_number();
  Id parse_repeating(Rational prefix, int digits_after_point);
  Id repeating(const Rational& prefix, std::string_view period, int digits_after_point);
  Id parse_base(std::string_view digits);
  Id literal(std::string_view text);
  std::string parse_subscript();

  // parser_group.cpp
  Id parse_group(char open);
  Id parse_set();
  Id parse_absolute();
  Id parse_matrix();
  Id parse_lines(const std::string& environment);
  Id parse_braced_argument();
  Id parse_fraction_argument();
  Id parse_angle_tuple();

  const Token& current() const { return tokens_[position_]; }
  const Token& peek(std::size_t ahead) const {
    return tokens_[std::min(position_ + ahead, tokens_.size() - 1)];
  }
  void advance() {
    do {
      if (position_ + 1 < tokens_.size()) ++position_;
    } while (in_lines_ && at_char('&'));
    number_offset_ = 0;
  }
  bool at_end() const { return current().kind == TokenKind::kEnd; }
  bool at_char(char c) const {
    return current().kind == TokenKind::kChar && current().text[0] == c;
  }
  bool at_command(std::string_view name) const {
    return current().kind == TokenKind::kCommand && current().text == name;
  }
  bool at_word(std::string_view word) const {
    return current().kind == TokenKind::kWord && current().text == word;
  }
  /// \text{and ...}, \text{ or }: the run is the word, or begins with it and a space.
  bool at_text_starting(std::string_view word) const {
    return current().kind == TokenKind::kText && current().text.starts_with(word) &&
           (current().text.size() == word.size() || current().text[word.size()] == ' ');
  }
  void skip_joiner(std::string_view word);
  bool at_currency_word() const;
  /// The word itself, in text or not.
  bool at_any_word(std::string_view word) const {
    return (current().kind == TokenKind::kWord || current().kind == TokenKind::kText) &&
           current().text == word;
  }
  bool previous_is_number() const {
    return position_ > 0 && tokens_[position_ - 1].kind == TokenKind::kNumber;
  }
  void expect_char(char c) {
    if (!at_char(c)) fail(std::string("expected '") + c + "'");
    advance();
  }
  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void fail_budget(const std::string& what) const { throw ParseFailure{true, what}; }

  Node& at(Id id) { return tree_.nodes[static_cast<std::size_t>(id)]; }
  const Node& at(Id id) const { return tree_.nodes[static_cast<std::size_t>(id)]; }
  Id add(Node node) {
    if (tree_.nodes.size() >= kMaxNodes) fail_budget("too many parts");
    tree_.nodes.push_back(std::move(node));
    return static_cast<Id>(tree_.nodes.size() - 1);
  }
  Id add(NodeKind kind, std::initializer_list<Id> children) {
    Node node;
    node.kind = kind;
    node.children = children;
    return add(std::move(node));
  }
  Id number(long value) {
    Node node;
    node.value = Rational(value);
    return add(std::move(node));
  }
  Id symbol(std::string name) {
    Node node;
    node.kind = NodeKind::kSymbol;
    node.text = std::move(name);
    return add(std::move(node));
  }
  bool is_set_like(Id id) const {
    const NodeKind kind = at(id).kind;
    return kind == NodeKind::kBracket || kind == NodeKind::kSet || kind == NodeKind::kUnion;
  }
  bool is_value(Id id) const { return at(id).kind == NodeKind::kNumber; }
  bool is_positive_integer(Id id) const {
    const Node& node = at(id);
    return node.kind == NodeKind::kNumber && node.decimals < 0 && node.value.is_integer() &&
           node.value.sign() > 0;
  }

  const std::vector<Token>& tokens_;
  Tree& tree_;
  std::size_t position_ = 0;
  std::size_t number_offset_ = 0;  ///< digits of the current number that \frac12 has used already
  int depth_ = 0;
  int bars_open_ = 0;       ///< inside |...|, a bar closes
  bool has_units_ = false;  ///< some letter was written as a unit vector
  bool in_lines_ = false;   ///< of aligned, cases: & is a mark to align at
};

}  // namespace moebench::parsing
