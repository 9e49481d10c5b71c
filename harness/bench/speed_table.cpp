#include "harness/bench/speed_table.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "harness/environment/environment.h"

namespace moebench {

namespace {

using Json = nlohmann::ordered_json;

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string or_dash(double value, double unit) { return value > 0 ? fixed(value / unit, 1) : "-"; }

double lowest(const SpeedRow& row) {
  return *std::min_element(row.tokens_per_second.begin(), row.tokens_per_second.end());
}

double highest(const SpeedRow& row) {
  return *std::max_element(row.tokens_per_second.begin(), row.tokens_per_second.end());
}

std::vector<std::string> header() {
  return {"model", "size MiB", "params M", "active M", "weights",      "device", "threads",
          "test",  "tokens/s", "min",      "max",      "weights GB/s", "GFLOP/s"};
}

std::vector<std::string> cells(const EngineInfo& engine, const SpeedRow& row) {
  return {engine.model_name,
          fixed(static_cast<double>(engine.weight_bytes) / (1 << 20), 1),
          fixed(static_cast<double>(engine.total_parameters) / 1e6, 1),
          fixed(static_cast<double>(engine.active_parameters) / 1e6, 1),
          engine.weight_types,
          engine.device + (engine.isa.empty() ? "" : " " + engine.isa),
          std::to_string(engine.threads),
          row.test,
          fixed(median(row.tokens_per_second), 2),
          fixed(lowest(row), 2),
          fixed(highest(row), 2),
          or_dash(row.weight_bytes_per_second, 1e9),
          or_dash(row.flops_per_second, 1e9)};
}

std::string markdown(const EngineInfo& engine, const std::vector<SpeedRow>& rows) {
  std::vector<std::vector<std::string>> lines = {header()};
  for (const SpeedRow& row : rows) lines.push_back(cells(engine, row));
  std::vector<std::size_t> widths(lines[0].size(), 0);
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  constexpr std::size_t kFirstNumber = 8;  // "tokens/s" and what follows stand right
  const auto is_number = [](std::size_t column) {
    return column >= kFirstNumber || (column >= 1 && column <= 3) || column == 6;
  };
  std::string text;
  for (std::size_t l = 0; l < lines.size(); ++l) {
    text += "|";
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string pad(widths[i] - lines[l][i].size(), ' ');
      text += " " + (is_number(i) ? pad + lines[l][i] : lines[l][i] + pad) + " |";
    }
    text += "\n";
    if (l > 0) continue;
    text += "|";
    for (std::size_t i = 0; i < widths.size(); ++i) {
      text += " " + std::string(widths[i] - 1, '-') + (is_number(i) ? ":" : "-") + " |";
    }
    text += "\n";
  }
  return text;
}

std::string csv(const EngineInfo& engine, const std::vector<SpeedRow>& rows) {
  const auto line = [](const std::vector<std::string>& values) {
    std::string text;
    for (const std::string& value : values) {
      std::string quoted = value;
      for (std::size_t at = 0; (at = quoted.find('"', at)) != std::string::npos; at += 2) {
        quoted.insert(at, 1, '"');
      }
      text += (text.empty() ? "\"" : ",\"") + quoted + "\"";
    }
    return text + "\n";
  };
  std::string text = line(header());
  for (const SpeedRow& row : rows) text += line(cells(engine, row));
  return text;
}

Json json_row(const ClientInfo& client, const SpeedRow& row) {
  const EngineInfo& engine = client.engine;
  const BuildRecord build = build_record();
  return {{"model", engine.model_name},
          {"model_sha256", engine.model_sha256},
          {"family", engine.family},
          {"weights", engine.weight_types},
          {"weight_bytes", engine.weight_bytes},
          {"total_parameters", engine.total_parameters},
          {"active_parameters", engine.active_parameters},
          {"engine", client.engine_name},
          {"commit", build.commit},
          {"device", engine.device},
          {"isa", engine.isa},
          {"threads", engine.threads},
          {"kv_cache_type", engine.kv_cache_type},
          {"test", row.test},
          {"batch", row.batch},
          {"prompt_tokens", row.prompt_tokens},
          {"generate_tokens", row.generate_tokens},
          {"tokens_per_second_median", median(row.tokens_per_second)},
          {"tokens_per_second_min", lowest(row)},
          {"tokens_per_second_max", highest(row)},
          {"tokens_per_second", row.tokens_per_second},
          {"weight_bytes_per_second", row.weight_bytes_per_second},
          {"flops_per_second", row.flops_per_second},
          {"kind", "measured"}};
}

}  // namespace

TableFormat parse_table_format(const std::string& name) {
  if (name == "md") return TableFormat::kMarkdown;
  if (name == "csv") return TableFormat::kCsv;
  if (name == "json") return TableFormat::kJson;
  if (name == "jsonl") return TableFormat::kJsonLines;
  throw Error(ErrorCode::kUsage, "--output: there is no format '" + name + "'",
              "md, csv, json or jsonl");
}

std::string speed_table(const ClientInfo& client, const std::vector<SpeedRow>& rows,
                        TableFormat format) {
  switch (format) {
    case TableFormat::kMarkdown:
      return markdown(client.engine, rows);
    case TableFormat::kCsv:
      return csv(client.engine, rows);
    case TableFormat::kJson: {
      Json all = Json::array();
      for (const SpeedRow& row : rows) all.push_back(json_row(client, row));
      return all.dump(1) + "\n";
    }
    case TableFormat::kJsonLines: {
      std::string text;
      for (const SpeedRow& row : rows) text += json_row(client, row).dump() + "\n";
      return text;
    }
  }
  return {};
}

}  // namespace moebench
