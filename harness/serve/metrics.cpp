#include "harness/serve/metrics.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "harness/clients/engine_client.h"

namespace moebench {

namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::string head(const std::string& name, const std::string& type, const std::string& help) {
  return "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

std::string metric(const std::string& name, const std::string& type, const std::string& help,
                   std::int64_t value) {
  return head(name, type, help) + name + " " + std::to_string(value) + "\n";
}

std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace

void SecondsHistogram::add(double seconds) {
  const auto place = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  const std::lock_guard lock(mutex_);
  ++counts_[static_cast<std::size_t>(place - kBounds.begin())];
  sum_ += seconds;
}

std::string SecondsHistogram::to_text(const std::string& name, const std::string& help) const {
  const std::lock_guard lock(mutex_);
  std::string text = head(name, "histogram", help);
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    sum += counts_[i];
    const std::string bound = i < kBounds.size() ? number(kBounds[i]) : "+Inf";
    text += name + "_bucket{le=\"" + bound + "\"} " + std::to_string(sum) + "\n";
  }
  return text + name + "_sum " + number(sum_) + "\n" + name + "_count " + std::to_string(sum) +
         "\n";
}

void Metrics::count_response(const std::string& path, int status) {
  const std::lock_guard lock(mutex_);
  ++responses_[{path, status}];
}

std::string Metrics::to_text(const EngineInfo& engine) const {
  std::string text;
  const auto gauge = [&](const char* name, const char* help, std::int64_t value) {
    text += metric(name, "gauge", help, value);
  };
  const auto counter = [&](const char* name, const char* help, std::int64_t value) {
    text += metric(name, "counter", help, value);
  };
  gauge("moebench_requests_running", "Choices that generate.", running);
  gauge("moebench_requests_waiting", "Choices before their first token.", waiting);
  gauge("moebench_connections", "Open connections.", connections);
  counter("moebench_prompt_tokens_total", "Prompt tokens of ended choices.", prompt_tokens);
  counter("moebench_cached_tokens_total", "Of these, found in the prefix cache.", cached_tokens);
  counter("moebench_output_tokens_total", "Generated tokens.", output_tokens);
  counter("moebench_steps_total", "Forward passes.", steps);
  counter("moebench_step_rows_total", "Tokens computed by them.", step_rows);
  text += head("moebench_step_seconds_total", "counter", "Time in forward passes.") +
          "moebench_step_seconds_total " +
          number(static_cast<double>(step_seconds_micro.load()) * 1e-6) + "\n";
  counter("moebench_client_disconnects_total", "Requests whose client left before their end.",
          disconnects);
  text += head("moebench_requests_ended_total", "counter", "Choices by how they ended.");
  for (const FinishReason reason :
       {FinishReason::kEos, FinishReason::kStopString, FinishReason::kLength,
        FinishReason::kContext, FinishReason::kCancelled, FinishReason::kFailed}) {
    text += "moebench_requests_ended_total{finish=\"" + finish_name(reason) + "\"} " +
            std::to_string(finished[static_cast<std::size_t>(reason)].load()) + "\n";
  }
  text += head("moebench_http_responses_total", "counter", "Responses by path and status.");
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, count] : responses_) {
      text += "moebench_http_responses_total{path=\"" + key.first + "\",status=\"" +
              std::to_string(key.second) + "\"} " + std::to_string(count) + "\n";
    }
  }
  text += first_token_seconds.to_text("moebench_time_to_first_token_seconds",
                                      "From submission to the step that made the first token.");
  text += request_seconds.to_text("moebench_request_seconds",
                                  "From submission to the step that made the last token.");
  gauge("moebench_kv_cache_tokens", "Tokens that the KV cache holds.", engine.kv_cache_tokens);
  gauge("process_resident_memory_bytes", "Resident memory.", resident_bytes());
  return text;
}

}  // namespace moebench
