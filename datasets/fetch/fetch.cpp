#include "datasets/fetch/fetch.h"

#include <curl/curl.h>

#include <cstdio>
#include <memory>
#include <mutex>
#include <system_error>

#include "datasets/fetch/sha256.h"
#include "engine/base/error.h"

namespace moebench {
namespace {

namespace fs = std::filesystem;

constexpr curl_off_t kMaxBytes = curl_off_t{1} << 33;

struct Handle {
  CURL* curl = curl_easy_init();
  ~Handle() { curl_easy_cleanup(curl); }
};

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

struct Transfer {
  std::FILE* file = nullptr;
  std::int64_t resumed = 0;
  bool disk_failed = false;
  const FetchRequest* request = nullptr;
};

std::size_t on_data(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t written = std::fwrite(data, size, count, transfer.file);
  transfer.disk_failed = written != count;
  return written * size;
}

int on_progress(void* user, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t) {
  const auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.request->progress) {
    transfer.request->progress(transfer.resumed + now, total > 0 ? transfer.resumed + total : 0);
  }
  return 0;
}

}  // namespace

FetchResult fetch_file(const FetchRequest& request) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  FetchResult result;
  if (fs::exists(request.target)) {
    result.sha256 = sha256_of_file(request.target);
    if (request.sha256.empty() || result.sha256 == request.sha256) {
      result.already_there = true;
      result.bytes = static_cast<std::int64_t>(fs::file_size(request.target));
      return result;
    }
    throw Error(ErrorCode::kConfiguration,
                request.target.string() + ": is there already, with sha256 " + result.sha256 +
                    " instead of " + request.sha256,
                "move it away and fetch again; it is not overwritten");
  }
  std::error_code code;
  if (request.target.has_parent_path()) fs::create_directories(request.target.parent_path(), code);
  const fs::path part = request.target.string() + ".part";
  if (fs::exists(part)) result.resumed_bytes = static_cast<std::int64_t>(fs::file_size(part));
  Handle handle;
  Transfer transfer;
  {
    const File file(std::fopen(part.c_str(), "ab"));
    if (!file) {
      throw Error(ErrorCode::kIo, part.string() + ": cannot be written",
                  "name a folder that you may write to (--data DIR)");
    }
    transfer.file = file.get();
    transfer.resumed = result.resumed_bytes;
    transfer.request = &request;
    char message[CURL_ERROR_SIZE] = "";
    CURL* curl = handle.curl;
    curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http,file");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 8L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L);
    curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, kMaxBytes);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "moebench");
    curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE,
                     static_cast<curl_off_t>(result.resumed_bytes));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
    const CURLcode outcome = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    const bool flushed = std::fflush(file.get()) == 0;
    // 416: the part is the whole file already.
    const bool complete_before = status == 416 && result.resumed_bytes > 0;
    if (transfer.disk_failed || !flushed) {
      throw Error(ErrorCode::kIo, part.string() + ": writing failed",
                  "free some disk space; the next attempt goes on from here");
    }
    if (outcome == CURLE_RANGE_ERROR && result.resumed_bytes > 0) {
      fs::remove(part, code);  // the server has no ranges: from the beginning, then
      return fetch_file(request);
    }
    if (outcome != CURLE_OK && !complete_before) {
      throw Error(
          ErrorCode::kIo, request.url + ": " + (message[0] ? message : curl_easy_strerror(outcome)),
          status >= 400 ? "the file is not there any more: get it elsewhere and put it at " +
                              request.target.string()
                        : "run the same command again to go on, or put the file at " +
                              request.target.string() + " yourself");
    }
  }
  result.resumed_bytes = transfer.resumed;
  result.bytes = static_cast<std::int64_t>(fs::file_size(part));
  result.sha256 = sha256_of_file(part);
  if (!request.sha256.empty() && result.sha256 != request.sha256) {
    fs::remove(part, code);
    throw Error(ErrorCode::kConfiguration,
                request.url + ": what was downloaded has sha256 " + result.sha256 + ", expected " +
                    request.sha256,
                "the upstream file changed or was tampered with; it was not kept");
  }
  fs::rename(part, request.target, code);
  if (code) throw Error(ErrorCode::kIo, request.target.string() + ": " + code.message());
  return result;
}

}  // namespace moebench
