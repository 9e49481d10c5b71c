#include <flint/fmpz.h>

#include <cstdlib>

#include "datasets/grading/expression_walk.h"

namespace moebench {
namespace {

constexpr long kMaxExactBits = 100000;
constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;

std::uint64_t mix(std::uint64_t x) {  // splitmix64's finaliser
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

std::uint64_t multiply_mod(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::uint64_t>(static_cast<unsigned __int128>(a) * b % kPrime);
}

std::uint64_t power_mod(std::uint64_t base, std::uint64_t exponent) {
  std::uint64_t result = 1;
  for (; exponent; exponent >>= 1) {
    if (exponent & 1) result = multiply_mod(result, base);
    base = multiply_mod(base, base);
  }
  return result;
}

struct RationalEvaluator : ExpressionWalk<RationalEvaluator, Rational> {
  static constexpr bool kRatioIsQuotient = false;
  Work& work;
  explicit RationalEvaluator(Work& budget) : work(budget) {}

  long cost() const { return 1; }
  bool number(const Rational& value, Rational& out) {
    out = value;
    return true;
  }
  bool symbol(const std::string&, Rational&) { return false; }
  bool constant(NodeKind, Rational&) { return false; }
  bool degree(Rational&) { return true; }
  bool percent(bool hundredth, Rational& out) {
    if (hundredth) fmpq_mul(out.get(), out.get(), Rational(1, 100).get());
    return true;
  }
  bool negate(Rational& out) {
    fmpq_neg(out.get(), out.get());
    return true;
  }
  bool add(Rational& out, const Rational& next) {
    fmpq_add(out.get(), out.get(), next.get());
    return small(out);
  }
  bool multiply(Rational& out, const Rational& next) {
    fmpq_mul(out.get(), out.get(), next.get());
    return small(out);
  }
  bool divide(Rational& out, const Rational& denominator) {
    if (denominator.is_zero()) return false;
    fmpq_div(out.get(), out.get(), denominator.get());
    return small(out);
  }

  bool small(const Rational& value) {
    const long bits = value.bits();
    work.spend(bits / 64);
    return bits <= kMaxExactBits;
  }

  bool power(const Reference& e, Rational& out) {
    Rational exponent;
    if (!run(e.child(0), out) || !run(e.child(1), exponent) || !exponent.is_integer()) return false;
    if (!fmpz_fits_si(exponent.numerator())) return false;
    const long n = fmpz_get_si(exponent.numerator());
    if (out.is_zero() && n <= 0) return false;
    const long size = std::labs(n);
    if (size > kMaxExactBits || out.bits() * size > kMaxExactBits) return false;
    work.spend(out.bits() * size / 64 + 2);
    fmpq_pow_si(out.get(), out.get(), n);
    return true;
  }

  /// Roots that come out even: the square root of 9/4.
  bool root(const Reference& e, Rational& out) {
    Rational index;
    if (!run(e.child(0), out) || !run(e.child(1), index) || !index.is_integer()) return false;
    if (!fmpz_fits_si(index.numerator())) return false;
    const long n = fmpz_get_si(index.numerator());
    if (n < 1 || n > 64) return false;
    const bool negative = out.sign() < 0;
    if (negative && n % 2 == 0) return false;
    if (negative) fmpq_neg(out.get(), out.get());
    work.spend(out.bits() / 16 + 5);
    Rational result;
    const bool exact = fmpz_root(fmpq_numref(result.get()), out.numerator(), n) != 0 &&
                       fmpz_root(fmpq_denref(result.get()), out.denominator(), n) != 0;
    if (!exact) return false;
    if (negative) fmpq_neg(result.get(), result.get());
    out = result;
    return true;
  }

  bool function(const Reference& e, Rational& out) {
    const Node& node = e.node();
    Rational first, second;
    switch (node.function) {
      case Function::kAbs:
        if (!run(e.child(0), out)) return false;
        fmpq_abs(out.get(), out.get());
        return true;
      case Function::kFloor:
      case Function::kCeil: {
        if (!run(e.child(0), first)) return false;
        Rational whole;
        if (node.function == Function::kFloor)
          fmpz_fdiv_q(fmpq_numref(whole.get()), first.numerator(), first.denominator());
        else
          fmpz_cdiv_q(fmpq_numref(whole.get()), first.numerator(), first.denominator());
        out = whole;
        return true;
      }
      case Function::kFactorial: {
        if (!run(e.child(0), first) || !first.is_integer() || first.sign() < 0 ||
            fmpz_cmp_ui(first.numerator(), 8000) > 0)
          return false;
        Rational whole;
        const ulong n = fmpz_get_ui(first.numerator());
        work.spend(static_cast<long>(n));
        fmpz_fac_ui(fmpq_numref(whole.get()), n);
        out = whole;
        return true;
      }
      case Function::kBinomial: {
        if (!run(e.child(0), first) || !run(e.child(1), second)) return false;
        if (!first.is_integer() || !second.is_integer() || first.sign() < 0 || second.sign() < 0)
          return false;
        if (fmpz_cmp_ui(first.numerator(), 8000) > 0) return false;
        Rational whole;
        work.spend(static_cast<long>(fmpz_get_ui(first.numerator())));
        if (fmpz_cmp(first.numerator(), second.numerator()) >= 0) {
          fmpz_bin_uiui(fmpq_numref(whole.get()), fmpz_get_ui(first.numerator()),
                        fmpz_get_ui(second.numerator()));
        }
        out = whole;
        return true;
      }
      case Function::kGcd: {
        if (!run(e.child(0), first) || !run(e.child(1), second) || !first.is_integer() ||
            !second.is_integer())
          return false;
        Rational whole;
        fmpz_gcd(fmpq_numref(whole.get()), first.numerator(), second.numerator());
        out = whole;
        return true;
      }
      case Function::kMax:
      case Function::kMin: {
        if (!run(e.child(0), first) || !run(e.child(1), second)) return false;
        const bool first_larger = fmpq_cmp(first.get(), second.get()) >= 0;
        out = first_larger == (node.function == Function::kMax) ? first : second;
        return true;
      }
      default:
        return false;
    }
  }
};

struct ModularEvaluator : ExpressionWalk<ModularEvaluator, std::uint64_t> {
  static constexpr bool kRatioIsQuotient = false;
  int point;
  Work& work;
  ModularEvaluator(int at_point, Work& budget) : point(at_point), work(budget) {}

  long cost() const { return 1; }
  bool number(const Rational& value, std::uint64_t& out) {
    const std::uint64_t denominator = fmpz_fdiv_ui(value.denominator(), kPrime);
    if (denominator == 0) return false;
    out = fmpz_fdiv_ui(value.numerator(), kPrime);
    if (denominator != 1) out = multiply_mod(out, power_mod(denominator, kPrime - 2));
    return true;
  }
  bool symbol(const std::string& name, std::uint64_t& out) {
    out = point_hash(name, point) % kPrime;
    return true;
  }
  bool constant(NodeKind, std::uint64_t&) { return false; }
  bool degree(std::uint64_t&) { return false; }
  bool percent(bool, std::uint64_t&) { return false; }
  bool negate(std::uint64_t& out) {
    out = out == 0 ? 0 : kPrime - out;
    return true;
  }
  bool add(std::uint64_t& out, std::uint64_t next) {
    out = (out + next) % kPrime;
    return true;
  }
  bool multiply(std::uint64_t& out, std::uint64_t next) {
    out = multiply_mod(out, next);
    return true;
  }
  bool divide(std::uint64_t& out, std::uint64_t denominator) {
    if (denominator == 0) return false;
    work.spend(5);
    out = multiply_mod(out, power_mod(denominator, kPrime - 2));
    return true;
  }
  bool power(const Reference& e, std::uint64_t& out) {
    Rational exponent;
    if (!run(e.child(0), out) || !RationalEvaluator(work).run(e.child(1), exponent) ||
        !exponent.is_integer())
      return false;
    if (out == 0 && exponent.sign() <= 0) return false;
    work.spend(3);
    // Fermat: exponents count modulo p - 1; a negative one is an inverse.
    out = power_mod(out, fmpz_fdiv_ui(exponent.numerator(), kPrime - 1));
    return true;
  }
  bool root(const Reference&, std::uint64_t&) { return false; }
  bool function(const Reference&, std::uint64_t&) { return false; }
};

void collect(const Tree& tree, std::int32_t id, std::set<std::string>& names) {
  const Node& node = tree.at(id);
  if (node.kind == NodeKind::kSymbol) names.insert(node.text);
  for (const std::int32_t child : node.children) collect(tree, child, names);
}

}  // namespace

std::set<std::string> variables(const Reference& expression) {
  std::set<std::string> names;
  collect(*expression.tree, expression.id, names);
  return names;
}

bool contains_kind(const Reference& expression, NodeKind kind) {
  const Node& node = expression.node();
  if (node.kind == kind) return true;
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    if (contains_kind(expression.child(i), kind)) return true;
  }
  return false;
}

std::uint64_t point_hash(const std::string& name, int point) {
  std::uint64_t hash = mix(static_cast<std::uint64_t>(point) + 77);
  for (const char c : name) hash = mix(hash ^ static_cast<unsigned char>(c));
  return hash;
}

bool evaluate_rational(const Reference& expression, Work& work, Rational& result) {
  return RationalEvaluator(work).run(expression, result);
}

bool evaluate_modular(const Reference& expression, int point, Work& work, std::uint64_t& result) {
  return ModularEvaluator(point, work).run(expression, result);
}

}  // namespace moebench
