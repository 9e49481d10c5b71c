#pragma once

#include <acb.h>
#include <flint/fmpq.h>

#include <string>
#include <utility>

namespace moebench {

/// An exact rational of any size (FLINT's fmpq; small values need no memory of their own).
class Rational {
 public:
  Rational() { fmpq_init(value_); }
  explicit Rational(long numerator, unsigned long denominator = 1) {
    fmpq_init(value_);
    fmpq_set_si(value_, numerator, denominator);
  }
  Rational(const Rational& other) {
    fmpq_init(value_);
    fmpq_set(value_, other.value_);
  }
  Rational(Rational&& other) noexcept {
    fmpq_init(value_);
    fmpq_swap(value_, other.value_);
  }
  Rational& operator=(Rational other) noexcept {
    fmpq_swap(value_, other.value_);
    return *this;
  }
  ~Rational() { fmpq_clear(value_); }

  fmpq* get() { return value_; }
  const fmpq* get() const { return value_; }
  const fmpz* numerator() const { return fmpq_numref(value_); }
  const fmpz* denominator() const { return fmpq_denref(value_); }
  bool is_integer() const { return fmpz_is_one(fmpq_denref(value_)); }
  bool is_zero() const { return fmpq_is_zero(value_); }
  int sign() const { return fmpq_sgn(value_); }
  /// Bits of the larger of numerator and denominator.
  long bits() const { return static_cast<long>(fmpq_height_bits(value_)); }
  bool operator==(const Rational& other) const { return fmpq_equal(value_, other.value_) != 0; }
  std::string str() const {
    char* text = fmpq_get_str(nullptr, 10, value_);
    std::string result(text);
    flint_free(text);
    return result;
  }

 private:
  fmpq_t value_;
};

/// A complex ball (Arb's acb): a midpoint and a radius that encloses the true value.
class Ball {
 public:
  Ball() { acb_init(value_); }
  Ball(const Ball& other) {
    acb_init(value_);
    acb_set(value_, other.value_);
  }
  Ball(Ball&& other) noexcept {
    acb_init(value_);
    acb_swap(value_, other.value_);
  }
  Ball& operator=(Ball other) noexcept {
    acb_swap(value_, other.value_);
    return *this;
  }
  ~Ball() { acb_clear(value_); }

  acb_ptr get() { return value_; }
  acb_srcptr get() const { return value_; }
  arb_ptr real() { return acb_realref(value_); }
  arb_srcptr real() const { return acb_realref(value_); }
  arb_srcptr imaginary() const { return acb_imagref(value_); }
  bool is_real() const { return arb_is_zero(acb_imagref(value_)) != 0; }
  bool is_finite() const { return acb_is_finite(value_) != 0; }

 private:
  acb_t value_;
};

}  // namespace moebench
