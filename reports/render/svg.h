#pragma once

#include <string>
#include <vector>

#include "reports/render/document.h"

namespace moebench {

/// The characters that mean something in HTML and SVG, replaced; control characters that XML
/// forbids become U+FFFD.
std::string escape_markup(const std::string& text);

/// The style sheet's class for what is good, bad or uncertain; `neutral` for what is neither.
const char* tone_class(Tone tone, const char* neutral);

/// One <svg> element; colours come from the page's style sheet, so it follows light and dark.
/// `title` is read to those who don't see it.
std::string render_svg(const Plot& plot, const std::string& title);

/// A linear or logarithmic scale from data to pixels.
struct Scale {
  double data_min = 0, data_max = 1, pixel_min = 0, pixel_max = 1;
  bool logarithmic = false;
  double operator()(double value) const;  ///< clamped to the ends
  std::vector<double> ticks() const;      ///< round numbers, some four to eight
};

/// From the axis' own ends where given, else the values' with a margin; a logarithmic axis ignores
/// what is not positive. Any input gives a usable scale.
Scale fit_scale(const Axis& axis, const std::vector<double>& values, double pixel_min,
                double pixel_max);

}  // namespace moebench
