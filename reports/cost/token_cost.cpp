#include "reports/cost/token_cost.h"

#include <limits>

#include "engine/base/error.h"

namespace moebench {

double usd_per_million(double usd_per_hour, double tokens_per_second) {
  return usd_per_hour / (tokens_per_second * 3600 / 1e6);
}

TokenPrice token_price(const ApiPrice& price) {
  return {price.input_usd_per_million,
          price.cached_input_usd_per_million.value_or(price.input_usd_per_million),
          price.output_usd_per_million};
}

ServingDayCheck check_serving_day(const ServingDay& day, const ApiPrice& list) {
  ServingDayCheck check;
  const double node_usd_per_hour = day.gpus_per_node * day.usd_per_gpu_hour;
  check.cost_usd = day.nodes * node_usd_per_hour * 24;
  const Workload tokens{day.input_tokens, day.output_tokens,
                        day.cached_input_tokens / day.input_tokens};
  check.income_usd = monthly_usd(tokens, token_price(list));
  check.margin_percent = (day.stated_income_usd / check.cost_usd - 1) * 100;
  check.margin_from_tokens_percent = (check.income_usd / check.cost_usd - 1) * 100;
  check.prefill_usd_per_million =
      usd_per_million(node_usd_per_hour, day.input_tokens_per_second_per_node);
  check.decode_usd_per_million =
      usd_per_million(node_usd_per_hour, day.output_tokens_per_second_per_node);
  check.prefill_nodes = day.input_tokens / 86400 / day.input_tokens_per_second_per_node;
  check.decode_nodes = day.output_tokens / 86400 / day.output_tokens_per_second_per_node;
  return check;
}

double owned_usd_per_used_hour(const OwnedMachine& m) {
  if (!(m.life_years > 0)) throw Error(ErrorCode::kUsage, "a machine's life must be above 0 years");
  if (!(m.utilisation > 0 && m.utilisation <= 1))
    throw Error(ErrorCode::kUsage, "the utilisation must lie above 0 and at most at 1");
  if (!(m.capital_usd >= 0 && m.kilowatts >= 0 && m.usd_per_kwh >= 0 && m.overhead_of_power >= 1 &&
        m.yearly_upkeep_of_capital >= 0))
    throw Error(ErrorCode::kUsage, "a machine's costs can't be negative, nor its PUE below 1");
  constexpr double kHoursPerYear = 8766;
  const double per_hour = m.capital_usd / (m.life_years * kHoursPerYear) +
                          m.capital_usd * m.yearly_upkeep_of_capital / kHoursPerYear +
                          m.kilowatts * m.overhead_of_power * m.usd_per_kwh;
  return per_hour / m.utilisation;
}

double monthly_usd(const Workload& w, const TokenPrice& price) {
  return (w.input_tokens * (1 - w.cached_share) * price.input_usd_per_million +
          w.input_tokens * w.cached_share * price.cached_input_usd_per_million +
          w.output_tokens * price.output_usd_per_million) /
         1e6;
}

BreakEven break_even(const Workload& workload, const TokenPrice& api, double machine_usd_per_hour,
                     double prefill_tokens_per_second, double decode_tokens_per_second) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  BreakEven result;
  result.machine_usd_per_month = machine_usd_per_hour * kHoursPerMonth;
  result.api_usd_per_month = monthly_usd(workload, api);
  result.load_factor = result.api_usd_per_month > 0
                           ? result.machine_usd_per_month / result.api_usd_per_month
                           : kInfinity;
  result.input_tokens = workload.input_tokens * result.load_factor;
  result.output_tokens = workload.output_tokens * result.load_factor;
  const double seconds =
      workload.input_tokens * (1 - workload.cached_share) / prefill_tokens_per_second +
      workload.output_tokens / decode_tokens_per_second;
  result.capacity_factor = seconds > 0 ? kHoursPerMonth * 3600 / seconds : kInfinity;
  return result;
}

}  // namespace moebench
