// Any bytes as a chat template: valid UTF-8 text, or an Error, in bounded time.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/text/chat_template.h"
#include "engine/text/unicode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto* const variables =
      new nlohmann::ordered_json({{"messages",
                                   {{{"role", "system"}, {"content", "Be br\u00efef."}},
                                    {{"role", "user"}, {"content", "1 + 1?"}},
                                    {{"role", "assistant"}, {"content", "<think>x</think>2"}}}},
                                  {"tools", nullptr},
                                  {"add_generation_prompt", true},
                                  {"bos_token", "<s>"},
                                  {"n", 3}});
  try {
    const moebench::ChatTemplate chat(std::string_view(reinterpret_cast<const char*>(data), size));
    MOEBENCH_CHECK(moebench::text::is_valid_utf8(chat.render(*variables, 0)));
  } catch (const moebench::Error&) {
  }
  return 0;
}
