#include "reports/metrics/latency.h"

#include <charconv>
#include <cstdio>
#include <vector>

#include "engine/base/error.h"

namespace moebench {

std::optional<double> ttft_ms(const SampleRecord& sample) { return sample.timing.first_token_ms; }

std::optional<double> ttfo_ms(const SampleRecord& sample) {
  return sample.timing.first_answer_token_ms;
}

std::optional<double> e2el_ms(const SampleRecord& sample) { return sample.timing.last_token_ms; }

std::optional<double> tpot_ms(const SampleRecord& sample) {
  const auto first = ttft_ms(sample), last = e2el_ms(sample);
  if (!first || !last || sample.output_tokens < 2) return std::nullopt;
  return (*last - *first) / static_cast<double>(sample.output_tokens - 1);
}

std::optional<double> interactivity_tokens_per_second(const SampleRecord& sample) {
  const auto tpot = tpot_ms(sample);
  if (!tpot || *tpot <= 0) return std::nullopt;
  return 1000 / *tpot;
}

LatencyMetrics latency_metrics(std::span<const SampleRecord> samples) {
  std::vector<double> ttft, ttfo, tpot, e2el, interactivity, itl, queue, scheduled_ttft, scheduled;
  const auto add = [](std::vector<double>& to, std::optional<double> value) {
    if (value) to.push_back(*value);
  };
  for (const SampleRecord& sample : samples) {
    add(ttft, ttft_ms(sample));
    add(ttfo, ttfo_ms(sample));
    add(tpot, tpot_ms(sample));
    add(e2el, e2el_ms(sample));
    add(interactivity, interactivity_tokens_per_second(sample));
    const double wait = sample.timing.issued_ms - sample.timing.scheduled_ms;
    if (const auto first = ttft_ms(sample)) scheduled_ttft.push_back(wait + *first);
    if (const auto last = e2el_ms(sample)) {
      queue.push_back(wait);
      scheduled.push_back(wait + *last);
    }
    const auto& chunks = sample.timing.chunk_ms;
    for (std::size_t i = 1; i < chunks.size(); ++i) itl.push_back(chunks[i] - chunks[i - 1]);
  }
  LatencyMetrics metrics;
  metrics.ttft_ms = describe(std::move(ttft));
  metrics.ttfo_ms = describe(std::move(ttfo));
  metrics.tpot_ms = describe(std::move(tpot));
  metrics.e2el_ms = describe(std::move(e2el));
  metrics.interactivity_tokens_per_second = describe(std::move(interactivity));
  metrics.itl_ms = describe(std::move(itl));
  metrics.queue_ms = describe(std::move(queue));
  metrics.scheduled_ttft_ms = describe(std::move(scheduled_ttft));
  metrics.scheduled_e2el_ms = describe(std::move(scheduled));
  return metrics;
}

ServiceLevel parse_service_level(const std::string& text) {
  ServiceLevel limits;
  bool any = false;
  std::size_t begin = 0;
  while ((begin = text.find_first_not_of(" ,", begin)) != std::string::npos) {
    const std::size_t end = std::min(text.find_first_of(" ,", begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    begin = end;
    const std::size_t colon = item.find(':');
    const std::string name = item.substr(0, colon);
    std::optional<double>* limit = name == "ttft"   ? &limits.ttft_ms
                                   : name == "ttfo" ? &limits.ttfo_ms
                                   : name == "tpot" ? &limits.tpot_ms
                                   : name == "e2el" ? &limits.e2el_ms
                                                    : nullptr;
    double value = 0;
    const char* last = item.data() + item.size();
    const bool is_number = colon != std::string::npos && [&] {
      const auto result = std::from_chars(item.data() + colon + 1, last, value);
      return result.ec == std::errc() && result.ptr == last;
    }();
    if (!limit || !is_number || !(value > 0))
      throw Error(ErrorCode::kUsage, "goodput: can't read \"" + item + "\"",
                  "write limits in milliseconds, such as ttft:2000 tpot:80; "
                  "known are ttft, ttfo, tpot and e2el");
    if (*limit) throw Error(ErrorCode::kUsage, "goodput: " + name + " is given twice");
    *limit = value;
    any = true;
  }
  if (!any) throw Error(ErrorCode::kUsage, "goodput: no limit was given");
  return limits;
}

std::optional<ServiceLevel> parse_service_level(std::span<const std::string> words) {
  if (words.empty()) return std::nullopt;
  std::string text;
  for (const std::string& word : words) text += word + " ";
  return parse_service_level(text);
}

std::string service_level_words(const ServiceLevel& limits) {
  std::string words;
  const auto add = [&](const char* metric, std::optional<double> limit) {
    if (!limit) return;
    char number[32];
    std::snprintf(number, sizeof number, "%g", *limit);
    words += (words.empty() ? "" : ", ") + std::string(metric) + " at most " + number + " ms";
  };
  add("TTFT", limits.ttft_ms);
  add("TTFO", limits.ttfo_ms);
  add("TPOT", limits.tpot_ms);
  add("E2EL", limits.e2el_ms);
  return words;
}

Goodput goodput(std::span<const SampleRecord> samples, const ServiceLevel& limits,
                double duration_seconds) {
  Goodput result;
  const auto meets = [](std::optional<double> value, std::optional<double> limit,
                        double waited_ms = 0) {
    return !limit || (value && waited_ms + *value <= *limit);
  };
  for (const SampleRecord& sample : samples) {
    ++result.requests;
    if (!e2el_ms(sample)) continue;  // never finished
    const bool tpot_good = sample.output_tokens < 2 || meets(tpot_ms(sample), limits.tpot_ms);
    const double waited_ms = sample.timing.issued_ms - sample.timing.scheduled_ms;
    result.good_requests += tpot_good && meets(ttft_ms(sample), limits.ttft_ms, waited_ms) &&
                            meets(ttfo_ms(sample), limits.ttfo_ms, waited_ms) &&
                            meets(e2el_ms(sample), limits.e2el_ms, waited_ms);
  }
  if (duration_seconds > 0)
    result.requests_per_second = static_cast<double>(result.good_requests) / duration_seconds;
  return result;
}

}  // namespace moebench
