#include "harness/serve/http_server.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <csignal>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "engine/base/error.h"

namespace moebench {

namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Tcp = net::ip::tcp;
using ErrorCodeOf = boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kMaxHeaderBytes = 16 << 10;
constexpr std::chrono::seconds kDiscardLimit{5};

net::ip::address address_of(const std::string& host) {
  ErrorCodeOf error;
  const auto address = net::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error) {
    throw Error(ErrorCode::kUsage, "'" + host + "' is no address",
                "an IPv4 or IPv6 address of this machine, or localhost");
  }
  return address;
}

HttpAnswer too_large(bool body) {
  return error_answer({body ? 413 : 431, "invalid_request_error",
                       std::string("the request's ") + (body ? "body" : "header") +
                           " is larger than this server takes",
                       "", "too_large"});
}

HttpAnswer given_up(bool stopped) {
  return error_answer(
      {stopped ? 503 : 504, "server_error",
       stopped ? "the server is shutting down" : "the request took longer than it may", "",
       stopped ? "shutting_down" : "timeout"});
}

// Lets a coroutine wait for what other threads and handlers tell it. All members are used on the
// server's thread.
struct Wake {
  explicit Wake(const net::any_io_executor& executor) : timer(executor) {}
  net::steady_timer timer;
  bool pending = false;
  bool client_gone = false;
  bool stopped = false;  // by the server

  void notify() {
    pending = true;
    timer.cancel();
  }
};

class Server;

// One connection. Lives in its coroutine.
class Connection {
 public:
  Connection(Server& server, Tcp::socket socket);
  ~Connection();

  net::awaitable<void> run();
  void stop(bool at_once);

 private:
  net::awaitable<bool> exchange();
  net::awaitable<void> discard_input();
  net::awaitable<bool> respond(HttpAnswer answer);
  net::awaitable<bool> follow(Generation& generation, Clock::time_point deadline);
  net::awaitable<bool> stream(Generation& generation, Clock::time_point deadline);
  net::awaitable<void> wait(Clock::time_point until);
  net::awaitable<bool> write(const std::string& bytes);
  void watch_client();

  Server& server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::shared_ptr<Wake> wake_;
  std::string page_ = "other";
  unsigned version_ = 11;
  bool keep_alive_ = false, head_ = false;
  bool idle_ = false;
  bool unread_ = false;  // the client may still be sending what nobody wants
};

class Server {
 public:
  Server(Service& the_service, const HttpServerOptions& the_options)
      : service(the_service),
        options(the_options),
        context(1),
        acceptor_(context),
        signals_(context),
        deadline_(context) {}

  void run(const std::function<void(std::uint16_t)>& listening);
  void forget(Connection* connection);
  bool stopping() const { return stopping_; }

  Service& service;
  const HttpServerOptions& options;
  std::set<Connection*> connections;  // before the context, whose end may end some
  net::io_context context;

 private:
  void listen();
  net::awaitable<void> accept();
  void await_signal();
  void stop();

  Tcp::acceptor acceptor_;
  net::signal_set signals_;
  net::steady_timer deadline_;
  bool stopping_ = false;
};

Connection::Connection(Server& server, Tcp::socket socket)
    : server_(server),
      stream_(std::move(socket)),
      buffer_(kMaxHeaderBytes + static_cast<std::size_t>(server.options.max_body_bytes)),
      wake_(std::make_shared<Wake>(stream_.get_executor())) {
  server_.connections.insert(this);
  ++server_.service.metrics().connections;
}

Connection::~Connection() {
  --server_.service.metrics().connections;
  server_.forget(this);
}

// Ends an idle connection; a busy one when its reply is out, or at once.
void Connection::stop(bool at_once) {
  if (idle_ || at_once) {
    wake_->stopped = true;
    wake_->notify();
    stream_.cancel();
  }
}

net::awaitable<void> Connection::run() {
  ErrorCodeOf error;
  stream_.socket().set_option(Tcp::no_delay(true), error);
  while (!server_.stopping()) {
    const bool go_on = co_await exchange();
    if (!go_on) break;
  }
  stream_.socket().shutdown(Tcp::socket::shutdown_send, error);
  if (unread_) co_await discard_input();
}

// A client that is still sending would lose the answer to the reset that closing at once causes.
net::awaitable<void> Connection::discard_input() {
  ErrorCodeOf error;
  std::vector<char> bytes(64 << 10);
  stream_.expires_after(kDiscardLimit);
  while (!error && !server_.stopping()) {
    co_await stream_.async_read_some(net::buffer(bytes),
                                     net::redirect_error(net::use_awaitable, error));
  }
}

// One request and its reply; false when the connection is to end.
net::awaitable<bool> Connection::exchange() {
  ErrorCodeOf error;
  http::request_parser<http::string_body> parser;
  parser.header_limit(kMaxHeaderBytes);
  parser.body_limit(static_cast<std::uint64_t>(server_.options.max_body_bytes));

  idle_ = true;
  page_ = "other";
  stream_.expires_after(server_.options.idle_limit);
  co_await http::async_read_header(stream_, buffer_, parser,
                                   net::redirect_error(net::use_awaitable, error));
  idle_ = false;
  HttpRequest request;
  if (!error) {
    const auto& message = parser.get();
    version_ = message.version();
    head_ = message.method() == http::verb::head;
    request.method = std::string(message.method_string());
    const std::string target(message.target());
    request.path = target.substr(0, target.find('?'));
    request.authorization = std::string(message[http::field::authorization]);
    request.content_type = std::string(message[http::field::content_type]);
    page_ = server_.service.page(request.path);
    // A stranger's body is not even read.
    std::optional<HttpAnswer> refusal = server_.service.refusal(request);
    if (refusal && !parser.is_done()) {
      unread_ = true;
      keep_alive_ = false;
      HttpAnswer answer = *std::move(refusal);
      co_return co_await respond(std::move(answer));
    }
    stream_.expires_after(server_.options.transfer_limit);
    if (parser.get()[http::field::expect] == "100-continue") {
      const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      co_await net::async_write(stream_, net::buffer(go_on),
                                net::redirect_error(net::use_awaitable, error));
    }
  }
  if (!error) {
    co_await http::async_read(stream_, buffer_, parser,
                              net::redirect_error(net::use_awaitable, error));
  }
  version_ = parser.get().version();
  keep_alive_ = false;
  // Answers are made before they are awaited: g++ 12 destroys temporaries of a co_await twice.
  if (error == http::error::body_limit || error == http::error::header_limit) {
    unread_ = true;
    HttpAnswer answer = too_large(error == http::error::body_limit);
    co_return co_await respond(std::move(answer));
  }
  if (error && error.category() == make_error_code(http::error::bad_method).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    HttpAnswer answer = error_answer(
        {400, "invalid_request_error", "this is no HTTP/1.1 request", "", "bad_request"});
    co_return co_await respond(std::move(answer));
  }
  if (error) co_return false;  // left, or too slow

  keep_alive_ = parser.get().keep_alive();
  request.body = std::move(parser.get().body());
  wake_ = std::make_shared<Wake>(stream_.get_executor());
  const std::weak_ptr<Wake> weak = wake_;
  Service::Outcome outcome =
      server_.service.handle(request, [weak, executor = stream_.get_executor()] {
        net::post(executor, [weak] {
          if (const auto wake = weak.lock()) wake->notify();
        });
      });
  if (auto* answer = std::get_if<HttpAnswer>(&outcome)) {
    co_return co_await respond(std::move(*answer));
  }
  const std::unique_ptr<Generation> generation =
      std::move(std::get<std::unique_ptr<Generation>>(outcome));
  stream_.expires_never();
  co_return co_await follow(*generation, Clock::now() + server_.options.request_limit);
}

net::awaitable<bool> Connection::respond(HttpAnswer answer) {
  server_.service.metrics().count_response(page_, answer.status);
  keep_alive_ = keep_alive_ && !server_.stopping();
  http::response<http::string_body> response(static_cast<http::status>(answer.status), version_);
  response.set(http::field::server, "moebench");
  response.set(http::field::content_type, answer.content_type);
  for (const auto& [name, value] : answer.headers) response.set(name, value);
  response.keep_alive(keep_alive_);
  response.body() = std::move(answer.body);
  response.prepare_payload();
  if (head_) response.body().clear();
  http::response_serializer<http::string_body> serializer(response);
  ErrorCodeOf error;
  stream_.expires_after(server_.options.transfer_limit);
  if (head_) {
    co_await http::async_write_header(stream_, serializer,
                                      net::redirect_error(net::use_awaitable, error));
  } else {
    co_await http::async_write(stream_, serializer, net::redirect_error(net::use_awaitable, error));
  }
  co_return keep_alive_ && !error;
}

net::awaitable<void> Connection::wait(Clock::time_point until) {
  if (!wake_->pending) {
    ErrorCodeOf error;
    wake_->timer.expires_at(until);
    co_await wake_->timer.async_wait(net::redirect_error(net::use_awaitable, error));
  }
  wake_->pending = false;
}

net::awaitable<bool> Connection::write(const std::string& bytes) {
  ErrorCodeOf error;
  stream_.expires_after(server_.options.transfer_limit);
  if (version_ >= 11) {
    co_await net::async_write(stream_, http::make_chunk(net::buffer(bytes)),
                              net::redirect_error(net::use_awaitable, error));
  } else {
    co_await net::async_write(stream_, net::buffer(bytes),
                              net::redirect_error(net::use_awaitable, error));
  }
  stream_.expires_never();
  co_return !error;
}

// Notes when the client closes its side while it waits for the reply. Readable bytes are a next
// request; then whether the client stays shows when its reply is written. The wait is left pending
// at the reply's end: whatever comes next completes it.
void Connection::watch_client() {
  const std::weak_ptr<Wake> weak = wake_;
  Tcp::socket& socket = stream_.socket();
  socket.async_wait(Tcp::socket::wait_read, [weak, &socket](ErrorCodeOf error) {
    const auto wake = weak.lock();  // gone: that request is over, and perhaps the connection
    if (!wake) return;
    char byte = 0;
    if (!error) {
      socket.non_blocking(true, error);
      const std::size_t n = socket.receive(net::buffer(&byte, 1), Tcp::socket::message_peek, error);
      if (n > 0 || error == net::error::would_block) return;
    }
    wake->client_gone = true;
    wake->notify();
  });
}

// Waits for the generation's end, or streams it; false when the connection is to end.
net::awaitable<bool> Connection::follow(Generation& generation, Clock::time_point deadline) {
  watch_client();
  while (!(generation.streams() ? generation.started() : generation.finished())) {
    co_await wait(deadline);
    generation.collect();
    if (wake_->client_gone) {
      ++server_.service.metrics().disconnects;
      co_return false;
    }
    if (wake_->stopped || Clock::now() >= deadline) {
      keep_alive_ = false;
      HttpAnswer answer = given_up(wake_->stopped);
      co_return co_await respond(std::move(answer));
    }
  }
  if (!generation.streams() || generation.refused()) {
    HttpAnswer answer = generation.answer();
    co_return co_await respond(std::move(answer));
  }
  server_.service.metrics().count_response(page_, 200);
  co_return co_await stream(generation, deadline);
}

net::awaitable<bool> Connection::stream(Generation& generation, Clock::time_point deadline) {
  ErrorCodeOf error;
  keep_alive_ = keep_alive_ && version_ >= 11 && !server_.stopping();
  http::response<http::empty_body> response(http::status::ok, version_);
  response.set(http::field::server, "moebench");
  response.set(http::field::content_type, "text/event-stream; charset=utf-8");
  response.set(http::field::cache_control, "no-cache");
  response.keep_alive(keep_alive_);
  if (version_ >= 11) response.chunked(true);
  http::response_serializer<http::empty_body> serializer(response);
  stream_.expires_after(server_.options.transfer_limit);
  co_await http::async_write_header(stream_, serializer,
                                    net::redirect_error(net::use_awaitable, error));
  stream_.expires_never();
  bool open = !error;
  while (open) {
    const std::string bytes = generation.take_stream();
    if (!bytes.empty()) open = co_await write(bytes);
    if (!open || generation.finished()) break;
    co_await wait(deadline);
    generation.collect();
    open = !wake_->client_gone && !wake_->stopped && Clock::now() < deadline;
  }
  if (!open) {
    ++server_.service.metrics().disconnects;
    co_return false;
  }
  if (version_ >= 11) {
    stream_.expires_after(server_.options.transfer_limit);
    co_await net::async_write(stream_, http::make_chunk_last(),
                              net::redirect_error(net::use_awaitable, error));
  }
  co_return keep_alive_ && !error;
}

void Server::listen() {
  const Tcp::endpoint endpoint(address_of(options.host), options.port);
  ErrorCodeOf error;
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(net::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(net::socket_base::max_listen_connections, error);
  if (error) {
    throw Error(ErrorCode::kIo,
                "cannot listen on " + options.host + " port " + std::to_string(options.port) +
                    ": " + error.message(),
                "another --port (0 takes a free one)");
  }
}

// Holds the connection as long as its coroutine runs.
net::awaitable<void> serve(std::unique_ptr<Connection> connection) { co_await connection->run(); }

net::awaitable<void> Server::accept() {
  while (!stopping_) {
    ErrorCodeOf error;
    Tcp::socket socket =
        co_await acceptor_.async_accept(net::redirect_error(net::use_awaitable, error));
    if (stopping_) co_return;
    if (error) {
      // Out of descriptors, as a rule: what is open goes on, and new ones wait in the kernel.
      net::steady_timer pause(context, std::chrono::milliseconds(50));
      co_await pause.async_wait(net::use_awaitable);
      continue;
    }
    if (static_cast<std::int64_t>(connections.size()) >= options.max_connections) continue;
    net::co_spawn(context, serve(std::make_unique<Connection>(*this, std::move(socket))),
                  net::detached);
  }
}

void Server::await_signal() {
  signals_.async_wait([this](ErrorCodeOf error, int) {
    if (error) return;
    if (stopping_) {
      for (Connection* connection : std::set(connections)) connection->stop(true);
    } else {
      stop();
    }
    if (!connections.empty()) await_signal();
  });
}

void Server::stop() {
  stopping_ = true;
  service.drain();
  ErrorCodeOf error;
  acceptor_.close(error);
  for (Connection* connection : std::set(connections)) connection->stop(false);
  deadline_.expires_after(options.shutdown_limit);
  deadline_.async_wait([this](ErrorCodeOf cancelled) {
    if (cancelled) return;
    for (Connection* connection : std::set(connections)) connection->stop(true);
  });
  forget(nullptr);
}

void Server::forget(Connection* connection) {
  connections.erase(connection);
  if (!stopping_ || !connections.empty()) return;
  deadline_.cancel();  // nothing is left to wait for: run() returns
  signals_.cancel();
}

void Server::run(const std::function<void(std::uint16_t)>& listening) {
  listen();
  signals_.add(SIGINT);
  signals_.add(SIGTERM);
  await_signal();
  net::co_spawn(context, accept(), net::detached);
  listening(acceptor_.local_endpoint().port());
  context.run();
}

}  // namespace

bool is_loopback(const std::string& host) { return address_of(host).is_loopback(); }

void serve_http(Service& service, const HttpServerOptions& options,
                const std::function<void(std::uint16_t port)>& listening) {
  Server(service, options).run(listening);
}

}  // namespace moebench
