#include "harness/clients/openai_client.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "engine/base/error.h"
#include "harness/clients/openai_sse.h"
#include "harness/clients/openai_thinking.h"

namespace moebench {

namespace {

constexpr std::size_t kMaxLineBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxAnswerBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxErrorBytes = std::size_t{16} << 10;
constexpr std::size_t kMaxModelsBytes = std::size_t{4} << 20;
constexpr std::size_t kMostReasons = 30;
constexpr std::chrono::seconds kLongestRetryAfter{120};
constexpr std::chrono::milliseconds kProbeLimit{15'000};
constexpr std::chrono::milliseconds kPoll{100};

// The request may do better another time.
bool worth_retrying(int status) {
  return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
}

std::string trimmed_url(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  const bool known = url.starts_with("http://") || url.starts_with("https://");
  const std::size_t host = url.find("//") + 2;
  if (url.find_first_of("?#") != std::string::npos) {
    throw Error(ErrorCode::kUsage, "--base-url: a URL with a query in it",
                "http://127.0.0.1:8080/v1; a key comes from --api-key-env VAR");
  }
  const bool has_user = url.substr(0, url.find('/', host)).find('@') != std::string::npos;
  if (!known || has_user || url.size() <= host) {
    throw Error(ErrorCode::kUsage,
                known && has_user ? "--base-url: a URL with a user or a password in it"
                                  : "--base-url: '" + url + "' is no http or https URL",
                "http://127.0.0.1:8080/v1; a key comes from --api-key-env VAR");
  }
  return url;
}

// A shorter one ("none", "EMPTY") is no secret, and words hold it by chance.
constexpr std::size_t kShortestSecret = 8;

bool holds_key(const std::string& text, const std::string& key) {
  return key.size() >= kShortestSecret && text.find(key) != std::string::npos;
}

std::string read_key(const std::string& variable) {
  if (variable.empty()) return {};
  const char* value = std::getenv(variable.c_str());
  if (value == nullptr || *value == '\0') {
    throw Error(ErrorCode::kUsage, "--api-key-env: the variable " + variable + " is not set");
  }
  const std::string key = value;
  if (key.find_first_of("\r\n") != std::string::npos) {
    throw Error(ErrorCode::kUsage, "--api-key-env: the key in " + variable + " has a line break");
  }
  return key;
}

std::string readable(const std::string& ca_file) {
  if (!ca_file.empty() && !std::ifstream(ca_file).good()) {
    throw Error(ErrorCode::kUsage, "--ca-file: " + ca_file + " cannot be read");
  }
  return ca_file;
}

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

}  // namespace

void refuse_key_in_command(const RemoteOptions& options) {
  if (!holds_key(options.launch, read_key(options.api_key_variable))) return;
  throw Error(ErrorCode::kUsage,
              "--launch: the command holds the API key, and a record would tell it",
              "give the server its key by a file or its environment");
}

struct OpenAiClient::Endpoint {
  std::string url;
  std::int64_t in_flight = 0;
  int failures = 0;                 // without an answer, in a row
  Clock::time_point rests_until{};  // after such a failure
};

struct OpenAiClient::Job {
  // One piece of output, as it arrived.
  struct Piece {
    Clock::time_point time;
    std::string text, thinking;
    std::vector<std::int32_t> token_ids;
  };

  explicit Job(GenerationRequest r) : request(std::move(r)) {}

  GenerationRequest request;
  int attempts = 0;
  std::int64_t resent = 0;  // by libcurl, within an attempt
  Clock::time_point first_try{}, this_try{}, due{};
  bool running = false;
  std::uint64_t transfer = 0;
  Endpoint* endpoint = nullptr;
  // Of the attempt:
  SseParser parser{kMaxLineBytes};
  std::vector<Piece> pieces;
  std::size_t answer_bytes = 0;
  std::string error_body, broken;
  StreamChunk last;  // the one that told the finish reason
  std::optional<Usage> usage;
  bool done = false;
};

OpenAiClient::OpenAiClient(const std::string& model, std::int64_t max_in_flight,
                           RemoteOptions options)
    : options_(std::move(options)),
      max_in_flight_(max_in_flight),
      model_(model),
      api_key_(read_key(options_.api_key_variable)),
      transfers_(readable(options_.ca_file)),
      random_(std::random_device{}()) {
  if (options_.base_urls.empty()) {
    throw Error(ErrorCode::kUsage, "--model openai:" + model + " needs the server's address",
                "--base-url http://127.0.0.1:8080/v1");
  }
  for (const std::string& url : options_.base_urls) endpoints_.push_back({trimmed_url(url)});
  probe();
  thread_ = std::thread([this] { run(); });
}

OpenAiClient::~OpenAiClient() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  transfers_.wake();
  if (thread_.joinable()) thread_.join();
}

bool OpenAiClient::holds_key(const std::string& text) const {
  return moebench::holds_key(text, api_key_);
}

std::string OpenAiClient::without_key(std::string text) const {
  if (api_key_.empty()) return text;
  for (std::size_t at; (at = text.find(api_key_)) != std::string::npos;) {
    text.replace(at, api_key_.size(), "[key]");
  }
  return text;
}

void OpenAiClient::probe() {
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    const std::string& url = endpoints_[i].url;
    std::string body;
    HttpCall call;
    call.url = url + "/models";
    call.api_key = api_key_;
    call.limit = kProbeLimit;
    call.on_data = [&body](int, std::string_view bytes) {
      body += bytes;
      return body.size() <= kMaxModelsBytes;
    };
    transfers_.start(next_transfer_++, std::move(call));
    std::vector<HttpEnd> ends;
    while (ends.empty()) ends = transfers_.poll(kPoll);
    const HttpEnd& end = ends.front();
    if (end.status == 0) {
      throw Error(ErrorCode::kIo, url + ": no answer: " + without_key(end.failure),
                  end.failure.find("certificate") != std::string::npos
                      ? "--ca-file FILE tells whose signature to trust"
                      : "start the server, or mend --base-url");
    }
    if (end.status == 401 || end.status == 403) {
      throw Error(
          ErrorCode::kUsage,
          url + ": the server refuses the API key (status " + std::to_string(end.status) + ")",
          "--api-key-env VAR names the variable that holds it");
    }
    Expected<std::vector<ServedModel>, std::string> models =
        end.status == 200 && end.failure.empty()
            ? parse_models(body)
            : Unexpected<std::string>("status " + std::to_string(end.status));
    if (!models) {
      throw Error(ErrorCode::kIo, url + "/models: " + without_key(models.error()),
                  "--base-url ends before /models, as http://127.0.0.1:8080/v1");
    }
    const auto found = std::find_if(models->begin(), models->end(),
                                    [&](const ServedModel& m) { return m.id == model_; });
    const bool only_one = models->size() == 1 && (model_.empty() || !options_.launch.empty());
    if (found == models->end() && !only_one) {
      std::vector<std::string> names;
      for (std::size_t k = 0; k < std::min<std::size_t>(models->size(), 10); ++k) {
        names.push_back((*models)[k].id);
      }
      throw Error(ErrorCode::kUsage, url + " does not serve '" + model_ + "'",
                  "--model openai:NAME with one of: " + without_key(join(names)));
    }
    const ServedModel& model = found != models->end() ? *found : models->front();
    if (i > 0) continue;  // the first one speaks for all
    model_ = model.id;
    kind_ = server_kind(model.owned_by);
    info_.engine = model.info;
    info_.engine_version =
        without_key(model.owned_by + (model.version.empty() ? "" : " " + model.version));
  }
  info_.engine_name = "openai-http";
  std::vector<std::string> urls;
  for (const Endpoint& endpoint : endpoints_) urls.push_back(endpoint.url);
  info_.endpoint = join(urls);
}

void OpenAiClient::submit(GenerationRequest request) {
  {
    const std::lock_guard lock(mutex_);
    inbox_.push_back(std::move(request));
    ++n_unfinished_;
  }
  transfers_.wake();
}

void OpenAiClient::cancel(std::uint64_t request_id) {
  {
    const std::lock_guard lock(mutex_);
    cancelled_.push_back(request_id);
  }
  transfers_.wake();
}

std::vector<GenerationEvent> OpenAiClient::next_events(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  events_arrived_.wait_for(lock, timeout, [this] { return !outbox_.empty() || failure_; });
  if (outbox_.empty() && failure_) std::rethrow_exception(failure_);
  return std::exchange(outbox_, {});
}

std::vector<std::string> OpenAiClient::take_warnings() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> warnings;
  if (n_unfinished_ > 0) return warnings;
  if (!retry_reasons_.empty()) {
    std::string text = "requests were tried again after: ";
    std::vector<std::string> parts;
    for (const auto& [reason, count] : retry_reasons_) {
      parts.push_back(reason + " (" + std::to_string(count) + " times)");
    }
    warnings.push_back(text + join(parts));
    retry_reasons_.clear();
  }
  if (kind_ == ServerKind::kUnknown && n_finished_ > 0) {
    warnings.push_back(
        "the server is of no kind that is known here: for what the API does not document (top-k, "
        "min-p, penalties on repetition) its own defaults held");
    n_finished_ = 0;
  }
  if (n_without_usage_ > 0) {
    warnings.push_back(
        "the server told no usage with " + std::to_string(n_without_usage_) +
        " answers: their tokens are counted as chunks, and their prompts' not at all");
    n_without_usage_ = 0;
  }
  return warnings;
}

std::vector<RequestRetries> OpenAiClient::take_retries() {
  const std::lock_guard lock(mutex_);
  return std::exchange(retries_, {});
}

void OpenAiClient::publish(std::vector<GenerationEvent> events, RequestRetries retries) {
  {
    const std::lock_guard lock(mutex_);
    retries_.push_back(retries);
    if (!events.empty()) {  // finish() alone publishes, one request's at a time
      --n_unfinished_;
      ++n_finished_;
    }
    std::move(events.begin(), events.end(), std::back_inserter(outbox_));
  }
  events_arrived_.notify_all();
}

void OpenAiClient::give_up(std::exception_ptr failure) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(failure);
  }
  events_arrived_.notify_all();
}

void OpenAiClient::run() {
  try {
    while (true) {
      {
        const std::lock_guard lock(mutex_);
        if (stop_ || failure_) return;
      }
      take_inbox();
      start_due();
      for (const HttpEnd& ended : transfers_.poll(queue_.empty() ? kPoll : kPoll / 10)) end(ended);
    }
  } catch (...) {
    give_up(std::current_exception());
  }
}

void OpenAiClient::take_inbox() {
  std::vector<GenerationRequest> arrived;
  std::vector<std::uint64_t> cancelled;
  {
    const std::lock_guard lock(mutex_);
    arrived.swap(inbox_);
    cancelled.swap(cancelled_);
  }
  for (GenerationRequest& request : arrived) {
    const std::uint64_t id = request.id;
    jobs_[id] = std::make_unique<Job>(std::move(request));
    queue_.push_back(id);
  }
  for (const std::uint64_t id : cancelled) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) continue;  // ended meanwhile
    GenerationEvent last;
    last.finish = FinishReason::kCancelled;
    finish(*found->second, std::move(last), true);
  }
}

OpenAiClient::Endpoint& OpenAiClient::least_loaded() {
  const auto now = Clock::now();
  const auto load = [&](const Endpoint& endpoint) {
    return std::pair(endpoint.rests_until > now, endpoint.in_flight);
  };
  return *std::min_element(endpoints_.begin(), endpoints_.end(),
                           [&](const Endpoint& a, const Endpoint& b) { return load(a) < load(b); });
}

void OpenAiClient::start_due() {
  const auto now = Clock::now();
  for (std::size_t i = 0; i < queue_.size() && active_ < max_in_flight_;) {
    Job& job = *jobs_.at(queue_[i]);
    if (job.due > now) {
      ++i;
      continue;
    }
    if (options_.requests_per_second > 0) {
      if (now < next_start_) return;
      const auto step = std::chrono::duration_cast<Clock::duration>(
          std::chrono::duration<double>(1 / options_.requests_per_second));
      next_start_ = std::max(next_start_, now - step) + step;
    }
    queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(i));
    begin(job);
  }
}

void OpenAiClient::begin(Job& job) {
  const Expected<std::string, std::string> body = request_body(job.request, model_, kind_);
  if (!body) {
    GenerationEvent last;
    last.finish = FinishReason::kFailed;
    last.failure = body.error();
    finish(job, std::move(last), false);
    return;
  }
  job.this_try = Clock::now();
  if (job.attempts++ == 0) job.first_try = job.this_try;
  job.parser = SseParser(kMaxLineBytes);
  job.pieces.clear();
  job.answer_bytes = 0;
  job.error_body.clear();
  job.broken.clear();
  job.last = {};
  job.usage.reset();
  job.done = false;
  job.endpoint = &least_loaded();
  ++job.endpoint->in_flight;
  job.running = true;
  ++active_;
  job.transfer = next_transfer_++;
  job_of_transfer_[job.transfer] = job.request.id;
  HttpCall call;
  call.url = job.endpoint->url + (is_chat(job.request) ? "/chat/completions" : "/completions");
  call.body = *body;
  call.api_key = api_key_;
  call.limit = options_.request_limit;
  call.on_data = [this, &job](int status, std::string_view bytes) {
    return absorb(job, status, bytes);
  };
  transfers_.start(job.transfer, std::move(call));
}

// Bytes of a response; false when there is no use in reading on.
bool OpenAiClient::absorb(Job& job, int status, std::string_view bytes) {
  const auto now = last_answer_ = Clock::now();
  if (status != 200) {
    job.error_body +=
        bytes.substr(0, kMaxErrorBytes - std::min(kMaxErrorBytes, job.error_body.size()));
    return true;
  }
  job.answer_bytes += bytes.size();
  std::vector<std::string> payloads;
  if (!job.parser.feed(bytes, payloads)) job.broken = "a line longer than 4 MiB";
  if (job.answer_bytes > kMaxAnswerBytes) job.broken = "an answer longer than 64 MiB";
  for (const std::string& payload : payloads) {
    if (!job.broken.empty() || job.done) break;
    if (payload == "[DONE]") {
      job.done = true;
      break;
    }
    Expected<StreamChunk, std::string> chunk = parse_chunk(payload);
    if (!chunk) {
      job.broken = "a broken stream: " + chunk.error();
      break;
    }
    if (chunk->usage) job.usage = chunk->usage;
    if (!chunk->finish_reason.empty()) job.last = *chunk;
    if (chunk->text.empty() && chunk->thinking.empty() && chunk->token_ids.empty()) continue;
    job.pieces.push_back(
        {now, std::move(chunk->text), std::move(chunk->thinking), std::move(chunk->token_ids)});
  }
  return job.broken.empty();
}

void OpenAiClient::end(const HttpEnd& end) {
  const auto of = job_of_transfer_.find(end.id);
  if (of == job_of_transfer_.end()) return;
  Job& job = *jobs_.at(of->second);
  job_of_transfer_.erase(of);
  job.running = false;
  --active_;
  Endpoint& endpoint = *job.endpoint;
  --endpoint.in_flight;
  if (end.resent > 0) {
    job.resent += end.resent;
    const std::lock_guard lock(mutex_);
    retry_reasons_["a connection that had closed"] += end.resent;
  }
  if (end.status != 0) {
    last_answer_ = Clock::now();
    endpoint.failures = 0;
    endpoint.rests_until = {};
  } else {
    ++endpoint.failures;
    endpoint.rests_until =
        Clock::now() + options_.first_pause * (1 << std::min(endpoint.failures, 6));
  }
  if (!job.broken.empty()) return retry_or_fail(job, job.broken, end);
  if (end.status == 200) {
    const bool whole = job.done || (end.failure.empty() && !job.last.finish_reason.empty());
    if (whole && !job.last.finish_reason.empty()) return succeed(job);
    if (whole) return retry_or_fail(job, "a stream without a finish reason", end);
    return retry_or_fail(job, end.timed_out ? "a time-out" : "a stream that ended early", end);
  }
  if (end.status == 0) {
    return retry_or_fail(job, end.timed_out ? "a time-out" : "no connection: " + end.failure, end);
  }
  const std::string reason = "status " + std::to_string(end.status);
  if (worth_retrying(end.status)) return retry_or_fail(job, reason, end);
  const std::string message = without_key(error_message(job.error_body));
  if (end.status == 401 || end.status == 403) {
    throw Error(ErrorCode::kUsage, endpoint.url + ": " + reason + ": " + message,
                "--api-key-env VAR names the variable that holds a valid key");
  }
  GenerationEvent last;
  last.finish = FinishReason::kFailed;
  last.failure = reason + ": " + message;
  finish(job, std::move(last), false);
}

std::chrono::milliseconds OpenAiClient::pause_before(int attempt, const HttpEnd& end) {
  if (end.retry_after && *end.retry_after <= kLongestRetryAfter) return *end.retry_after;
  // Equal jitter: between half and all of a doubling pause, so that clients don't come in step.
  const auto pause = options_.first_pause * (1 << std::min(attempt - 1, 6));
  std::uniform_int_distribution<std::int64_t> jitter(pause.count() / 2, pause.count());
  return std::chrono::milliseconds(jitter(random_));
}

void OpenAiClient::retry_or_fail(Job& job, const std::string& reason, const HttpEnd& end) {
  if (job.attempts <= options_.max_retries) {
    {
      const std::lock_guard lock(mutex_);
      const std::string told = without_key(reason);
      const bool room = retry_reasons_.size() < kMostReasons || retry_reasons_.contains(told);
      ++retry_reasons_[room ? told : "other reasons"];  // a server can think of many
    }
    job.due = Clock::now() + pause_before(job.attempts, end);
    queue_.push_back(job.request.id);
    return;
  }
  std::string why = without_key(reason);
  if (!job.error_body.empty()) why += ": " + without_key(error_message(job.error_body));
  // Not even others were answered: recording every question as failed would help nobody.
  if (end.status == 0 && last_answer_ < (end.timed_out ? job.first_try : job.this_try)) {
    throw Error(ErrorCode::kIo, info_.endpoint + ": nothing answers any more (" + why + ")",
                "start the server again");
  }
  GenerationEvent last;
  last.finish = FinishReason::kFailed;
  last.failure = "gave up after " + std::to_string(job.attempts) + " attempts: " + why;
  finish(job, std::move(last), false);
}

void OpenAiClient::succeed(Job& job) {
  GenerationEvent last;
  std::string said, thought;
  for (const Job::Piece& piece : job.pieces) {
    said += piece.text;
    thought += piece.thinking;
  }
  if (holds_key(said) || holds_key(thought)) {
    last.finish = FinishReason::kFailed;
    last.failure = "the answer holds the API key, which no record may tell";
    return finish(job, std::move(last), false);
  }
  std::int64_t counted = 0;
  for (const Job::Piece& piece : job.pieces) {
    counted += std::max<std::int64_t>(1, static_cast<std::int64_t>(piece.token_ids.size()));
  }
  if (job.usage) {
    last.usage = *job.usage;
  } else {
    // Most servers send a chunk a token.
    last.usage.output_tokens = counted;
    const std::lock_guard lock(mutex_);
    ++n_without_usage_;
  }
  last.finish =
      finish_of(job.last, job.request, kind_, last.usage.output_tokens >= job.request.max_tokens);
  finish(job, std::move(last), true);
}

// Hands out what the attempt said, then `last`; the job is gone after that.
void OpenAiClient::finish(Job& job, GenerationEvent last, bool keep_output) {
  const std::uint64_t id = job.request.id;
  std::vector<GenerationEvent> events;
  if (keep_output) {
    std::string all;
    for (const Job::Piece& piece : job.pieces) all += piece.text;
    const auto* prompt = std::get_if<std::string>(&job.request.prompt);
    const std::size_t first = std::min(all.find_first_not_of(" \t\r\n"), all.size());
    // Where the chat template opens the thinking, its text comes with the closing tag alone.
    const bool opened = (prompt != nullptr && prompt_opens_thinking(*prompt)) ||
                        (prompt == nullptr && !all.substr(first).starts_with("<think>") &&
                         all.find("</think>") != std::string::npos);
    InlineThinking splitter(opened);
    std::int64_t thinking_tokens = 0;
    for (Job::Piece& piece : job.pieces) {
      GenerationEvent event;
      event.request_id = id;
      event.time = piece.time;
      const std::int64_t n =
          std::max<std::int64_t>(1, static_cast<std::int64_t>(piece.token_ids.size()));
      bool thinks = !piece.thinking.empty();
      event.thinking_delta = std::move(piece.thinking);
      if (kind_ == ServerKind::kMoebench) {
        event.text_delta = std::move(piece.text);
      } else {
        const bool before = splitter.in_thinking();
        InlineThinking::Parts parts = splitter.push(piece.text);
        thinks = thinks || before || splitter.in_thinking();
        event.thinking_delta += parts.thinking;
        event.text_delta = std::move(parts.text);
      }
      if (thinks) thinking_tokens += n;
      event.tokens = std::move(piece.token_ids);
      events.push_back(std::move(event));
    }
    InlineThinking::Parts rest = splitter.finish();
    last.thinking_delta = std::move(rest.thinking);
    last.text_delta = std::move(rest.text);
    if (last.usage.thinking_tokens == 0 && kind_ != ServerKind::kMoebench) {
      last.usage.thinking_tokens = std::min(thinking_tokens, last.usage.output_tokens);
    }
  }
  last.request_id = id;
  last.time = events.empty() ? Clock::now() : events.back().time;
  last.failure = without_key(std::move(last.failure));
  events.push_back(std::move(last));
  if (job.running) {
    transfers_.abort(job.transfer);
    job_of_transfer_.erase(job.transfer);
    --job.endpoint->in_flight;
    --active_;
  }
  // A request that never was sent (its text can't be, or it was cancelled) has no attempt.
  const RequestRetries retries{id, std::max(job.attempts - 1, 0) + job.resent};
  std::erase(queue_, id);
  jobs_.erase(id);
  publish(std::move(events), retries);
}

}  // namespace moebench
