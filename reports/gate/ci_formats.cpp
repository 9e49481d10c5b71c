#include "reports/gate/ci_formats.h"

#include <algorithm>

#include "reports/render/cells.h"

namespace moebench {
namespace {

// XML 1.0 has no place for control characters, not even escaped; what isn't UTF-8 can't get here
// but from a program's own output.
std::string xml_text(const std::string& text) {
  constexpr const char* kReplacement = "\xef\xbf\xbd";
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    std::size_t length = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
    bool valid = length > 0 && c < 0xf5 && i + length <= text.size();
    for (std::size_t j = 1; valid && j < length; ++j)
      valid = (static_cast<unsigned char>(text[i + j]) & 0xc0) == 0x80;
    if (valid && length == 1) {
      if (c == '&') {
        out += "&amp;";
      } else if (c == '<') {
        out += "&lt;";
      } else if (c == '>') {
        out += "&gt;";
      } else if (c == '"') {
        out += "&quot;";
      } else if (c == '\n' || c == '\t') {
        out += c == '\n' ? "&#10;" : "&#9;";
      } else if (c < 0x20 || c == 0x7f) {
        out += kReplacement;
      } else {
        out += text[i];
      }
    } else if (valid) {
      out += text.substr(i, length);
    } else {
      out += kReplacement;
      length = 1;
    }
    i += length;
  }
  return out;
}

// GitHub's escapes for the message and, with commas and colons, for a property.
std::string command_text(const std::string& text, bool property) {
  std::string out;
  for (const char c : text) {
    if (c == '%')
      out += "%25";
    else if (c == '\r')
      out += "%0D";
    else if (c == '\n')
      out += "%0A";
    else if (property && c == ':')
      out += "%3A";
    else if (property && c == ',')
      out += "%2C";
    else
      out += c;
  }
  return out;
}

std::string command(const char* kind, const std::string& title, const std::string& message) {
  return std::string("::") + kind + " title=" + command_text(title, true) +
         "::" + command_text(message, false) + "\n";
}

}  // namespace

std::string render_junit(const GateResult& result) {
  const std::vector<GateCheck> checks = gate_checks(result);
  const auto count = [&](GateVerdict verdict) {
    return std::to_string(std::count_if(checks.begin(), checks.end(), [&](const GateCheck& check) {
      return check.verdict == verdict;
    }));
  };
  const std::string failures = count(GateVerdict::kFail);
  const std::string skipped = count(GateVerdict::kInconclusive);
  const std::string seconds = format_fixed(result.seconds, 3);
  std::string plain_seconds;  // no thousands separators in a number for machines
  for (const char c : seconds)
    if (c != ',') plain_seconds += c;
  const std::string totals = " tests=\"" + std::to_string(checks.size()) + "\" failures=\"" +
                             failures + "\" errors=\"0\" time=\"" + plain_seconds + "\"";
  std::string xml =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"moebench gate\"" + totals +
      ">\n  <testsuite name=\"moebench gate\"" + totals + " skipped=\"" + skipped + "\">\n";
  for (const GateCheck& check : checks) {
    xml += "    <testcase classname=\"moebench.gate." + xml_text(check.group) + "\" name=\"" +
           xml_text(check.name) + "\" time=\"0\"";
    const std::string because = xml_text(check.because);
    if (check.verdict == GateVerdict::kFail)
      xml += ">\n      <failure message=\"" + because + "\" type=\"gate\">" + because +
             "</failure>\n    </testcase>\n";
    else if (check.verdict == GateVerdict::kInconclusive)
      xml += ">\n      <skipped message=\"inconclusive: " + because + "\"/>\n    </testcase>\n";
    else
      xml += ">\n      <system-out>" + because + "</system-out>\n    </testcase>\n";
  }
  return xml + "  </testsuite>\n</testsuites>\n";
}

std::string render_github_annotations(const GateResult& result) {
  std::string text;
  for (const GateCheck& check : gate_checks(result)) {
    const std::string title = "moebench gate: " + check.name;
    if (check.verdict == GateVerdict::kFail)
      text += command("error", title, check.because);
    else if (check.verdict == GateVerdict::kInconclusive && check.required)
      text += command("warning", title, "inconclusive: " + check.because);
  }
  return text + command("notice", "moebench gate", gate_headline(result));
}

}  // namespace moebench
