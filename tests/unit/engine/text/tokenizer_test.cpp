#include "engine/text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine/base/error.h"

namespace moebench {
namespace {

using nlohmann::json;

json golden_tokenizer(const std::string& name) {
  std::ifstream in(std::string(MOEBENCH_SOURCE_DIR) + "/tests/parity/text/goldens/" + name +
                   ".json");
  return json::parse(in)["tokenizer"];
}

Tokenizer load(const json& file, const json& config = nullptr, const json& generation = nullptr) {
  TokenizerFiles files;
  files.tokenizer_json = file.dump();
  if (!config.is_null()) files.tokenizer_config_json = config.dump();
  if (!generation.is_null()) files.generation_config_json = generation.dump();
  return Tokenizer::from_files(files);
}

/// The message of the Error that loading this file throws.
std::string refusal(const json& file) {
  try {
    load(file);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadModel);
    return error.what();
  }
  return "accepted";
}

TEST(Tokenizer, LeavesSpecialTokensInATextAloneUnlessAsked) {
  const Tokenizer tokenizer = load(golden_tokenizer("qwen2"));
  const std::int32_t end = *tokenizer.find("<|im_end|>"), think = *tokenizer.find("<think>");
  const auto plain = tokenizer.encode("a<|im_end|>");
  EXPECT_EQ(std::count(plain.begin(), plain.end(), end), 0);
  EXPECT_EQ(tokenizer.decode(plain), "a<|im_end|>");
  EXPECT_EQ(tokenizer.encode("a<|im_end|>", {.parse_special = true}).back(), end);
  EXPECT_EQ(tokenizer.encode("<think>"), std::vector<std::int32_t>{think})
      << "an added token that is not special is always found";
  EXPECT_TRUE(tokenizer.is_special(end));
  EXPECT_FALSE(tokenizer.is_special(think));
}

TEST(Tokenizer, ReadsBosEosAndTheTemplateFromTheFilesBesides) {
  const Tokenizer tokenizer = load(
      golden_tokenizer("qwen2"),
      {{"bos_token", {{"content", "<s>"}}},
       {"eos_token", "</s>"},
       {"add_bos_token", true},
       {"chat_template",
        {{{"name", "tool_use"}, {"template", "t"}}, {{"name", "default"}, {"template", "d"}}}}},
      {{"eos_token_id", {1, 2}}});
  EXPECT_EQ(tokenizer.bos_id(), 0);
  EXPECT_EQ(tokenizer.eos_ids(), (std::vector<std::int32_t>{1, 2}));
  EXPECT_TRUE(tokenizer.is_eos(2));
  EXPECT_FALSE(tokenizer.is_eos(0));
  EXPECT_EQ(tokenizer.chat_template(), "d");
  EXPECT_EQ(tokenizer.encode("", {.add_special = true}), std::vector<std::int32_t>{0});
}

TEST(Tokenizer, ConfigCanTurnTheBosOff) {
  const json file = golden_tokenizer("llama3");
  EXPECT_EQ(load(file).encode("", {.add_special = true}), (std::vector<std::int32_t>{0, 1}));
  const json config = {{"bos_token", "<s>"},
                       {"eos_token", "</s>"},
                       {"add_bos_token", false},
                       {"add_eos_token", false}};
  EXPECT_TRUE(load(file, config).encode("", {.add_special = true}).empty());
}

TEST(Tokenizer, AnIdWithoutATokenIsAnError) {
  const Tokenizer tokenizer = load(golden_tokenizer("gpt2"));
  const std::vector<std::int32_t> ids = {5, tokenizer.vocab_size()};
  EXPECT_THROW(tokenizer.decode(ids), Error);
  EXPECT_THROW(tokenizer.token_bytes(-1), Error);
  EXPECT_FALSE(tokenizer.is_token(-1));
}

TEST(Tokenizer, SkipsSpecialTokensWhenDecodingIfAsked) {
  const Tokenizer tokenizer = load(golden_tokenizer("gpt2"));
  auto ids = tokenizer.encode("x");
  ids.push_back(*tokenizer.find("</s>"));
  EXPECT_EQ(tokenizer.decode(ids), "x</s>");
  EXPECT_EQ(tokenizer.decode(ids, true), "x");
}

TEST(Tokenizer, AgreesWithItselfFromSeveralThreads) {
  const Tokenizer tokenizer = load(golden_tokenizer("deepseek_v3"));
  const std::string text = "the number is 1234, don't boxed frac sqrt twice minus equals";
  const auto want = load(golden_tokenizer("deepseek_v3")).encode(text);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) EXPECT_EQ(tokenizer.encode(text), want);
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(Tokenizer, LongRunsDoNotTakeQuadraticTime) {
  const Tokenizer tokenizer = load(golden_tokenizer("gpt2"));
  // CPU time, the best of three, since other programs may keep the machine busy.
  const auto cpu_seconds = [&](std::size_t n) {
    const std::string text(n, 'a');
    double best = 1e9;
    for (int round = 0; round < 3; ++round) {
      const std::clock_t begin = std::clock();
      tokenizer.encode(text);
      best = std::min(best, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    }
    return best;
  };
  const double small = cpu_seconds(20'000), large = cpu_seconds(320'000);  // 16 times the text
  EXPECT_LT(large, std::max(small, 1e-3) * 16 * 6) << "quadratic time would be 256 times";
}

TEST(Tokenizer, NamesWhatItDoesNotSupport) {
  json file = golden_tokenizer("gpt2");
  const auto with = [&](const char* key, const json& value) {
    json changed = file;
    changed[key] = value;
    return refusal(changed);
  };
  EXPECT_NE(with("model", {{"type", "Unigram"}}).find("Unigram"), std::string::npos);
  EXPECT_NE(with("normalizer", {{"type", "StripAccents"}}).find("StripAccents"), std::string::npos);
  EXPECT_NE(with("pre_tokenizer", {{"type", "BertPreTokenizer"}}).find("BertPreTokenizer"),
            std::string::npos);
  EXPECT_NE(with("decoder", {{"type", "CTC"}}).find("CTC"), std::string::npos);
  EXPECT_NE(with("decoder", nullptr).find("ByteLevel"), std::string::npos);
  EXPECT_NE(with("post_processor", {{"type", "BertProcessing"}}).find("BertProcessing"),
            std::string::npos);
  file["model"]["end_of_word_suffix"] = "</w>";
  EXPECT_NE(refusal(file).find("end_of_word_suffix"), std::string::npos);
}

TEST(Tokenizer, NamesWhatIsBroken) {
  const json file = golden_tokenizer("gpt2");
  json changed = file;
  changed["model"].erase("merges");
  EXPECT_NE(refusal(changed).find("merges"), std::string::npos);
  changed = file;
  changed["model"]["merges"] = json::array();
  EXPECT_NE(refusal(changed).find("merges"), std::string::npos);
  changed = file;
  changed["model"]["merges"].push_back({"nowhere", "tobefound"});
  EXPECT_NE(refusal(changed).find("nowhere"), std::string::npos);
  changed = file;
  changed["model"]["vocab"]["x"] = -4;
  EXPECT_NE(refusal(changed).find("-4"), std::string::npos);
  changed = file;
  changed["added_tokens"][0]["id"] = 300;
  EXPECT_NE(refusal(changed).find("has the id of"), std::string::npos);
  changed = file;
  changed.erase("model");
  EXPECT_NE(refusal(changed).find("model"), std::string::npos);
  EXPECT_NE(refusal(json(3)).find("no JSON object"), std::string::npos);
  TokenizerFiles files;
  files.name = "some/tokenizer.json";
  files.tokenizer_json = "{\"model\": ";
  try {
    Tokenizer::from_files(files);
    ADD_FAILURE() << "a cut file was accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("some/tokenizer.json"), std::string::npos);
  }
}

TEST(Tokenizer, DirectoryWithoutTokenizerJsonIsAnErrorThatSaysSo) {
  try {
    Tokenizer::from_directory(std::filesystem::temp_directory_path() / "no_such_model");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("tokenizer.json"), std::string::npos);
    EXPECT_FALSE(error.remedy().empty());
  }
}

GgufTokenizerData small_gguf() {
  GgufTokenizerData data;
  data.model = "gpt2";
  data.pre = "gpt-2";
  data.tokens = {"a", "b", "ab", "<|im_end|>"};
  data.token_types = {1, 1, 1, 3};
  data.merges = {"a b"};
  return data;
}

std::string refusal(const GgufTokenizerData& data) {
  try {
    Tokenizer::from_gguf(data);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(GgufTokenizer, TakesEndTokensByNameToo) {
  EXPECT_EQ(Tokenizer::from_gguf(small_gguf()).eos_ids(), std::vector<std::int32_t>{3});
}

TEST(GgufTokenizer, NamesTheKeyThatIsWrong) {
  auto data = small_gguf();
  data.pre = "klingon";
  EXPECT_NE(refusal(data).find("klingon"), std::string::npos);
  data = small_gguf();
  data.merges.clear();
  EXPECT_NE(refusal(data).find("tokenizer.ggml.merges"), std::string::npos);
  data = small_gguf();
  data.merges.push_back("a c");
  EXPECT_NE(refusal(data).find("'c'"), std::string::npos);
  data = small_gguf();
  data.token_types.pop_back();
  EXPECT_NE(refusal(data).find("token_type"), std::string::npos);
  data = small_gguf();
  data.bos_id = 77;
  EXPECT_NE(refusal(data).find("bos_token_id 77"), std::string::npos);
  data = small_gguf();
  data.model = "t5";
  EXPECT_NE(refusal(data).find("t5"), std::string::npos);
  data = small_gguf();
  data.model = "llama";
  EXPECT_NE(refusal(data).find("scores"), std::string::npos);
  data = small_gguf();
  data.add_bos = true;
  EXPECT_NE(refusal(data).find("bos_token_id"), std::string::npos);
}

TEST(GgufTokenizer, EveryPreTokenizerNameBuilds) {
  for (const char* pre :
       {"default", "llama3", "llama-v3", "llama-bpe", "falcon3", "deepseek-llm", "deepseek-coder",
        "deepseek-v3", "deepseek-r1-qwen", "qwen2", "qwen35", "smollm", "starcoder", "olmo",
        "gpt-2", "dbrx", "tekken", "gpt-4o", "megrez"}) {
    auto data = small_gguf();
    data.pre = pre;
    data.bos_id = 3;
    data.add_bos = false;
    EXPECT_EQ(Tokenizer::from_gguf(data).encode("abab"), (std::vector<std::int32_t>{2, 2})) << pre;
  }
}

TEST(GgufTokenizer, LlamaBpeAddsBosWhenTheFileIsSilent) {
  auto data = small_gguf();
  data.pre = "llama-bpe";
  data.bos_id = 3;
  EXPECT_EQ(Tokenizer::from_gguf(data).encode("a", {.add_special = true}),
            (std::vector<std::int32_t>{3, 0}));
}

}  // namespace
}  // namespace moebench
