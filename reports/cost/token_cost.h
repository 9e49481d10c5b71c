#pragma once

#include "reports/catalog/catalog.h"
#include "reports/metrics/run_cost.h"

namespace moebench {

/// USD per million tokens of a machine that does nothing else: USD/h / (tokens/s x 3600 / 1e6)
/// (InferenceX). It charges the whole machine to one kind of token; two such figures do not add up.
double usd_per_million(double usd_per_hour, double tokens_per_second);

/// The reverse of a catalogue entry: its price as a TokenPrice. A price list without a price for
/// cached input charges it as input.
TokenPrice token_price(const ApiPrice& price);

/// DeepSeek's published day, computed again from its parts.
struct ServingDayCheck {
  double cost_usd = 0;                    ///< nodes x GPUs x USD/h x 24
  double income_usd = 0;                  ///< tokens at the list price
  double margin_percent = 0;              ///< (stated income - cost) / cost
  double margin_from_tokens_percent = 0;  ///< the same with the income computed here
  double prefill_usd_per_million = 0, decode_usd_per_million = 0;
  double prefill_nodes = 0, decode_nodes = 0;  ///< that the day's tokens keep busy
};
ServingDayCheck check_serving_day(const ServingDay& day, const ApiPrice& price);

/// A machine that is bought: per hour of use, its capital over its life, its power and its upkeep.
struct OwnedMachine {
  double capital_usd = 0, life_years = 4;
  double kilowatts = 0, usd_per_kwh = 0.08;
  double overhead_of_power = 1.3;  ///< PUE: cooling and losses, times the machine's power
  double yearly_upkeep_of_capital = 0.03;
  double utilisation = 0.6;  ///< share of the hours in which it works; power is drawn in all
};
/// Throws Error(kUsage) for a life, utilisation or price that makes no sense.
double owned_usd_per_used_hour(const OwnedMachine& machine);

/// Tokens a month, and what they cost.
struct Workload {
  double input_tokens = 0, output_tokens = 0;  ///< a month
  double cached_share = 0;                     ///< of the input, 0 to 1
};
double monthly_usd(const Workload& workload, const TokenPrice& price);

inline constexpr double kHoursPerMonth = 8766.0 / 12;

/// A machine held all month against an API: the multiple of the workload from which the machine is
/// the cheaper one, and whether it can do that much.
struct BreakEven {
  double machine_usd_per_month = 0, api_usd_per_month = 0;
  double load_factor = 0;  ///< times the workload; below 1: the machine is already cheaper
  double input_tokens = 0, output_tokens = 0;  ///< a month at that load
  double capacity_factor = 0;  ///< times the workload that the machine can serve at most
  bool reachable() const { return load_factor <= capacity_factor; }
};
/// Rates are tokens/s of the whole machine when it does only prefill, or only decode.
BreakEven break_even(const Workload& workload, const TokenPrice& api, double machine_usd_per_hour,
                     double prefill_tokens_per_second, double decode_tokens_per_second);

}  // namespace moebench
