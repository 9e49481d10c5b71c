#include "harness/clients/openai_sse.h"

#include <algorithm>

namespace moebench {

bool SseParser::feed(std::string_view bytes, std::vector<std::string>& payloads) {
  while (!broken_ && !bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    if (line_.size() + end > max_line_bytes_) {
      broken_ = true;
      line_ = {};
      break;
    }
    line_.append(bytes.substr(0, end));
    if (end == bytes.size()) break;
    bytes.remove_prefix(end + 1);
    std::string_view line = line_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("data:")) {
      line.remove_prefix(5);
      if (line.starts_with(' ')) line.remove_prefix(1);
      payloads.emplace_back(line);
    }
    line_.clear();
  }
  return !broken_;
}

}  // namespace moebench
