#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "reports/render/cells.h"
#include "reports/render/render.h"

namespace moebench {
namespace {

using Json = nlohmann::ordered_json;

template <class F>
void for_each_table(const Document& document, F&& call) {
  for (const Section& section : document.sections)
    for (const Block& block : section.blocks) {
      if (const auto* table = std::get_if<Table>(&block)) call(*table);
      if (const auto* figure = std::get_if<Figure>(&block)) call(figure->table);
    }
}

// RFC 4180; a leading =, +, - or @ of a text is kept from being run as a formula by a spreadsheet.
std::string csv_field(const std::string& text) {
  const bool formula = !text.empty() && std::string("=+-@\t\r").find(text[0]) != std::string::npos;
  if (!formula && text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string out = formula ? "\"'" : "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string csv_number(double value) {
  if (std::isnan(value)) return "";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value);  // shortest exact
  return std::string(buffer, end.ptr);
}

Json json_number(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? Json() : Json(value > 0 ? "inf" : "-inf");
}

Json json_cell(const Cell& cell) {
  if (!cell.value) return cell.text;
  if (!cell.interval && !cell.provenance) return json_number(*cell.value);
  Json out;
  out["value"] = json_number(*cell.value);
  if (cell.interval) {
    out["low"] = json_number(cell.interval->low);
    out["high"] = json_number(cell.interval->high);
  }
  if (cell.provenance) out["provenance"] = to_string(*cell.provenance);
  return out;
}

bool is_absent(const Cell& cell) { return !cell.value && cell.text == kUnknownText; }

Json json_row(const Table& table, const std::vector<Cell>& row) {
  Json line = Json::object();
  for (std::size_t c = 0; c < row.size(); ++c)
    line[table.columns[c].key] = is_absent(row[c]) ? Json() : json_cell(row[c]);
  return line;
}

}  // namespace

std::string table_csv(const Table& table) {
  std::string out;
  for (std::size_t c = 0; c < table.columns.size(); ++c)
    out += (c > 0 ? "," : "") + csv_field(table.columns[c].key);
  out += "\n";
  for (const auto& row : table.rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      const Cell& cell = row[c];
      out += (c > 0 ? "," : "") + (cell.value        ? csv_number(*cell.value)
                                   : is_absent(cell) ? std::string()
                                                     : csv_field(cell.text));
    }
    out += "\n";
  }
  return out;
}

std::string table_json(const Table& table) {
  Json out = Json::array();
  for (const auto& row : table.rows) out.push_back(json_row(table, row));
  return out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string table_json_lines(const Table& table) {
  std::string out;
  for (const auto& row : table.rows)
    out += json_row(table, row).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return out;
}

std::string render_csv(const Document& document) {
  std::string out = "table,row,column,unit,value,low,high,text,provenance\n";
  for_each_table(document, [&](const Table& table) {
    for (const auto& row : table.rows) {
      // A row is named by its text cells: "gsm8k / level 3".
      std::string name;
      for (std::size_t c = 0; c < row.size(); ++c)
        if (!table.columns[c].numeric && !row[c].value && !row[c].text.empty())
          name += (name.empty() ? "" : " / ") + row[c].text;
      for (std::size_t c = 0; c < row.size(); ++c) {
        const Cell& cell = row[c];
        if (!cell.value) continue;
        out += csv_field(table.id) + "," + csv_field(name) + "," + csv_field(table.columns[c].key) +
               "," + csv_field(table.columns[c].unit) + "," + csv_number(*cell.value) + "," +
               (cell.interval ? csv_number(cell.interval->low) : "") + "," +
               (cell.interval ? csv_number(cell.interval->high) : "") + "," + csv_field(cell.text) +
               "," + to_string(cell.provenance.value_or(table.provenance)) + "\n";
      }
    }
  });
  return out;
}

std::string render_json(const Document& document) {
  Json out;
  out["title"] = document.title;
  out["subtitle"] = document.subtitle;
  out["tables"] = Json::array();
  for_each_table(document, [&](const Table& table) {
    Json& to = out["tables"].emplace_back();
    to["id"] = table.id;
    to["caption"] = table.caption;
    to["provenance"] = to_string(table.provenance);
    if (!table.note.empty()) to["note"] = table.note;
    to["columns"] = Json::array();
    for (const Column& column : table.columns)
      to["columns"].push_back(
          {{"key", column.key}, {"title", column.title}, {"unit", column.unit}});
    to["rows"] = Json::array();
    for (const auto& row : table.rows) {
      Json& line = to["rows"].emplace_back(Json::object());
      for (std::size_t c = 0; c < row.size(); ++c) line[table.columns[c].key] = json_cell(row[c]);
    }
  });
  for (const Section& section : document.sections)
    for (const Block& block : section.blocks)
      if (const auto* paragraph = std::get_if<Paragraph>(&block))
        out["notes"].push_back(paragraph->text);
  return out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace moebench
