// Lets the parity scripts ask the engine's own tokenizer and chat template.
//
//   text_probe encode DIR|tokenizer.json [add_special] [parse_special] [through_gguf]
//                                                                        texts in, ids out
//   text_probe decode DIR|tokenizer.json [skip_special]                  ids in, texts out
//   text_probe time   DIR|tokenizer.json                                   texts in, seconds out
//   text_probe render            {"template", "variables", "unix_time"} a line in, texts out
//
// A name that ends in .gguf.json is GgufTokenizerData as JSON.
// Texts come framed on standard input: a line with the number of bytes, then the bytes. Ids are one
// line a text.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"

namespace {

using moebench::Tokenizer;

/// GgufTokenizerData written as JSON by a script.
Tokenizer load_gguf(std::istream& in) {
  const auto json = nlohmann::json::parse(in);
  moebench::GgufTokenizerData data;
  data.model = json.at("model");
  data.pre = json.value("pre", "");
  data.tokens = json.at("tokens").get<std::vector<std::string>>();
  data.scores = json.value("scores", std::vector<float>());
  data.token_types = json.at("token_types").get<std::vector<std::int32_t>>();
  data.merges = json.value("merges", std::vector<std::string>());
  if (json.contains("bos_id")) data.bos_id = json["bos_id"].get<std::int32_t>();
  if (json.contains("eos_id")) data.eos_id = json["eos_id"].get<std::int32_t>();
  return Tokenizer::from_gguf(data);
}

Tokenizer load(const std::filesystem::path& path) {
  if (path.string().ends_with(".gguf.json")) {
    std::ifstream in(path, std::ios::binary);
    return load_gguf(in);
  }
  if (std::filesystem::is_directory(path)) return Tokenizer::from_directory(path);
  std::ifstream in(path, std::ios::binary);
  moebench::TokenizerFiles files;
  files.name = path.string();
  files.tokenizer_json.assign(std::istreambuf_iterator<char>(in), {});
  return Tokenizer::from_files(files);
}

std::vector<std::string> read_texts() {
  std::vector<std::string> texts;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::string text(std::stoul(line), '\0');
    std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
    texts.push_back(std::move(text));
  }
  return texts;
}

/// A text that begins with "error: " stands for a template's failure.
std::string render(const std::string& line) {
  const auto request = nlohmann::ordered_json::parse(line);
  try {
    return moebench::ChatTemplate(request["template"].get<std::string>())
        .render(request["variables"], request["unix_time"].get<std::int64_t>());
  } catch (const moebench::Error& error) {
    return std::string("error: ") + error.what();
  }
}

int run(const std::vector<std::string>& arguments) {
  if (arguments[0] == "render") {
    std::string line;
    while (std::getline(std::cin, line)) {
      const std::string text = render(line);
      std::cout << text.size() << '\n' << text;
    }
    return 0;
  }
  Tokenizer tokenizer = load(arguments.at(1));
  const auto has = [&](const char* flag) {
    return std::find(arguments.begin() + 2, arguments.end(), flag) != arguments.end();
  };
  if (has("through_gguf")) {
    const moebench::GgufTokenizerExport exported = tokenizer.to_gguf(tokenizer.vocab_size());
    std::cerr << "tokenizer.ggml.pre = " << exported.data.pre << '\n';
    for (const std::string& note : exported.notes) std::cerr << "note: " << note << '\n';
    tokenizer = Tokenizer::from_gguf(exported.data);
  }
  if (arguments[0] == "encode") {
    for (const std::string& text : read_texts()) {
      const auto ids = tokenizer.encode(
          text, {.parse_special = has("parse_special"), .add_special = has("add_special")});
      std::string out;
      for (const std::int32_t id : ids) out += std::to_string(id) + ' ';
      std::cout << out << '\n';
    }
  } else if (arguments[0] == "decode") {
    std::string line;
    while (std::getline(std::cin, line)) {
      std::istringstream in(line);
      const std::vector<std::int32_t> ids{std::istream_iterator<std::int32_t>(in), {}};
      const std::string text = tokenizer.decode(ids, has("skip_special"));
      std::cout << text.size() << '\n' << text;
    }
  } else if (arguments[0] == "time") {
    const auto texts = read_texts();
    for (int pass = 0; pass < 5; ++pass) {
      const auto begin = std::chrono::steady_clock::now();
      std::size_t tokens = 0, bytes = 0;
      for (const std::string& text : texts) {
        tokens += tokenizer.encode(text).size();
        bytes += text.size();
      }
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      std::cout << seconds.count() << ' ' << tokens << ' ' << bytes << '\n';
    }
  } else {
    return 2;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments.empty()) return 2;
    return run(arguments);
  } catch (const moebench::Error& error) {
    std::cerr << error.what() << '\n';
    return 3;
  }
}
