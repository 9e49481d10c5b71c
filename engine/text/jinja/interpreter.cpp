#include "engine/text/jinja/interpreter.h"

#include <algorithm>

#include "engine/text/jinja/builtins.h"

namespace moebench::jinja {

namespace {

constexpr std::size_t kMaxOutputBytes = std::size_t{64} << 20;
constexpr int kMaxCallDepth = 20;

struct Scope {
  std::vector<std::pair<std::string, Value>> names;
  Scope* parent = nullptr;

  void set(const std::string& name, Value value) {
    for (auto& [key, held] : names) {
      if (key == name) {
        held = std::move(value);
        return;
      }
    }
    names.emplace_back(name, std::move(value));
  }
  const Value* find(std::string_view name) const {
    for (const Scope* scope = this; scope; scope = scope->parent)
      for (const auto& [key, value] : scope->names)
        if (key == name) return &value;
    return nullptr;
  }
};

enum class Flow { kNext, kBreak, kContinue };

class Interpreter {
 public:
  Interpreter(std::vector<std::pair<std::string, Value>> variables, std::int64_t unix_time)
      : runtime_{budget_, unix_time} {
    root_.names = std::move(variables);
  }

  std::string run(const std::vector<Statement>& body) {
    std::string out;
    execute(body, root_, out);
    return out;
  }

 private:
  /// Gives an error the line of the innermost thing that has one.
  template <class F>
  static auto at_line(int line, F f) {
    try {
      return f();
    } catch (const TemplateError& error) {
      if (error.line() > 0) throw;
      throw TemplateError(error.what(), line);
    }
  }

  void print(std::string& out, const Value& value) {
    append_str(out, value, budget_);
    if (out.size() > kMaxOutputBytes) throw TemplateError("the output is larger than 64 MiB");
  }

  Flow execute(const std::vector<Statement>& body, Scope& scope, std::string& out) {
    for (const Statement& statement : body) {
      budget_.charge();
      const Flow flow = at_line(statement.line, [&] { return execute(statement, scope, out); });
      if (flow != Flow::kNext) return flow;
    }
    return Flow::kNext;
  }

  Flow execute(const Statement& s, Scope& scope, std::string& out) {
    switch (s.kind) {
      case Statement::Kind::kText:
        budget_.charge_text(s.text.size());
        out += s.text;
        if (out.size() > kMaxOutputBytes) throw TemplateError("the output is larger than 64 MiB");
        return Flow::kNext;
      case Statement::Kind::kPrint:
        print(out, evaluate(*s.expression, scope));
        return Flow::kNext;
      case Statement::Kind::kIf:
        return execute(evaluate(*s.expression, scope).truthy() ? s.body : s.else_body, scope, out);
      case Statement::Kind::kFor:
        return execute_for(s, scope, out);
      case Statement::Kind::kSet:
        assign(s, evaluate(*s.expression, scope), scope);
        break;
      case Statement::Kind::kSetBlock: {
        Value text(render_body(s.body, scope));
        if (s.expression) text = evaluate_filter(*s.expression, scope, &text);
        scope.set(s.targets.front(), std::move(text));
        break;
      }
      case Statement::Kind::kSetMember:
        set_member(s, scope);
        break;
      case Statement::Kind::kMacro:
        define_macro(s, scope);
        break;
      case Statement::Kind::kFilter: {
        const Value text(render_body(s.body, scope));
        print(out, evaluate_filter(*s.expression, scope, &text));
        break;
      }
      case Statement::Kind::kScope: {
        Scope inner;
        inner.parent = &scope;
        for (const auto& [name, value] : s.parameters) inner.set(name, evaluate(*value, scope));
        return execute(s.body, inner, out);
      }
      case Statement::Kind::kBreak:
        return Flow::kBreak;
      case Statement::Kind::kContinue:
        return Flow::kContinue;
    }
    return Flow::kNext;
  }

  std::string render_body(const std::vector<Statement>& body, const Scope& scope) {
    Scope inner;
    inner.parent = const_cast<Scope*>(&scope);  // names are set in the inner scope only
    std::string out;
    execute(body, inner, out);
    return out;
  }

  void assign(const Statement& s, Value value, Scope& scope) {
    if (s.targets.size() == 1) {
      scope.set(s.targets.front(), std::move(value));
      return;
    }
    unpack(s.targets, value, scope);
  }

  void unpack(const std::vector<std::string>& targets, const Value& value, Scope& scope) {
    if (targets.size() == 1) {
      scope.set(targets.front(), value);
      return;
    }
    const std::vector<Value> parts = iterate(value, runtime_);
    if (parts.size() != targets.size())
      throw TemplateError(std::to_string(parts.size()) + " values for " +
                          std::to_string(targets.size()) + " names");
    for (std::size_t i = 0; i < parts.size(); ++i) scope.set(targets[i], parts[i]);
  }

  void set_member(const Statement& s, Scope& scope) {
    const Value* object = scope.find(s.targets.front());
    if (!object || !object->is_namespace())
      throw TemplateError("'" + s.targets.front() + "' is no namespace, so that '." + s.text +
                          "' cannot be set");
    Value value = evaluate(*s.expression, scope);
    // A namespace in itself would never be freed, nor end when printed.
    if (value.is_namespace())
      throw TemplateError("a namespace inside a namespace is not supported");
    if (value.is_function()) throw TemplateError("a function inside a namespace is not supported");
    Namespace& names = object->names();
    if (Value* held = names.find(s.text)) {
      *held = std::move(value);
    } else {
      names.items.emplace_back(s.text, std::move(value));
    }
  }

  Flow execute_for(const Statement& s, Scope& scope, std::string& out) {
    std::vector<Value> items = iterate(evaluate(*s.expression, scope), runtime_);
    if (s.condition) {
      std::vector<Value> kept;
      for (Value& item : items) {
        Scope inner;
        inner.parent = &scope;
        unpack(s.targets, item, inner);
        if (evaluate(*s.condition, inner).truthy()) kept.push_back(std::move(item));
      }
      items = std::move(kept);
    }
    if (items.empty()) return execute(s.else_body, scope, out);
    const auto loop = std::make_shared<Namespace>();
    loop->items.reserve(16);
    const auto set = [&](const char* name, Value value) {
      if (Value* held = loop->find(name)) {
        *held = std::move(value);
      } else {
        loop->items.emplace_back(name, std::move(value));
      }
    };
    const Value* outer = scope.find("loop");
    std::int64_t depth = 1;
    if (outer && outer->is_namespace())
      if (const Value* level = outer->names().find("depth"); level && level->is_int())
        depth = level->integer() + 1;
    const auto n = static_cast<std::int64_t>(items.size());
    for (std::int64_t i = 0; i < n; ++i) {
      budget_.charge();
      const auto at = static_cast<std::size_t>(i);
      set("index", Value(i + 1));
      set("index0", Value(i));
      set("revindex", Value(n - i));
      set("revindex0", Value(n - i - 1));
      set("first", Value(i == 0));
      set("last", Value(i == n - 1));
      set("length", Value(n));
      set("depth", Value(depth));
      set("depth0", Value(depth - 1));
      set("previtem", i > 0 ? items[at - 1] : Value::undefined("loop.previtem"));
      set("nextitem", i + 1 < n ? items[at + 1] : Value::undefined("loop.nextitem"));
      set("cycle", Value(std::make_shared<const Function>(Function{
                       "loop.cycle", [i](const Arguments& arguments) {
                         if (arguments.positional.empty())
                           throw TemplateError("loop.cycle wants arguments");
                         return arguments
                             .positional[static_cast<std::size_t>(i) % arguments.positional.size()];
                       }})));
      Scope inner;
      inner.parent = &scope;
      inner.names.emplace_back("loop", Value(loop));
      unpack(s.targets, items[at], inner);
      if (execute(s.body, inner, out) == Flow::kBreak) break;
    }
    return Flow::kNext;
  }

  void define_macro(const Statement& s, Scope& scope) {
    // A macro sees the template's names, not those of what surrounds it, so it may not be made
    // there.
    if (&scope != &root_) throw TemplateError("a macro inside a loop or a macro is not supported");
    scope.set(
        s.text,
        Value(std::make_shared<const Function>(Function{
            s.text, [this, &s](const Arguments& arguments) { return call_macro(s, arguments); }})));
  }

  Value call_macro(const Statement& s, const Arguments& arguments) {
    if (++call_depth_ > kMaxCallDepth) throw TemplateError("macros call each other too deeply");
    if (arguments.positional.size() > s.parameters.size())
      throw TemplateError(s.text + ": more arguments than parameters are not supported");
    Scope inner;
    inner.parent = &root_;
    for (std::size_t i = 0; i < s.parameters.size(); ++i) {
      const auto& [name, absent] = s.parameters[i];
      const auto named =
          std::find_if(arguments.named.begin(), arguments.named.end(),
                       [&, key = &name](const auto& argument) { return argument.first == *key; });
      if (i < arguments.positional.size()) {
        inner.set(name, arguments.positional[i]);
      } else if (named != arguments.named.end()) {
        inner.set(name, named->second);
      } else {
        inner.set(name, absent ? evaluate(*absent, inner) : Value::undefined(name));
      }
    }
    for (const auto& argument : arguments.named)
      if (std::none_of(s.parameters.begin(), s.parameters.end(),
                       [&](const auto& p) { return p.first == argument.first; }))
        throw TemplateError(s.text + ": there is no parameter '" + argument.first + "'");
    std::string out;
    execute(s.body, inner, out);
    --call_depth_;
    return Value(std::move(out));
  }

  // --- expressions -------------------------------------------------------------------------------

  using Kind = Expression::Kind;

  Value evaluate(const Expression& e, const Scope& scope) {
    budget_.charge();
    return at_line(e.line, [&] { return evaluate_plain(e, scope); });
  }

  Value evaluate_plain(const Expression& e, const Scope& scope) {
    const auto child = [&](std::size_t i) { return evaluate(*e.children[i], scope); };
    switch (e.kind) {
      case Kind::kConstant:
        return e.constant;
      case Kind::kName: {
        if (const Value* value = scope.find(e.text)) return *value;
        return global(e.text, runtime_);
      }
      case Kind::kList:
      case Kind::kTuple: {
        std::vector<Value> items;
        for (const ExpressionPtr& item : e.children) items.push_back(evaluate(*item, scope));
        return Value::list(std::move(items), e.kind == Kind::kTuple);
      }
      case Kind::kDict: {
        std::vector<std::pair<Value, Value>> items;
        for (std::size_t i = 0; i + 1 < e.children.size(); i += 2)
          items.emplace_back(child(i), child(i + 1));
        return Value::dict(std::move(items));
      }
      case Kind::kNegate: {
        const Value value = child(0);
        if (value.is_float()) return Value(-value.number());
        return arithmetic("-", Value(std::int64_t{0}), value, runtime_);
      }
      case Kind::kPlus:
        return arithmetic("+", Value(std::int64_t{0}), child(0), runtime_);
      case Kind::kNot:
        return Value(!child(0).truthy());
      case Kind::kAnd: {
        Value left = child(0);
        return left.truthy() ? child(1) : left;
      }
      case Kind::kOr: {
        Value left = child(0);
        return left.truthy() ? left : child(1);
      }
      case Kind::kBinary: {
        const Value left = child(0);
        return arithmetic(e.text, left, child(1), runtime_);
      }
      case Kind::kConcatenate: {
        std::string out;
        for (const ExpressionPtr& part : e.children) print(out, evaluate(*part, scope));
        return Value(std::move(out));
      }
      case Kind::kCompare:
        return evaluate_compare(e, scope);
      case Kind::kConditional:
        if (child(0).truthy()) return child(1);
        return e.children.size() > 2 ? child(2)
                                     : Value::undefined("the value of an inline if without else");
      case Kind::kAttribute:
        return attribute(child(0), e.text);
      case Kind::kItem: {
        const Value object = child(0);
        return item(object, child(1), runtime_);
      }
      case Kind::kSlice: {
        const auto part = [&](std::size_t i) { return e.children[i] ? child(i) : Value(None{}); };
        const Value object = child(0), start = part(1), stop = part(2);
        return slice(object, start, stop, part(3), runtime_);
      }
      case Kind::kCall: {
        const Value callee = child(0);
        if (callee.is_undefined())
          throw TemplateError("'" + callee.undefined().name +
                              "' is undefined, or not in the supported subset");
        if (!callee.is_function())
          throw TemplateError("'" + callee.type_name() + "' cannot be called");
        return callee.function().call(evaluate_arguments(e, scope));
      }
      case Kind::kFilter:
        return evaluate_filter(e, scope, nullptr);
      case Kind::kTest: {
        if (!is_test(e.text)) throw TemplateError("the test '" + e.text + "' is not supported");
        const Value value = child(0);
        return Value(apply_test(e.text, value, evaluate_arguments(e, scope), runtime_));
      }
    }
    throw TemplateError("an expression of unknown kind");
  }

  Arguments evaluate_arguments(const Expression& e, const Scope& scope) {
    Arguments arguments;
    for (const ExpressionPtr& argument : e.arguments)
      arguments.positional.push_back(evaluate(*argument, scope));
    for (const auto& [name, argument] : e.named_arguments)
      arguments.named.emplace_back(name, evaluate(*argument, scope));
    return arguments;
  }

  /// A chain of filters; at its root `input` where the chain has no value of its own.
  Value evaluate_filter(const Expression& e, const Scope& scope, const Value* input) {
    if (e.kind != Kind::kFilter) return evaluate(e, scope);
    if (!is_filter(e.text)) throw TemplateError("the filter '" + e.text + "' is not supported");
    const Value value =
        e.children[0] ? evaluate_filter(*e.children[0], scope, input) : (input ? *input : Value());
    budget_.charge();
    return at_line(e.line, [&] {
      return apply_filter(e.text, value, evaluate_arguments(e, scope), runtime_);
    });
  }

  Value evaluate_compare(const Expression& e, const Scope& scope) {
    Value left = evaluate(*e.children[0], scope);
    for (std::size_t i = 0; i < e.operators.size(); ++i) {
      Value right = evaluate(*e.children[i + 1], scope);
      const std::string& op = e.operators[i];
      bool holds = false;
      if (op == "==" || op == "!=") {
        holds = equal(left, right, budget_) == (op == "==");
      } else if (op == "in" || op == "not in") {
        holds = contains(right, left, runtime_) == (op == "in");
      } else {
        for (const Value* side : {&left, &right})
          if (side->is_undefined())
            throw TemplateError("'" + side->undefined().name + "' is undefined");
        const int order = compare(left, right, budget_);
        holds = op == "<"    ? order < 0
                : op == "<=" ? order <= 0
                : op == ">"  ? order > 0
                             : order >= 0;
      }
      if (!holds) return Value(false);
      left = std::move(right);
    }
    return Value(true);
  }

  /// object.name: a method first, then an item.
  Value attribute(const Value& object, const std::string& name) {
    if (object.is_undefined())
      throw TemplateError("'" + object.undefined().name + "' is undefined");
    Value bound = method(object, name, runtime_);
    if (!bound.is_undefined()) return bound;
    return item(object, Value(name), runtime_);
  }

  Budget budget_;
  Runtime runtime_;
  Scope root_;
  int call_depth_ = 0;
};

}  // namespace

std::string render(const std::vector<Statement>& body,
                   std::vector<std::pair<std::string, Value>> variables, std::int64_t unix_time) {
  return Interpreter(std::move(variables), unix_time).run(body);
}

}  // namespace moebench::jinja
