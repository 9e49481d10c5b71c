#include <acb_hypgeom.h>
#include <arb_hypgeom.h>
#include <flint/fmpz.h>

#include "datasets/grading/expression_walk.h"

namespace moebench {
namespace {

struct BallEvaluator : ExpressionWalk<BallEvaluator, Ball> {
  static constexpr bool kRatioIsQuotient = true;
  int point;
  long precision;
  Work& work;
  bool in_trigonometry = false;  ///< there, a degree sign means pi/180

  BallEvaluator(int at_point, long bits, Work& budget)
      : point(at_point), precision(bits), work(budget) {}

  long cost() const { return 1 + precision / 512; }
  bool number(const Rational& value, Ball& out) {
    arb_set_fmpq(out.real(), value.get(), precision);
    arb_zero(acb_imagref(out.get()));
    return true;
  }
  bool constant(NodeKind kind, Ball& out) {
    if (kind == NodeKind::kPi) {
      acb_const_pi(out.get(), precision);
    } else if (kind == NodeKind::kEuler) {
      arb_const_e(out.real(), precision);
      arb_zero(acb_imagref(out.get()));
    } else {
      acb_onei(out.get());
    }
    return true;
  }
  bool degree(Ball& out) {
    if (!in_trigonometry) return true;
    Ball pi;
    acb_const_pi(pi.get(), precision);
    acb_mul(out.get(), out.get(), pi.get(), precision);
    acb_div_ui(out.get(), out.get(), 180, precision);
    return true;
  }
  bool percent(bool hundredth, Ball& out) {
    if (hundredth) acb_div_ui(out.get(), out.get(), 100, precision);
    return true;
  }
  bool negate(Ball& out) {
    acb_neg(out.get(), out.get());
    return true;
  }
  bool add(Ball& out, const Ball& next) {
    acb_add(out.get(), out.get(), next.get(), precision);
    return out.is_finite();
  }
  bool multiply(Ball& out, const Ball& next) {
    acb_mul(out.get(), out.get(), next.get(), precision);
    return out.is_finite();
  }
  bool divide(Ball& out, const Ball& denominator) {
    if (acb_contains_zero(denominator.get())) return false;
    acb_div(out.get(), out.get(), denominator.get(), precision);
    return out.is_finite();
  }

  /// Six ranges in turn, so that roots, logarithms and inverse functions are real at several
  /// points: small, negative, within (0, 1), mixed signs, above 4, large.
  bool symbol(const std::string& name, Ball& out) {
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
    return true;
  }

  bool exact(const Reference& e, Rational& out) { return evaluate_rational(e, work, out); }

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
    const bool outer = in_trigonometry;
    in_trigonometry = in_trigonometry || trigonometric;
    const bool ok = run(e.child(0), out);
    in_trigonometry = outer;
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

}  // namespace

bool evaluate_ball(const Reference& expression, int point, long precision, Work& work,
                   Ball& result) {
  return BallEvaluator(point, precision, work).run(expression, result) && result.is_finite();
}

}  // namespace moebench
