#include "harness/run/settings.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <string_view>

#include "engine/base/error.h"

namespace moebench {

namespace {

template <class Number>
Number parse_number(const std::string& name, const std::string& text, Number lowest,
                    Number highest) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  // Negated so that NaN fails too.
  if (error != std::errc() || stop != end || !(value >= lowest && value <= highest)) {
    throw Error(ErrorCode::kUsage,
                "--" + name + ": '" + text + "' is not a number from " + std::to_string(lowest) +
                    " to " + std::to_string(highest),
                "moebench run --help");
  }
  return value;
}

bool parse_flag(const std::string& name, const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  throw Error(ErrorCode::kUsage, "--" + name + ": '" + text + "' is neither true nor false");
}

std::vector<std::string> split_list(const std::string& name, const std::string& text) {
  std::vector<std::string> items;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::string item = text.substr(begin, end - begin);
    if (item.empty()) {
      throw Error(ErrorCode::kUsage, "--" + name + ": an empty name in '" + text + "'",
                  "--" + name + " a,b,c");
    }
    if (std::find(items.begin(), items.end(), item) != items.end()) {
      throw Error(ErrorCode::kUsage, "--" + name + ": '" + item + "' is named twice");
    }
    items.push_back(std::move(item));
    begin = end + 1;
  }
  return items;
}

constexpr std::int64_t kMost = 1'000'000'000;

using Setter = std::function<void(RunSettings&, const std::string& name, const std::string& text)>;

// A setter for a number member (plain or optional) with its range.
template <class Member, class Number>
Setter number(Member RunSettings::*member, Number lowest, Number highest) {
  return [=](RunSettings& settings, const std::string& name, const std::string& text) {
    settings.*member = parse_number<Number>(name, text, lowest, highest);
  };
}

template <class Member>
Setter text_value(Member RunSettings::*member) {
  return [=](RunSettings& settings, const std::string& name, const std::string& text) {
    if (text.empty()) throw Error(ErrorCode::kUsage, "--" + name + ": empty");
    settings.*member = text;
  };
}

Setter flag(bool RunSettings::*member) {
  return [=](RunSettings& settings, const std::string& name, const std::string& text) {
    settings.*member = parse_flag(name, text);
  };
}

// "2/4"
ShardRecord parse_shard(const std::string& name, const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) {
    throw Error(ErrorCode::kUsage, "--" + name + ": '" + text + "' is not like 2/4",
                "--" + name + " 1/4 to 4/4, then moebench merge");
  }
  ShardRecord shard;
  shard.count = parse_number<std::int64_t>(name, text.substr(slash + 1), 1, kMostShards);
  shard.index = parse_number<std::int64_t>(name, text.substr(0, slash), 1, shard.count);
  return shard;
}

using S = RunSettings;

template <class Number, class Member>
Setter remote_number(Member RemoteOptions::*member, Number lowest, Number highest) {
  return [=](RunSettings& settings, const std::string& name, const std::string& text) {
    settings.remote.*member = parse_number<Number>(name, text, lowest, highest);
  };
}

Setter remote_text(std::string RemoteOptions::*member) {
  return [=](RunSettings& settings, const std::string& name, const std::string& text) {
    if (text.empty()) throw Error(ErrorCode::kUsage, "--" + name + ": empty");
    settings.remote.*member = text;
  };
}

void set_request_limit(RunSettings& settings, const std::string& name, const std::string& text) {
  const double seconds = parse_number<double>(name, text, 0.01, 1e6);
  settings.remote.request_limit =
      std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000 + 0.5));
}

const std::map<std::string, Setter>& setters() {
  static const std::map<std::string, Setter> table = {
      {"model", text_value(&S::model)},
      {"tasks", [](S& s, const std::string& name,
                   const std::string& text) { s.tasks = split_list(name, text); }},
      {"data", text_value(&S::data_folder)},
      {"limit", number<std::optional<std::int64_t>, std::int64_t>(&S::limit, 1, kMost)},
      {"samples",
       number<std::optional<std::int64_t>, std::int64_t>(&S::samples_per_question, 1, 100'000)},
      {"temperature", number<std::optional<double>, double>(&S::temperature, 0, 100)},
      {"top-p", number<std::optional<double>, double>(&S::top_p, 1e-6, 1)},
      {"top-k", number<std::optional<std::int64_t>, std::int64_t>(&S::top_k, 0, kMost)},
      {"max-tokens", number<std::optional<std::int64_t>, std::int64_t>(&S::max_tokens, 1, kMost)},
      {"seed", number<std::uint64_t, std::uint64_t>(&S::seed, 0, UINT64_MAX)},
      {"reasoning-tokens", number<std::int64_t, std::int64_t>(&S::reasoning_tokens, 0, kMost)},
      {"raw-prompt", flag(&S::raw_prompt)},
      {"device", text_value(&S::device)},
      {"cpu-experts", flag(&S::cpu_experts)},
      {"cuda-dense", text_value(&S::cuda_dense)},
      {"kv-cache-type", text_value(&S::kv_cache_type)},
      {"weights-type", text_value(&S::weights_type)},
      {"batch-size", number<std::int64_t, std::int64_t>(&S::batch_size, 1, 4096)},
      {"context", number<std::int64_t, std::int64_t>(&S::context_tokens, 0, kMost)},
      {"threads", number<int, int>(&S::threads, 0, 4096)},
      {"workers", number<std::int64_t, std::int64_t>(&S::workers, 0, 64)},
      {"stall-timeout", number<double, double>(&S::stall_timeout_seconds, 0.1, 86'400)},
      {"shard", [](S& s, const std::string& name,
                   const std::string& text) { s.shard = parse_shard(name, text); }},
      {"base-url", [](S& s, const std::string& name,
                      const std::string& text) { s.remote.base_urls = split_list(name, text); }},
      {"api-key-env", remote_text(&RemoteOptions::api_key_variable)},
      {"ca-file", remote_text(&RemoteOptions::ca_file)},
      {"launch", remote_text(&RemoteOptions::launch)},
      {"request-rate", remote_number<double>(&RemoteOptions::requests_per_second, 1e-6, 1e6)},
      {"request-seconds", set_request_limit},
      {"retries", remote_number<int>(&RemoteOptions::max_retries, 0, 1000)},
      {"usd-per-hour", number<std::optional<double>, double>(&S::usd_per_hour, 0, 1e6)},
      {"step-log", flag(&S::step_log)},
  };
  return table;
}

}  // namespace

const std::vector<std::string>& run_setting_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, setter] : setters()) all.push_back(name);
    return all;
  }();
  return names;
}

RunSettings parse_run_settings(const Settings& typed) {
  RunSettings settings;
  for (const auto& [name, text] : typed) {
    const auto setter = setters().find(name);
    if (setter == setters().end()) {
      throw Error(ErrorCode::kUsage, "there is no setting '" + name + "'", "moebench run --help");
    }
    setter->second(settings, name, text);
  }
  if (settings.model.empty()) {
    throw Error(ErrorCode::kUsage, "no model is given",
                "--model canary, or the path of a checkpoint");
  }
  if (settings.tasks.empty()) {
    throw Error(ErrorCode::kUsage, "no task is given",
                "--tasks gsm8k-mini,math-mini; moebench run --list-tasks shows all");
  }
  return settings;
}

EngineOptions engine_options(const RunSettings& settings) {
  EngineOptions options;
  options.model = settings.model;
  options.device = settings.device;
  options.cpu_experts = settings.cpu_experts;
  options.cuda_dense = settings.cuda_dense;
  options.threads = settings.threads;
  options.weight_type = settings.weights_type;
  options.kv_cache_type = settings.kv_cache_type;
  options.max_batch_sequences = settings.batch_size;
  options.max_context_tokens = settings.context_tokens;
  return options;
}

Settings resume_settings(const Settings& recorded, const Settings& typed) {
  Settings merged = recorded;
  for (const auto& [name, text] : typed) {
    if (name == "data") {
      merged[name] = text;
      continue;
    }
    const auto before = recorded.find(name);
    if (before != recorded.end() && before->second == text) continue;
    throw Error(
        ErrorCode::kUsage,
        "the run that is resumed has " +
            (before == recorded.end() ? "no --" + name : "--" + name + " " + before->second) +
            ", not --" + name + " " + text,
        "leave --" + name + " away, or start a new run with another -o");
  }
  return merged;
}

}  // namespace moebench
