#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace moebench {

/// Cuts a stream of server-sent events into the payloads of its `data:` lines, however the bytes
/// are split. Other fields, comments and blank lines are skipped; CR LF and LF both end a line.
class SseParser {
 public:
  explicit SseParser(std::size_t max_line_bytes) : max_line_bytes_(max_line_bytes) {}

  /// Appends the payloads that the bytes completed. False: a line is longer than it may be, and
  /// nothing more is read.
  bool feed(std::string_view bytes, std::vector<std::string>& payloads);

 private:
  std::size_t max_line_bytes_;
  std::string line_;  // the unfinished one
  bool broken_ = false;
};

}  // namespace moebench
