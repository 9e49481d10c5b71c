#include "harness/clients/null_client.h"

#include <gtest/gtest.h>

#include <map>

namespace moebench {
namespace {

using std::chrono::milliseconds;

GenerationRequest request(std::uint64_t id) {
  GenerationRequest made;
  made.id = id;
  made.prompt = std::string("how many legs have two cats");
  return made;
}

TEST(NullClient, EndsEveryRequestExactlyOnce) {
  NullClient client(4, milliseconds(0));
  for (std::uint64_t id = 0; id < 10; ++id) client.submit(request(id));
  std::map<std::uint64_t, int> ends;
  for (int i = 0; i < 10; ++i) {
    for (const GenerationEvent& event : client.next_events(milliseconds(1))) {
      ASSERT_EQ(event.finish, FinishReason::kEos);
      EXPECT_EQ(event.usage.prompt_tokens, 6);
      ++ends[event.request_id];
    }
  }
  EXPECT_EQ(ends.size(), 10u);
  for (const auto& [id, count] : ends) EXPECT_EQ(count, 1) << "request " << id;
}

TEST(NullClient, AnswersOneAfterTheOtherWhenItHasAnAnswerTime) {
  NullClient client(4, milliseconds(20));
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t id = 0; id < 3; ++id) client.submit(request(id));
  int ended = 0;
  while (ended < 3) ended += static_cast<int>(client.next_events(milliseconds(100)).size());
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(60));
}

TEST(NullClient, ReturnsACancelledRequestAsCancelled) {
  NullClient client(4, std::chrono::minutes(10));
  client.submit(request(7));
  client.cancel(7);
  const std::vector<GenerationEvent> events = client.next_events(milliseconds(1000));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].finish, FinishReason::kCancelled);
}

}  // namespace
}  // namespace moebench
