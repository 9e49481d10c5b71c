// Any bytes as text, for tokenizers of each kind: decoding gives the text back, streaming gives
// what decoding gives, and every piece is whole.

#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "engine/base/check.h"
#include "engine/text/stream_decoder.h"
#include "engine/text/tokenizer.h"
#include "engine/text/unicode.h"

namespace {

const moebench::Tokenizer& tokenizer(std::size_t i) {
  static const auto* const all = [] {
    auto* list = new std::vector<moebench::Tokenizer>;
    for (const char* name :
         {"gpt2", "llama3", "deepseek_v3", "qwen2", "sentencepiece", "metaspace"}) {
      std::ifstream in(std::string(MOEBENCH_SOURCE_DIR "/tests/parity/text/goldens/") + name +
                       ".json");
      moebench::TokenizerFiles files;
      files.tokenizer_json = nlohmann::json::parse(in)["tokenizer"].dump();
      list->push_back(moebench::Tokenizer::from_files(files));
    }
    return list;
  }();
  return (*all)[i % all->size()];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t kind = data[0] % 6;
  const bool parse_special = data[1] % 2 != 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  const moebench::Tokenizer& used = tokenizer(kind);
  const auto ids = used.encode(input, {.parse_special = parse_special});
  const std::string text = used.decode(ids);
  MOEBENCH_CHECK(moebench::text::is_valid_utf8(text));
  // Byte-level without a normaliser and without tokens that swallow space loses nothing.
  if (kind < 2) MOEBENCH_CHECK(text == moebench::text::replace_invalid_utf8(input));
  moebench::StreamDecoder decoder(used, {.stop = {}});
  std::string streamed;
  const auto take = [&](const moebench::StreamDelta& delta) {
    MOEBENCH_CHECK(moebench::text::is_valid_utf8(delta.text));
    MOEBENCH_CHECK(moebench::text::is_valid_utf8(delta.thinking));
    streamed += delta.text;
  };
  for (const std::int32_t id : ids) take(decoder.push(id));
  take(decoder.finish());
  MOEBENCH_CHECK(decoder.thinking_tokens() + decoder.answer_tokens() ==
                 static_cast<std::int64_t>(ids.size()));
  if (kind < 2 && decoder.thinking_tokens() == 0)
    MOEBENCH_CHECK(streamed == used.decode(ids, true));
  return 0;
}
