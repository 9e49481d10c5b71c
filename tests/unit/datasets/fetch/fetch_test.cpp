#include "datasets/fetch/fetch.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "datasets/fetch/sha256.h"
#include "engine/base/error.h"

namespace moebench {
namespace {

namespace fs = std::filesystem;

/// Serves one body on loopback, with ranges; may hang up early or know nothing.
class Server {
 public:
  explicit Server(std::string body) : body_(std::move(body)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(socket_, 8);
    socklen_t length = sizeof address;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    stop_ = true;
    ::shutdown(socket_, SHUT_RDWR);
    ::close(socket_);
    thread_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/file.jsonl"; }

  std::atomic<std::size_t> hang_up_after{std::string::npos};
  std::atomic<bool> ranges{true}, missing{false};
  std::atomic<std::size_t> last_offset{0};

 private:
  void serve() {
    while (!stop_) {
      const int client = ::accept(socket_, nullptr, nullptr);
      if (client < 0) return;
      std::string request;
      char piece[1024];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t got = ::recv(client, piece, sizeof piece, 0);
        if (got <= 0) break;
        request.append(piece, static_cast<std::size_t>(got));
      }
      std::size_t offset = 0;
      if (const std::size_t at = request.find("Range: bytes="); at != std::string::npos && ranges) {
        offset = std::stoul(request.substr(at + 13));
      }
      last_offset = offset;
      std::string reply;
      if (missing) {
        reply = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      } else if (offset >= body_.size()) {
        reply =
            "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      } else {
        const std::string rest = body_.substr(offset);
        reply = offset > 0 ? "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " +
                                 std::to_string(offset) + "-" + std::to_string(body_.size() - 1) +
                                 "/" + std::to_string(body_.size()) + "\r\n"
                           : std::string("HTTP/1.1 200 OK\r\n");
        reply += "Content-Length: " + std::to_string(rest.size()) +
                 "\r\nConnection: close\r\n\r\n" + rest.substr(0, hang_up_after);
      }
      ::send(client, reply.data(), reply.size(), MSG_NOSIGNAL);
      ::shutdown(client, SHUT_RDWR);
      ::close(client);
    }
  }

  std::string body_;
  int socket_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

class FetchTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("moebench_fetch_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    for (int i = 0; i < 5000; ++i) body_ += "{\"row\": " + std::to_string(i) + "}\n";
    request_.target = folder_ / "sub" / "file.jsonl";
    request_.sha256 = sha256_hex(body_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string content() const {
    std::ostringstream bytes;
    bytes << std::ifstream(request_.target, std::ios::binary).rdbuf();
    return bytes.str();
  }
  fs::path folder_;
  std::string body_;
  FetchRequest request_;
};

TEST_F(FetchTest, DownloadsVerifiesAndThenLeavesTheFileAlone) {
  Server server(body_);
  request_.url = server.url();
  EXPECT_FALSE(fetch_file(request_).already_there);
  EXPECT_EQ(content(), body_);
  EXPECT_TRUE(fetch_file(request_).already_there);
}

TEST_F(FetchTest, GoesOnWhereItWasInterrupted) {
  Server server(body_);
  request_.url = server.url();
  server.hang_up_after = 10000;
  EXPECT_THROW(fetch_file(request_), Error);
  EXPECT_FALSE(fs::exists(request_.target)) << "half a file must not look like the file";
  server.hang_up_after = std::string::npos;
  const FetchResult result = fetch_file(request_);
  EXPECT_EQ(result.resumed_bytes, 10000);
  EXPECT_EQ(server.last_offset, 10000u);
  EXPECT_EQ(content(), body_);
}

TEST_F(FetchTest, BeginsAgainWhereTheServerKnowsNoRanges) {
  Server server(body_);
  request_.url = server.url();
  server.hang_up_after = 10000;
  EXPECT_THROW(fetch_file(request_), Error);
  server.hang_up_after = std::string::npos;
  server.ranges = false;
  EXPECT_EQ(fetch_file(request_).resumed_bytes, 0);
  EXPECT_EQ(content(), body_);
}

TEST_F(FetchTest, KeepsNothingThatHasAnotherSum) {
  Server server(body_ + "tampered");
  request_.url = server.url();
  try {
    fetch_file(request_);
    FAIL() << "another sum must be refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kConfiguration);
    EXPECT_NE(std::string(error.what()).find(request_.sha256), std::string::npos) << error.what();
  }
  EXPECT_FALSE(fs::exists(request_.target));
  EXPECT_FALSE(fs::exists(request_.target.string() + ".part"));
}

TEST_F(FetchTest, ReportsAMissingFileAndOverwritesNothing) {
  Server server(body_);
  server.missing = true;
  request_.url = server.url();
  EXPECT_THROW(fetch_file(request_), Error);
  fs::create_directories(request_.target.parent_path());
  std::ofstream(request_.target) << "mine";
  EXPECT_THROW(fetch_file(request_), Error);
  EXPECT_EQ(content(), "mine");
}

}  // namespace
}  // namespace moebench
