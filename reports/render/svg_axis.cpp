#include <algorithm>
#include <cmath>

#include "reports/render/svg.h"

namespace moebench {

double Scale::operator()(double value) const {
  double at = 0;
  if (logarithmic)
    at = std::log(std::max(value, data_min) / data_min) / std::log(data_max / data_min);
  else
    at = (value - data_min) / (data_max - data_min);
  if (std::isnan(at)) at = 0;
  return pixel_min + std::clamp(at, 0.0, 1.0) * (pixel_max - pixel_min);
}

std::vector<double> Scale::ticks() const {
  std::vector<double> result;
  if (logarithmic) {
    const int first = static_cast<int>(std::floor(std::log10(data_min)));
    const int last = static_cast<int>(std::ceil(std::log10(data_max)));
    // Few decades: 1, 2, 5; many: decades, thinned.
    const bool dense = std::log10(data_max / data_min) < 2.5;
    const int stride = std::max(1, (last - first) / 8);
    for (int decade = first; decade <= last; decade += dense ? 1 : stride)
      for (const double mantissa : {1.0, 2.0, 5.0}) {
        const double tick = mantissa * std::pow(10.0, decade);
        if ((mantissa == 1 || dense) && tick >= data_min * 0.999 && tick <= data_max * 1.001)
          result.push_back(tick);
      }
    // Less than a 1-2-5 step apart: as on a linear axis.
    if (result.size() >= 2) return result;
    result.clear();
  }
  const double raw = (data_max - data_min) / 5;
  const double magnitude = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * magnitude;
  for (const double factor : {1.0, 2.0, 5.0})
    if (raw <= factor * magnitude) {
      step = factor * magnitude;
      break;
    }
  const double first = std::ceil(data_min / step - 1e-9), last = data_max / step + 1e-9;
  for (double i = first; i <= last && result.size() < 20; ++i) result.push_back(i * step);
  return result;
}

Scale fit_scale(const Axis& axis, const std::vector<double>& values, double pixel_min,
                double pixel_max) {
  double low = INFINITY, high = -INFINITY;
  for (const double value : values) {
    if (!std::isfinite(value) || (axis.logarithmic && value <= 0)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (low > high) low = axis.logarithmic ? 1 : 0, high = axis.logarithmic ? 10 : 1;
  Scale scale{low, high, pixel_min, pixel_max, axis.logarithmic};
  if (axis.logarithmic) {
    scale.data_min = low / 1.25;
    scale.data_max = high * 1.25;
  } else {
    const double margin = high > low ? (high - low) * 0.06 : std::max(std::fabs(high) * 0.1, 1e-9);
    scale.data_min = low - margin;
    scale.data_max = high + margin;
    if (low >= 0 && scale.data_min < 0) scale.data_min = 0;
  }
  if (axis.min && (!axis.logarithmic || *axis.min > 0)) scale.data_min = *axis.min;
  if (axis.max && *axis.max > scale.data_min) scale.data_max = *axis.max;
  if (!(scale.data_max > scale.data_min)) scale.data_max = scale.data_min + 1;
  return scale;
}

}  // namespace moebench
