#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/text/jinja/value.h"

namespace moebench::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Expression {
  enum class Kind : std::uint8_t {
    kConstant,     ///< constant
    kName,         ///< text
    kList,         ///< children
    kTuple,        ///< children
    kDict,         ///< children: key, value, key, value...
    kNegate,       ///< children[0]
    kPlus,         ///< children[0]
    kNot,          ///< children[0]
    kAnd,          ///< children[0], children[1]
    kOr,           ///< children[0], children[1]
    kBinary,       ///< text: + - * / // % ** ; children[0], children[1]
    kConcatenate,  ///< ~; children
    kCompare,      ///< operators[i] between children[i] and children[i + 1]
    kConditional,  ///< children: condition, then, and else where there is one
    kAttribute,    ///< children[0].text
    kItem,         ///< children[0][children[1]]
    kSlice,        ///< children[0][children[1]:children[2]:children[3]]; null where left out
    kCall,         ///< children[0](arguments)
    kFilter,       ///< children[0]|text(arguments); children[0] is null in a filter block
    kTest,         ///< children[0] is text(arguments)
  };
  Kind kind = Kind::kConstant;
  int line = 0;
  std::string text;
  Value constant;
  std::vector<ExpressionPtr> children;
  std::vector<ExpressionPtr> arguments;
  std::vector<std::pair<std::string, ExpressionPtr>> named_arguments;
  std::vector<std::string> operators;
};

struct Statement {
  enum class Kind : std::uint8_t {
    kText,       ///< text
    kPrint,      ///< expression
    kIf,         ///< expression, body, else_body
    kFor,        ///< targets in expression, filtered by condition; body, else_body
    kSet,        ///< targets = expression
    kSetBlock,   ///< targets = rendered body, through the filters of expression if there is one
    kSetMember,  ///< targets[0].text = expression
    kMacro,      ///< text(parameters): body
    kFilter,     ///< body through the filters of expression
    kScope,      ///< body, in a scope of its own where names are set first (with)
    kBreak,
    kContinue,
  };
  Kind kind = Kind::kText;
  int line = 0;
  std::string text;
  ExpressionPtr expression, condition;
  std::vector<std::string> targets;
  std::vector<std::pair<std::string, ExpressionPtr>> parameters;  ///< default, or null
  std::vector<Statement> body, else_body;
};

}  // namespace moebench::jinja
