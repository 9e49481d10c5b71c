#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace moebench {

struct FetchRequest {
  std::string url;               ///< https, http or file
  std::filesystem::path target;  ///< written only when whole and verified; its folder is made
  std::string sha256;            ///< lower-case hex; empty: anything is accepted
  /// Called now and then with the bytes so far and in all (0: unknown). May be empty.
  std::function<void(std::int64_t done_bytes, std::int64_t total_bytes)> progress;
};

struct FetchResult {
  bool already_there = false;      ///< the target was there and is right; nothing was downloaded
  std::int64_t resumed_bytes = 0;  ///< taken from an earlier attempt's ".part" file
  std::int64_t bytes = 0;
  std::string sha256;
};

/// Downloads a file. What an interrupted download left in "<target>.part" is continued where the
/// server allows it. Throws Error(kIo) on a network failure (what came stays for the next attempt)
/// and Error(kConfiguration) when the sum is not the expected one (what came is deleted).
FetchResult fetch_file(const FetchRequest& request);

}  // namespace moebench
