#include "datasets/grading/evaluate.h"

#include <acb_hypgeom.h>
#include <arb_hypgeom.h>
#include <flint/fmpz.h>

#include <cstdlib>

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

std::uint64_t point_hash(const std::string& name, int point) {
  std::uint64_t hash = mix(static_cast<std::uint64_t>(point) + 77);
  for (const char c : name) hash = mix(hash ^ static_cast<unsigned char>(c));
  return hash;
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

struct RationalEvaluator {
  Work& work;

  bool run(const Reference& e, Rational& out) {
    const Node& node = e.node();
    work.spend(1);
    switch (node.kind) {
      case NodeKind::kNumber:
        out = node.value;
        return true;
      case NodeKind::kQuantity:
      case NodeKind::kDegree:
        return run(e.child(0), out);
      case NodeKind::kPercent:
        if (!run(e.child(0), out)) return false;
        if (e.percent_is_hundredth) fmpq_mul(out.get(), out.get(), Rational(1, 100).get());
        return true;
      case NodeKind::kNegate:
        if (!run(e.child(0), out)) return false;
        fmpq_neg(out.get(), out.get());
        return true;
      case NodeKind::kPlusMinus:
        if (e.sign == 0 || !run(e.child(0), out)) return false;
        if ((e.sign < 0) != node.flag) fmpq_neg(out.get(), out.get());
        return true;
      case NodeKind::kAdd:
      case NodeKind::kMultiply: {
        if (!run(e.child(0), out)) return false;
        Rational next;
        for (std::size_t i = 1; i < node.children.size(); ++i) {
          if (!run(e.child(i), next)) return false;
          if (node.kind == NodeKind::kAdd)
            fmpq_add(out.get(), out.get(), next.get());
          else
            fmpq_mul(out.get(), out.get(), next.get());
          if (!small(out)) return false;
        }
        return true;
      }
      case NodeKind::kDivide: {
        Rational denominator;
        if (!run(e.child(0), out) || !run(e.child(1), denominator) || denominator.is_zero())
          return false;
        fmpq_div(out.get(), out.get(), denominator.get());
        return small(out);
      }
      case NodeKind::kPower:
        return power(e, out);
      case NodeKind::kRoot:
        return root(e, out);
      case NodeKind::kFunction:
        return function(e, out);
      default:
        return false;
    }
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

struct ModularEvaluator {
  int point;
  Work& work;

  bool run(const Reference& e, std::uint64_t& out) {
    const Node& node = e.node();
    work.spend(1);
    switch (node.kind) {
      case NodeKind::kNumber: {
        const std::uint64_t denominator = fmpz_fdiv_ui(node.value.denominator(), kPrime);
        if (denominator == 0) return false;
        out = fmpz_fdiv_ui(node.value.numerator(), kPrime);
        if (denominator != 1) out = multiply_mod(out, power_mod(denominator, kPrime - 2));
        return true;
      }
      case NodeKind::kSymbol:
        out = point_hash(node.text, point) % kPrime;
        return true;
      case NodeKind::kQuantity:
        return run(e.child(0), out);
      case NodeKind::kNegate:
        if (!run(e.child(0), out)) return false;
        out = out == 0 ? 0 : kPrime - out;
        return true;
      case NodeKind::kPlusMinus:
        if (e.sign == 0 || !run(e.child(0), out)) return false;
        if ((e.sign < 0) != node.flag) out = out == 0 ? 0 : kPrime - out;
        return true;
      case NodeKind::kAdd:
      case NodeKind::kMultiply: {
        if (!run(e.child(0), out)) return false;
        std::uint64_t next = 0;
        for (std::size_t i = 1; i < node.children.size(); ++i) {
          if (!run(e.child(i), next)) return false;
          out = node.kind == NodeKind::kAdd ? (out + next) % kPrime : multiply_mod(out, next);
        }
        return true;
      }
      case NodeKind::kDivide: {
        std::uint64_t denominator = 0;
        if (!run(e.child(0), out) || !run(e.child(1), denominator) || denominator == 0)
          return false;
        work.spend(5);
        out = multiply_mod(out, power_mod(denominator, kPrime - 2));
        return true;
      }
      case NodeKind::kPower: {
        Rational exponent;
        RationalEvaluator exact{work};
        if (!run(e.child(0), out) || !exact.run(e.child(1), exponent) || !exponent.is_integer())
          return false;
        if (out == 0 && exponent.sign() <= 0) return false;
        work.spend(3);
        // Fermat: exponents count modulo p - 1; a negative one is an inverse.
        out = power_mod(out, fmpz_fdiv_ui(exponent.numerator(), kPrime - 1));
        return true;
      }
      default:
        return false;
    }
  }
};

struct BallEvaluator {
  int point;
  long precision;
  Work& work;
  bool degrees = false;  ///< inside a trigonometric function: a degree sign means pi/180

  bool run(const Reference& e, Ball& out) {
    const Node& node = e.node();
    work.spend(1 + precision / 512);
    switch (node.kind) {
      case NodeKind::kNumber:
        arb_set_fmpq(out.real(), node.value.get(), precision);
        arb_zero(acb_imagref(out.get()));
        return true;
      case NodeKind::kSymbol:
        place(node.text, out);
        return true;
      case NodeKind::kPi:
        acb_const_pi(out.get(), precision);
        return true;
      case NodeKind::kEuler:
        arb_const_e(out.real(), precision);
        arb_zero(acb_imagref(out.get()));
        return true;
      case NodeKind::kImaginary:
        acb_onei(out.get());
        return true;
      case NodeKind::kQuantity:
        return run(e.child(0), out);
      case NodeKind::kDegree:
        if (!run(e.child(0), out)) return false;
        if (degrees) {
          Ball pi;
          acb_const_pi(pi.get(), precision);
          acb_mul(out.get(), out.get(), pi.get(), precision);
          acb_div_ui(out.get(), out.get(), 180, precision);
        }
        return true;
      case NodeKind::kPercent:
        if (!run(e.child(0), out)) return false;
        if (e.percent_is_hundredth) acb_div_ui(out.get(), out.get(), 100, precision);
        return true;
      case NodeKind::kNegate:
        if (!run(e.child(0), out)) return false;
        acb_neg(out.get(), out.get());
        return true;
      case NodeKind::kPlusMinus:
        if (e.sign == 0 || !run(e.child(0), out)) return false;
        if ((e.sign < 0) != node.flag) acb_neg(out.get(), out.get());
        return true;
      case NodeKind::kAdd:
      case NodeKind::kMultiply: {
        if (!run(e.child(0), out)) return false;
        Ball next;
        for (std::size_t i = 1; i < node.children.size(); ++i) {
          if (!run(e.child(i), next)) return false;
          if (node.kind == NodeKind::kAdd)
            acb_add(out.get(), out.get(), next.get(), precision);
          else
            acb_mul(out.get(), out.get(), next.get(), precision);
        }
        return out.is_finite();
      }
      case NodeKind::kRatio:
      case NodeKind::kDivide: {
        if (node.children.size() != 2) return false;
        Ball denominator;
        if (!run(e.child(0), out) || !run(e.child(1), denominator) ||
            acb_contains_zero(denominator.get()))
          return false;
        acb_div(out.get(), out.get(), denominator.get(), precision);
        return out.is_finite();
      }
      case NodeKind::kPower:
        return power(e, out);
      case NodeKind::kRoot:
        return root(e, out);
      case NodeKind::kFunction:
        return function(e, out);
      default:
        return false;
    }
  }

  /// Six ranges in turn, so that roots, logarithms and inverse functions are real at several
  /// points: small, negative, within (0, 1), mixed signs, above 4, large.
  void place(const std::string& name, Ball& out) {
    const std::uint64_t hash = point_hash(name, point);
    const double unit = static_cast<double>(hash >> 11) * 0x1p-53;
    double value = 0;
    switch (point % 6) {
      case 0:
        value = 0.3 + 3.9 * unit;
        break;
      case 1:
        value = -0.3 - 3.9 * unit;
        break;
      case 2:
        value = 0.05 + 0.9 * unit;
        break;
      case 3:
        value = (hash & 1 ? -1 : 1) * (0.2 + 2.9 * unit);
        break;
      case 4:
        value = 4.1 + 37.0 * unit;
        break;
      default:
        value = 50 + 5000 * unit;
        break;
    }
    acb_set_d(out.get(), value);
  }

  bool exact(const Reference& e, Rational& out) { return RationalEvaluator{work}.run(e, out); }

  bool power(const Reference& e, Ball& out) {
    if (!run(e.child(0), out)) return false;
    Rational exponent;
    if (exact(e.child(1), exponent)) {
      if (exponent.is_integer()) {
        if (exponent.sign() <= 0 && acb_contains_zero(out.get())) return false;
        work.spend(10 + precision / 16);
        acb_pow_fmpz(out.get(), out.get(), exponent.numerator(), precision);
        return out.is_finite();
      }
      if (out.is_real() && arb_is_negative(out.real()) && fmpz_is_odd(exponent.denominator())) {
        // (-8)^(1/3) is -2 in school mathematics, as the root sign has it.
        const bool odd = fmpz_is_odd(exponent.numerator());
        acb_neg(out.get(), out.get());
        raise(out, exponent);
        if (odd) acb_neg(out.get(), out.get());
        return out.is_finite();
      }
      if (acb_contains_zero(out.get()) && !acb_is_zero(out.get())) return false;
      if (acb_is_zero(out.get())) return exponent.sign() > 0;
      raise(out, exponent);
      return out.is_finite();
    }
    Ball ball_exponent;
    if (!run(e.child(1), ball_exponent) || acb_contains_zero(out.get())) return false;
    work.spend(60 + precision / 2);
    acb_pow(out.get(), out.get(), ball_exponent.get(), precision);
    return out.is_finite();
  }

  void raise(Ball& base, const Rational& exponent) {
    work.spend(60 + precision / 2);
    Ball power;
    arb_set_fmpq(power.real(), exponent.get(), precision);
    acb_pow(base.get(), base.get(), power.get(), precision);
  }

  bool root(const Reference& e, Ball& out) {
    Rational index;
    if (!run(e.child(0), out)) return false;
    if (!exact(e.child(1), index) || !index.is_integer() || fmpz_cmp_ui(index.numerator(), 2) < 0 ||
        fmpz_cmp_ui(index.numerator(), 1000) > 0) {
      Ball ball_index;
      if (!run(e.child(1), ball_index) || acb_contains_zero(ball_index.get()) ||
          acb_contains_zero(out.get()))
        return false;
      acb_inv(ball_index.get(), ball_index.get(), precision);
      work.spend(60 + precision / 2);
      acb_pow(out.get(), out.get(), ball_index.get(), precision);
      return out.is_finite();
    }
    const ulong n = fmpz_get_ui(index.numerator());
    work.spend(10 + precision / 32);
    if (n == 2) {
      acb_sqrt(out.get(), out.get(), precision);
      return out.is_finite();
    }
    const bool negative = n % 2 == 1 && out.is_real() && arb_is_negative(out.real());
    if (negative) acb_neg(out.get(), out.get());
    acb_root_ui(out.get(), out.get(), n, precision);
    if (negative) acb_neg(out.get(), out.get());
    return out.is_finite();
  }

  bool function(const Reference& e, Ball& out) {
    const Node& node = e.node();
    if (node.function == Function::kFactorial || node.function == Function::kBinomial ||
        node.function == Function::kGcd) {
      Rational value;
      if (exact(e, value)) {
        arb_set_fmpq(out.real(), value.get(), precision);
        arb_zero(acb_imagref(out.get()));
        return true;
      }
      Rational k;
      if (node.function == Function::kBinomial && exact(e.child(1), k) && k.is_integer() &&
          k.sign() >= 0 && fmpz_cmp_ui(k.numerator(), 60) <= 0) {
        Ball n, factor;  // n (n-1) ... (n-k+1) / k!
        if (!run(e.child(0), n)) return false;
        acb_one(out.get());
        for (ulong i = 0; i < fmpz_get_ui(k.numerator()); ++i) {
          acb_sub_ui(factor.get(), n.get(), i, precision);
          acb_mul(out.get(), out.get(), factor.get(), precision);
          acb_div_ui(out.get(), out.get(), i + 1, precision);
        }
        work.spend(60);
        return out.is_finite();
      }
      if (node.function != Function::kFactorial || variables(e).empty()) return false;
      if (!run(e.child(0), out)) return false;
      acb_add_ui(out.get(), out.get(), 1, precision);
      work.spend(400 + precision * 2);
      acb_gamma(out.get(), out.get(), precision);
      return out.is_finite();
    }
    const bool trigonometric = node.function >= Function::kSin && node.function <= Function::kCsc;
    const bool outer = degrees;
    degrees = degrees || trigonometric;
    const bool ok = run(e.child(0), out);
    degrees = outer;
    if (!ok) return false;
    work.spend(40 + precision / 4);
    acb_ptr z = out.get();
    switch (node.function) {
      case Function::kSin:
        acb_sin(z, z, precision);
        break;
      case Function::kCos:
        acb_cos(z, z, precision);
        break;
      case Function::kTan:
        acb_tan(z, z, precision);
        break;
      case Function::kCot:
        acb_cot(z, z, precision);
        break;
      case Function::kSec:
        acb_sec(z, z, precision);
        break;
      case Function::kCis:
        acb_mul_onei(z, z);
        acb_exp(z, z, precision);
        break;
      case Function::kCsc:
        acb_csc(z, z, precision);
        break;
      case Function::kArcsin:
        acb_asin(z, z, precision);
        break;
      case Function::kArccos:
        acb_acos(z, z, precision);
        break;
      case Function::kArctan:
        acb_atan(z, z, precision);
        break;
      case Function::kArccot:
        if (acb_contains_zero(z)) return false;
        acb_inv(z, z, precision);
        acb_atan(z, z, precision);
        break;
      case Function::kSinh:
        acb_sinh(z, z, precision);
        break;
      case Function::kCosh:
        acb_cosh(z, z, precision);
        break;
      case Function::kTanh:
        acb_tanh(z, z, precision);
        break;
      case Function::kExp:
        acb_exp(z, z, precision);
        break;
      case Function::kLn:
        if (acb_contains_zero(z)) return false;
        acb_log(z, z, precision);
        break;
      case Function::kLog10:
      case Function::kLogBase: {
        Ball base;
        if (node.function == Function::kLog10)
          acb_set_ui(base.get(), 10);
        else if (!run(e.child(1), base))
          return false;
        if (acb_contains_zero(z) || acb_contains_zero(base.get())) return false;
        acb_log(z, z, precision);
        acb_log(base.get(), base.get(), precision);
        if (acb_contains_zero(base.get())) return false;
        acb_div(z, z, base.get(), precision);
        break;
      }
      case Function::kAbs:
        acb_abs(out.real(), z, precision);
        arb_zero(acb_imagref(z));
        break;
      case Function::kFloor:
      case Function::kCeil:
        if (!out.is_real()) return false;
        if (node.function == Function::kFloor)
          arb_floor(out.real(), out.real(), precision);
        else
          arb_ceil(out.real(), out.real(), precision);
        break;
      case Function::kMax:
      case Function::kMin: {
        Ball second;
        if (!run(e.child(1), second) || !out.is_real() || !second.is_real()) return false;
        if (node.function == Function::kMax)
          arb_max(out.real(), out.real(), second.real(), precision);
        else
          arb_min(out.real(), out.real(), second.real(), precision);
        break;
      }
      default:
        return false;
    }
    return out.is_finite();
  }
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

bool evaluate_rational(const Reference& expression, Work& work, Rational& result) {
  return RationalEvaluator{work}.run(expression, result);
}

bool evaluate_modular(const Reference& expression, int point, Work& work, std::uint64_t& result) {
  return ModularEvaluator{point, work}.run(expression, result);
}

bool evaluate_ball(const Reference& expression, int point, long precision, Work& work,
                   Ball& result) {
  return BallEvaluator{point, precision, work}.run(expression, result) && result.is_finite();
}

}  // namespace moebench
