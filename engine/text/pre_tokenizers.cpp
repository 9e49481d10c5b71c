#include "engine/text/pre_tokenizers.h"

#include <array>

namespace moebench::text {

namespace {

// The regexes are those of the models' own tokenizer.json, in their order of application.

constexpr std::string_view kLlama3 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kQwen2 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kQwen35 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}|"
    " ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kTekken =
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|"
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|"
    "\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kGpt4o =
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*"
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kDeepseekV3Words =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"
    "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|"
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kDeepseekV3Cjk =
    "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+";

// DeepSeek LLM and V2 list the cased letters of the Unicode version of their day.
constexpr std::string_view kDeepseekLlmLetters =
    "\\s?["
    "A-Za-z\\x{B5}\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{1BA}\\x{1BC}-\\x{1BF}"
    "\\x{1C4}-\\x{293}\\x{295}-\\x{2AF}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37B}-\\x{37D}"
    "\\x{37F}\\x{386}\\x{388}-\\x{38A}\\x{38C}\\x{38E}-\\x{3A1}\\x{3A3}-\\x{3F5}"
    "\\x{3F7}-\\x{481}\\x{48A}-\\x{52F}\\x{531}-\\x{556}\\x{10A0}-\\x{10C5}"
    "\\x{13A0}-\\x{13F5}\\x{13F8}-\\x{13FD}\\x{1C90}-\\x{1CBA}\\x{1CBD}-\\x{1CBF}"
    "\\x{1D00}-\\x{1D2B}\\x{1D6B}-\\x{1D77}\\x{1D79}-\\x{1D9A}\\x{1E00}-\\x{1F15}"
    "\\x{1F18}-\\x{1F1D}\\x{1F20}-\\x{1F45}\\x{1F48}-\\x{1F4D}\\x{1F50}-\\x{1F57}\\x{1F59}"
    "\\x{1F5B}\\x{1F5D}\\x{1F5F}-\\x{1F7D}\\x{1F80}-\\x{1FB4}\\x{1FB6}-\\x{1FBC}\\x{1FBE}"
    "\\x{1FC2}-\\x{1FC4}\\x{1FC6}-\\x{1FCC}\\x{1FD0}-\\x{1FD3}\\x{1FD6}-\\x{1FDB}"
    "\\x{1FE0}-\\x{1FEC}\\x{1FF2}-\\x{1FF4}\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}"
    "\\x{210A}-\\x{2113}\\x{2115}\\x{2119}-\\x{211D}\\x{2124}\\x{2126}\\x{2128}"
    "\\x{212A}-\\x{212D}\\x{212F}-\\x{2134}\\x{2139}\\x{213C}-\\x{213F}\\x{2145}-\\x{2149}"
    "\\x{214E}\\x{2183}\\x{2184}\\x{2C00}-\\x{2C7B}\\x{2C7E}-\\x{2CE4}\\x{2CEB}-\\x{2CEE}"
    "\\x{2CF2}\\x{2CF3}\\x{A640}-\\x{A66D}\\x{A680}-\\x{A69B}\\x{A722}-\\x{A76F}"
    "\\x{A771}-\\x{A787}\\x{A78B}-\\x{A78E}\\x{AB70}-\\x{ABBF}\\x{FB00}-\\x{FB06}"
    "\\x{FB13}-\\x{FB17}\\x{FF21}-\\x{FF3A}\\x{FF41}-\\x{FF5A}\\x{10400}-\\x{1044F}"
    "\\x{104B0}-\\x{104D3}\\x{104D8}-\\x{104FB}\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}"
    "\\x{118A0}-\\x{118DF}\\x{1E900}-\\x{1E943}"
    "]+";
constexpr std::string_view kDeepseekLlmPunctuation =
    "\\s?[!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}\\x{2018}-\\x{201F}\\x{3000}-\\x{3002}]+";
constexpr std::string_view kDeepseekLlmCjk =
    "[\\x{4E00}-\\x{9FA5}\\x{800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+";

std::vector<PreTokenizeStep> steps(std::initializer_list<std::string_view> regexes) {
  std::vector<PreTokenizeStep> list;
  for (const std::string_view regex : regexes) list.push_back(split_step(regex));
  return list;
}

template <std::size_t N>
bool among(std::string_view name, const std::array<std::string_view, N>& names) {
  for (const std::string_view candidate : names)
    if (candidate == name) return true;
  return false;
}

}  // namespace

PreTokenizeStep split_step(std::string_view regex, SplitBehavior behavior) {
  PreTokenizeStep step;
  step.pattern = Pattern(regex);
  step.behavior = behavior;
  return step;
}

std::span<const std::string_view> gguf_pre_names() noexcept {
  static constexpr std::array<std::string_view, 13> kNames = {
      "llama-bpe", "smaug-bpe", "qwen2",  "deepseek-v3", "deepseek-llm", "deepseek-coder", "olmo",
      "smollm",    "gpt-2",     "qwen35", "tekken",      "gpt-4o",       "default"};
  return kNames;
}

std::optional<GgufPreTokenizer> gguf_pre_tokenizer(std::string_view name) {
  GgufPreTokenizer pre;
  if (among(name,
            std::to_array<std::string_view>({"llama3", "llama-v3", "llama-bpe", "falcon3"}))) {
    pre.steps = steps({kLlama3});
    pre.ignore_merges = true;
    pre.add_bos = true;
  } else if (among(name, std::to_array<std::string_view>({"dbrx", "smaug-bpe", "chatglm-bpe"}))) {
    pre.steps = steps({kLlama3});
  } else if (among(name, std::to_array<std::string_view>(
                             {"qwen2", "deepseek-r1-qwen", "megrez", "stablelm2"}))) {
    pre.steps = steps({kQwen2});
    pre.nfc = true;
  } else if (name == "qwen35") {
    pre.steps = steps({kQwen35});
    pre.nfc = true;
  } else if (name == "deepseek-v3" || name == "hunyuan-dense") {
    pre.steps = steps({"\\p{N}{1,3}", kDeepseekV3Cjk, kDeepseekV3Words});
  } else if (name == "deepseek-llm") {
    // llama.cpp joins digits here; the model's own file has Digits(individual_digits), and no token
    // of more than one digit, so that both give the same ids.
    pre.steps = steps({"[\\r\\n]", kDeepseekLlmLetters, kDeepseekLlmPunctuation, "\\s+$",
                       kDeepseekLlmCjk, "\\p{N}"});
  } else if (name == "deepseek-coder") {
    pre.steps = steps({"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", kDeepseekLlmCjk, "\\p{N}"});
  } else if (among(name,
                   std::to_array<std::string_view>({"smollm", "starcoder", "refact", "command-r",
                                                    "codeshell", "exaone", "minerva-7b"}))) {
    pre.steps = steps({"\\p{N}", kGpt2Regex});
  } else if (among(name, std::to_array<std::string_view>(
                             {"gpt-2", "phi-2", "gigachat", "jais", "roberta-bpe"}))) {
    pre.steps = steps({kGpt2Regex});
  } else if (name == "olmo" || name == "mpt") {  // GPT-NeoX's
    pre.steps = steps({kGpt2Regex});
    pre.nfc = true;
  } else if (name == "tekken") {
    pre.steps = steps({kTekken});
    pre.ignore_merges = true;
    pre.add_bos = true;
  } else if (name == "gpt-4o") {
    pre.steps = steps({kGpt4o});
  } else if (name == "default") {
    pre.steps = steps({"[\\p{P}\\$\\+<=>\\^~\\|]+", kGpt2Regex, "\\p{N}+", "[0-9][0-9][0-9]"});
  } else {
    return std::nullopt;
  }
  return pre;
}

std::optional<std::uint8_t> byte_token_value(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + digit;
  }
  return static_cast<std::uint8_t>(value);
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty()) return;
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

}  // namespace moebench::text
