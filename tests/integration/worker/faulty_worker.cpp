// A worker that goes wrong as it is told to: `faulty_worker FAULT [ARGUMENT]`. Model "echo" answers
// with the prompt, word by word; any other model is served as the product's worker would.

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <thread>

#include "engine/base/error.h"
#include "harness/clients/worker_protocol.h"
#include "harness/clients/worker_serve.h"

namespace {

using namespace moebench;

// Each call of next_events makes one step: one more word of every request. One layer, two experts.
class EchoClient final : public EngineClient {
 public:
  explicit EchoClient(std::int64_t batch) : batch_(batch) {
    info_.engine_name = "echo";
    info_.engine.model_sha256 = "0";
    info_.engine.n_moe_layers = 1;
    info_.engine.n_experts = 2;
  }
  const ClientInfo& info() const override { return info_; }
  std::int64_t max_in_flight() const override { return batch_; }
  void submit(GenerationRequest request) override { held_.push_back({std::move(request), 0}); }
  void cancel(std::uint64_t id) override {
    for (Held& held : held_) {
      if (held.request.id == id) held.cancelled = true;
    }
  }
  std::vector<GenerationEvent> next_events(std::chrono::milliseconds) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::vector<GenerationEvent> events;
    StepRecord step;
    for (Held& held : held_) {
      const std::string& prompt = std::get<std::string>(held.request.prompt);
      const std::size_t end = std::min(prompt.find(' ', held.told), prompt.size() - 1) + 1;
      GenerationEvent event;
      event.request_id = held.request.id;
      event.time = std::chrono::steady_clock::now();
      event.text_delta = prompt.substr(held.told, end - held.told);
      event.tokens = {static_cast<std::int32_t>(held.told)};
      event.logprobs.push_back({-0.25f, {{7, -0.25f}, {8, -1.5f}}});
      held.told = end;
      ++counts_[held.request.id % 2];
      ++step.decode_tokens;
      if (end == prompt.size()) {
        event.finish = FinishReason::kEos;
        event.usage.output_tokens = 3;
      }
      if (held.cancelled) event.finish = FinishReason::kCancelled;
      events.push_back(std::move(event));
    }
    std::erase_if(held_, [](const Held& held) {
      return held.cancelled || held.told == std::get<std::string>(held.request.prompt).size();
    });
    if (step.decode_tokens > 0) steps_.push_back(step);
    return events;
  }
  std::vector<StepRecord> take_step_records() override { return std::exchange(steps_, {}); }
  std::vector<std::int64_t> expert_token_counts() override { return counts_; }

 private:
  struct Held {
    GenerationRequest request;
    std::size_t told;
    bool cancelled = false;
  };
  std::int64_t batch_;
  ClientInfo info_;
  std::deque<Held> held_;
  std::vector<StepRecord> steps_;
  std::vector<std::int64_t> counts_ = std::vector<std::int64_t>(2);
};

std::string prompt_text(const GenerationRequest& request) {
  if (const auto* text = std::get_if<std::string>(&request.prompt)) return *text;
  std::string all;
  if (const auto* messages = std::get_if<std::vector<ChatMessage>>(&request.prompt))
    for (const ChatMessage& message : *messages) all += message.content;
  return all;
}

// What the fault does to the process.
[[noreturn]] void segfault() {
  ::signal(SIGSEGV, SIG_DFL);
  ::raise(SIGSEGV);
  std::abort();
}

class FaultyClient final : public EngineClient {
 public:
  FaultyClient(std::unique_ptr<EngineClient> inner, std::string fault, std::string argument)
      : inner_(std::move(inner)), fault_(std::move(fault)), argument_(std::move(argument)) {}
  const ClientInfo& info() const override { return inner_->info(); }
  std::int64_t max_in_flight() const override { return inner_->max_in_flight(); }
  void submit(GenerationRequest request) override {
    ++requests_;
    const bool nth = std::to_string(requests_) == argument_;
    const bool named = prompt_text(request).find(argument_) != std::string::npos;
    if (fault_ == "segfault-every" && nth) segfault();
    if (fault_ == "memory-every" && nth) ::raise(SIGKILL);
    if (fault_ == "exit-every" && nth) {
      std::fprintf(stderr, "the last words of a worker\n");
      std::_Exit(7);
    }
    if (fault_ == "throw-every" && nth)
      throw Error(ErrorCode::kDevice, "the device fell off the bus");
    if (fault_ == "hang-every" && nth) std::this_thread::sleep_for(std::chrono::hours(1));
    if (fault_ == "segfault-on" && named) segfault();
    inner_->submit(std::move(request));
  }
  void cancel(std::uint64_t id) override { inner_->cancel(id); }
  std::vector<GenerationEvent> next_events(std::chrono::milliseconds timeout) override {
    auto events = inner_->next_events(timeout);
    if (fault_ == "foreign-event" && !events.empty()) events.front().request_id += 1'000'000;
    return events;
  }
  std::vector<StepRecord> take_step_records() override { return inner_->take_step_records(); }
  std::vector<std::int64_t> expert_token_counts() override {
    auto counts = inner_->expert_token_counts();
    if (fault_ == "foreign-experts") counts.push_back(1);
    return counts;
  }

 private:
  std::unique_ptr<EngineClient> inner_;
  std::string fault_, argument_;
  std::int64_t requests_ = 0;
};

void say(std::string_view bytes) {
  if (::write(STDOUT_FILENO, bytes.data(), bytes.size()) < 0) std::_Exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string fault = argc > 1 ? argv[1] : "none";
  const std::string argument = argc > 2 ? argv[2] : "";
  if (fault == "other-version")
    say(encode_frame(HelloMessage{kWorkerProtocolVersion + 1, "other"}));
  if (fault == "garbage") say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  if (fault == "huge-frame") say(std::string("\xff\xff\xff\x7f") + std::string(100, 'x'));
  if (fault == "deep-frame") {
    const std::string deep(100'000, '[');
    std::string length;
    for (int i = 0; i < 4; ++i) length.push_back(static_cast<char>((deep.size() >> (8 * i)) & 255));
    say(length + deep);
  }
  if (fault == "other-version" || fault == "garbage" || fault == "huge-frame" ||
      fault == "deep-frame") {
    ::pause();  // it stays alive: what it said must be enough
  }
  return serve_worker_on_stdio([&](const EngineOptions& options) -> std::unique_ptr<EngineClient> {
    if (fault == "die-loading") segfault();
    std::unique_ptr<EngineClient> inner;
    if (options.model == "echo")
      inner = std::make_unique<EchoClient>(options.max_batch_sequences);
    else
      inner = make_client(options);
    return std::make_unique<FaultyClient>(std::move(inner), fault, argument);
  });
}
