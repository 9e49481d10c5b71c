#include "harness/clients/openai_transfers.h"

#include <curl/curl.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "engine/base/check.h"

namespace moebench {

namespace {

constexpr long kConnectMilliseconds = 15'000;
constexpr std::size_t kMaxHeaderBytes = 64 << 10;

bool is_on_this_machine(std::string_view url) {
  const std::size_t scheme = url.find("//");
  const std::string_view host = scheme == url.npos ? url : url.substr(scheme + 2);
  for (const std::string_view own : {"127.0.0.1", "localhost", "[::1]"}) {
    if (!host.starts_with(own)) continue;
    const std::string_view rest = host.substr(own.size());
    if (rest.empty() || rest.front() == ':' || rest.front() == '/') return true;
  }
  return false;
}

}  // namespace

struct HttpTransfers::Transfer {
  std::uint64_t id = 0;
  HttpCall call;
  CURL* curl = nullptr;
  curl_slist* headers = nullptr;
  std::size_t header_bytes = 0;
  std::size_t sent_bytes = 0;  // of the body
  int resent = 0;
  bool refused = false;  // by on_data
  char error[CURL_ERROR_SIZE] = {};

  ~Transfer() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
  }
};

struct HttpTransfers::Impl {
  CURLM* multi = nullptr;
  std::string ca_file;
  std::map<std::uint64_t, std::unique_ptr<Transfer>> transfers;

  static std::size_t on_data(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    long status = 0;
    curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &status);
    const std::string_view bytes(data, size * count);
    if (transfer.call.on_data && !transfer.call.on_data(static_cast<int>(status), bytes)) {
      transfer.refused = true;
      return 0;
    }
    return bytes.size();
  }

  static std::size_t on_header(char*, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    transfer.header_bytes += size * count;
    return transfer.header_bytes > kMaxHeaderBytes ? 0 : size * count;
  }

  static std::size_t on_send(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    const std::size_t n = transfer.call.body.copy(data, size * count, transfer.sent_bytes);
    transfer.sent_bytes += n;
    return n;
  }

  // libcurl sends a request again by itself when a kept connection turns out to be closed.
  static int on_rewind(void* user, curl_off_t offset, int origin) {
    auto& transfer = *static_cast<Transfer*>(user);
    if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    transfer.sent_bytes = 0;
    ++transfer.resent;
    return CURL_SEEKFUNC_OK;
  }

  void drop(std::uint64_t id) {
    const auto found = transfers.find(id);
    if (found == transfers.end()) return;
    curl_multi_remove_handle(multi, found->second->curl);
    transfers.erase(found);
  }
};

HttpTransfers::HttpTransfers(std::string ca_file) : impl_(std::make_unique<Impl>()) {
  impl_->ca_file = std::move(ca_file);
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  impl_->multi = curl_multi_init();
  MOEBENCH_CHECK(impl_->multi != nullptr);
}

HttpTransfers::~HttpTransfers() {
  while (!impl_->transfers.empty()) impl_->drop(impl_->transfers.begin()->first);
  curl_multi_cleanup(impl_->multi);
}

void HttpTransfers::start(std::uint64_t id, HttpCall call) {
  auto transfer = std::make_unique<Transfer>();
  transfer->id = id;
  transfer->call = std::move(call);
  CURL* curl = transfer->curl = curl_easy_init();
  MOEBENCH_CHECK(curl != nullptr);
  const HttpCall& c = transfer->call;
  const auto header = [&](const std::string& line) {
    transfer->headers = curl_slist_append(transfer->headers, line.c_str());
  };
  curl_easy_setopt(curl, CURLOPT_URL, c.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!impl_->ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, impl_->ca_file.c_str());
    curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr);  // these certificates, and none besides
  }
  if (is_on_this_machine(c.url)) curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kConnectMilliseconds);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(c.limit.count()));
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->error);
  curl_easy_setopt(curl, CURLOPT_PRIVATE, transfer.get());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Impl::on_data);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer.get());
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &Impl::on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer.get());
  if (!c.body.empty()) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(c.body.size()));
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, &Impl::on_send);
    curl_easy_setopt(curl, CURLOPT_READDATA, transfer.get());
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, &Impl::on_rewind);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, transfer.get());
    header("Content-Type: application/json");
    header("Expect:");
  }
  if (!c.api_key.empty()) header("Authorization: Bearer " + c.api_key);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, transfer->headers);
  curl_multi_add_handle(impl_->multi, curl);
  MOEBENCH_CHECK(impl_->transfers.emplace(id, std::move(transfer)).second);
}

void HttpTransfers::abort(std::uint64_t id) { impl_->drop(id); }

void HttpTransfers::wake() { curl_multi_wakeup(impl_->multi); }

std::vector<HttpEnd> HttpTransfers::poll(std::chrono::milliseconds timeout) {
  int running = 0, left = 0;
  curl_multi_perform(impl_->multi, &running);
  std::vector<HttpEnd> ends;
  const auto collect = [&] {
    while (CURLMsg* message = curl_multi_info_read(impl_->multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      void* user = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user);
      const auto& transfer = *static_cast<Transfer*>(user);
      HttpEnd end;
      end.id = transfer.id;
      long status = 0;
      curl_off_t retry_after = 0;
      curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &status);
      curl_easy_getinfo(transfer.curl, CURLINFO_RETRY_AFTER, &retry_after);
      end.status = static_cast<int>(status);
      end.resent = transfer.resent;
      if (retry_after > 0) end.retry_after = std::chrono::seconds(retry_after);
      if (code != CURLE_OK && !transfer.refused) {
        end.failure = transfer.error[0] != '\0' ? transfer.error : curl_easy_strerror(code);
        end.timed_out = code == CURLE_OPERATION_TIMEDOUT;
      }
      ends.push_back(end);
      impl_->drop(end.id);
    }
  };
  collect();
  if (!ends.empty()) return ends;
  curl_multi_poll(impl_->multi, nullptr, 0, static_cast<int>(timeout.count()), nullptr);
  curl_multi_perform(impl_->multi, &running);
  collect();
  return ends;
}

}  // namespace moebench
