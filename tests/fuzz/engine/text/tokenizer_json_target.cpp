// Any bytes as tokenizer.json: a tokenizer that works, or an Error.

#include <cstdint>
#include <string>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/text/tokenizer.h"
#include "engine/text/unicode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  moebench::TokenizerFiles files;
  files.tokenizer_json.assign(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = moebench::Tokenizer::from_files(files);
    const auto ids = tokenizer.encode("It's 12 <s> caf\u00e9 \xF0\x9F\n", {.parse_special = true});
    for (const std::int32_t id : ids) MOEBENCH_CHECK(tokenizer.is_token(id));
    MOEBENCH_CHECK(moebench::text::is_valid_utf8(tokenizer.decode(ids)));
  } catch (const moebench::Error&) {
  }
  return 0;
}
