#include "reports/gate/gate_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"

namespace moebench {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxBytes = 1 << 20;

class Reader {
 public:
  explicit Reader(std::string where) : where_(std::move(where)) {}

  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(ErrorCode::kConfiguration, where_ + ": " + what,
                "ci/gate/gate.json shows every key");
  }

  void number(const json& value, const std::string& key, double low, double high,
              double& out) const {
    if (!value.is_number()) refuse("\"" + key + "\" must be a number");
    const double number = value.get<double>();
    if (!(number >= low && number <= high))
      refuse("\"" + key + "\" is " + value.dump() + ", outside " + json(low).dump() + " to " +
             json(high).dump());
    out = number;
  }

  void percent(const json& value, const std::string& key, double& out) const {
    double whole = 0;
    number(value, key, 0.01, 1000, whole);
    out = whole / 100;
  }

  void run_settings(const json& object, const std::string& key, Settings& out) const {
    if (!object.is_object()) refuse("\"" + key + "\" must be an object");
    for (const auto& [name, value] : object.items()) {
      if (name == "output" || name == "resume" || name == "step-log")
        refuse("\"" + key + "." + name + "\" is the gate's own");
      if (value.is_string())
        out[name] = value.get<std::string>();
      else if (value.is_number() || value.is_boolean())
        out[name] = value.dump();
      else
        refuse("\"" + key + "." + name + "\" must be a text, a number, true or false");
    }
  }

  void metrics(const json& object, std::vector<GatedMetric>& out) const {
    if (!object.is_object()) refuse("\"metrics\" must be an object");
    for (const auto& [name, value] : object.items()) {
      const auto metric = std::find_if(
          out.begin(), out.end(), [&key = name](const GatedMetric& m) { return m.key == key; });
      if (metric == out.end()) {
        std::string known;
        for (const GatedMetric& m : default_gated_metrics())
          known += (known.empty() ? "" : ", ") + m.key;
        refuse("there is no metric \"" + name + "\"; there are " + known);
      }
      if (value.is_boolean() && !value.get<bool>()) {  // "ttft_p99_ms": false
        out.erase(metric);
        continue;
      }
      if (!value.is_object()) refuse("\"metrics." + name + "\" must be an object, or false");
      for (const auto& [key, entry] : value.items()) {
        if (key == "minimum_effect_percent") {
          percent(entry, "metrics." + name + "." + key, metric->minimum_effect);
        } else if (key == "required") {
          if (!entry.is_boolean())
            refuse("\"metrics." + name + ".required\" must be true or false");
          metric->required = entry.get<bool>();
        } else {
          refuse("\"metrics." + name + "\" has no key \"" + key + "\"");
        }
      }
    }
  }

 private:
  std::string where_;
};

}  // namespace

GateSettings default_gate_settings() {
  GateSettings settings;
  // One thread: on a machine that others use, threads that wait for each other measure the others
  // (and take many times as long); the tokens are the same with any number.
  settings.check = {{"model", "canary"}, {"tasks", "gsm8k-mini,math-mini"}, {"threads", "1"}};
  settings.timing = {
      {"model", "canary"}, {"tasks", "gsm8k-mini"}, {"limit", "60"}, {"threads", "1"}};
  settings.metrics = default_gated_metrics();
  return settings;
}

GateSettings parse_gate_file(std::string_view text, const std::string& where) {
  const Reader reader(where);
  if (text.size() > kMaxBytes) reader.refuse("is larger than 1 MiB");
  const json file = json::parse(text, nullptr, false);
  if (file.is_discarded() || !file.is_object()) reader.refuse("is no JSON object");
  GateSettings settings = default_gate_settings();
  for (const auto& [key, value] : file.items()) {
    if (key == "schema_version") {
      if (value != 1)
        reader.refuse("\"schema_version\" is " + value.dump() + ", this build reads 1");
    } else if (key == "check") {
      settings.check.clear();
      reader.run_settings(value, key, settings.check);
    } else if (key == "timing") {
      settings.timing.clear();
      reader.run_settings(value, key, settings.timing);
    } else if (key == "budget_seconds") {
      reader.number(value, key, 1, 86400, settings.budget_seconds);
    } else if (key == "run_timeout_seconds") {
      reader.number(value, key, 0.1, 86400, settings.run_timeout_seconds);
    } else if (key == "alpha") {
      reader.number(value, key, 1e-6, 0.2, settings.alpha);
    } else if (key == "accuracy_minimum_effect_points") {
      reader.percent(value, key, settings.accuracy_minimum_effect);
    } else if (key == "stored_minimum_effect_percent") {
      reader.percent(value, key, settings.stored_minimum_effect);
    } else if (key == "instructions_minimum_effect_percent") {
      reader.percent(value, key, settings.instructions_minimum_effect);
    } else if (key == "interleaving") {
      if (value == "auto")
        settings.interleaving = Interleaving::kAuto;
      else if (value == "in_turn")
        settings.interleaving = Interleaving::kInTurn;
      else if (value == "together")
        settings.interleaving = Interleaving::kTogether;
      else
        reader.refuse("\"interleaving\" is " + value.dump() +
                      "; there are auto, in_turn, together");
    } else if (key == "metrics") {
      reader.metrics(value, settings.metrics);
    } else {
      reader.refuse("there is no key \"" + key + "\"");
    }
  }
  return settings;
}

}  // namespace moebench
