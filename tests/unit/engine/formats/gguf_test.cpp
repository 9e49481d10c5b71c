#include "engine/formats/gguf.h"

#include <cstring>
#include <string>

#include "engine/formats/gguf_types.h"
#include "tests/unit/engine/formats/bad_model.h"

namespace moebench {
namespace {

using testing::HasSubstr;

/// Writes a GGUF byte by byte, so that every field can lie.
class Bytes {
 public:
  template <class T>
  Bytes& number(T value) {
    data_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Bytes& text(const std::string& value) {
    number<std::uint64_t>(value.size());
    data_ += value;
    return *this;
  }
  Bytes& header(std::uint64_t tensors, std::uint64_t values, std::uint32_t version = 3) {
    return number(kGgufMagic).number(version).number(tensors).number(values);
  }
  Bytes& key(const std::string& name, GgufValueType type) {
    return text(name).number(static_cast<std::uint32_t>(type));
  }
  Bytes& tensor(const std::string& name, std::initializer_list<std::uint64_t> dims,
                std::uint32_t type, std::uint64_t offset) {
    text(name).number(static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims) number(dim);
    return number(type).number(offset);
  }
  Bytes& data(std::size_t size, std::size_t alignment = 32) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment + size, '\x02');
    return *this;
  }
  const std::string& get() const { return data_; }

 private:
  std::string data_;
};

GgufModel open(const std::string& content) {
  return open_gguf(ModelFiles::from_memory(
      {{"m.gguf", std::as_bytes(std::span(content.data(), content.size()))}}, "dir"));
}
std::string message(const Bytes& bytes) {
  return bad_model_message([&] { open(bytes.get()); });
}

TEST(Gguf, ReadsValuesAndTensors) {
  Bytes file;
  file.header(1, 3);
  file.key("a", GgufValueType::kU32).number<std::uint32_t>(7);
  file.key("b", GgufValueType::kArray)
      .number(static_cast<std::uint32_t>(GgufValueType::kString))
      .number<std::uint64_t>(2)
      .text("x")
      .text("yz");
  file.key("c", GgufValueType::kF32).number(0.5f);
  file.tensor("w", {64, 3}, 8, 0).data(3 * 68);
  const std::string content = file.get();
  const GgufModel model = open(content);
  EXPECT_EQ(model.metadata.require_int("a"), 7);
  EXPECT_EQ(model.metadata.require_strings("b")[1], "yz");
  EXPECT_EQ(model.metadata.require_float("c"), 0.5);
  EXPECT_EQ(model.metadata.find_int("nothing"), std::nullopt);
  const TensorView& w = model.checkpoint.find("w")->view;
  EXPECT_TRUE((w.shape == Shape{3, 64})) << "GGUF writes the innermost dimension first";
  EXPECT_EQ(w.dtype, DType::kQ8_0);
  EXPECT_THAT(bad_model_message([&] { (void)model.metadata.find_string("a"); }),
              HasSubstr("metadata key 'a' is not a string"));
}

TEST(Gguf, EveryTruncationIsAnError) {
  Bytes file;
  file.header(1, 2);
  file.key("general.name", GgufValueType::kString).text("tiny");
  file.key("x", GgufValueType::kArray)
      .number(static_cast<std::uint32_t>(GgufValueType::kU16))
      .number<std::uint64_t>(2)
      .number<std::uint32_t>(0);
  file.tensor("w", {32}, 0, 0).data(128);
  ASSERT_NO_THROW(open(file.get()));
  for (std::size_t size = 0; size < file.get().size(); ++size) {
    const std::string cut = file.get().substr(0, size);
    EXPECT_THAT(bad_model_message([&] { open(cut); }), HasSubstr("dir/m.gguf: ")) << size;
  }
}

TEST(Gguf, CountsThatTheFileCannotHold) {
  EXPECT_THAT(message(Bytes().header(~0ull, 0)), HasSubstr("tensors, more than the file can hold"));
  EXPECT_THAT(message(Bytes().header(0, 1ull << 60)), HasSubstr("more than the file can hold"));
  Bytes array;
  array.header(0, 1).key("x", GgufValueType::kArray);
  array.number(static_cast<std::uint32_t>(GgufValueType::kF64)).number(1ull << 61);
  EXPECT_THAT(message(array.data(64)), HasSubstr("array elements, more than the file can hold"));
  Bytes text;
  text.header(0, 1).number(~0ull);
  EXPECT_THAT(message(text.data(64)), HasSubstr("truncated"));
}

TEST(Gguf, NestedArraysAndUnknownTypes) {
  Bytes nested;
  nested.header(0, 1).key("x", GgufValueType::kArray);
  nested.number(static_cast<std::uint32_t>(GgufValueType::kArray)).number<std::uint64_t>(1);
  EXPECT_THAT(message(nested.data(64)), HasSubstr("'x' is an array of arrays"));
  Bytes unknown;
  unknown.header(0, 1).text("x").number<std::uint32_t>(99);
  EXPECT_THAT(message(unknown.data(64)), HasSubstr("'x' has the unknown type 99"));
  EXPECT_THAT(message(Bytes().header(1, 0).tensor("w", {256}, 16, 0).data(1024)),
              HasSubstr("tensor 'w' is stored as iq2_xxs, which is not supported"));
}

TEST(Gguf, TensorsThatDoNotFit) {
  EXPECT_THAT(message(Bytes().header(1, 0).tensor("w", {33}, 8, 0).data(4096)),
              HasSubstr("rows of 33, no multiple of q8_0's block of 32"));
  EXPECT_THAT(message(Bytes().header(1, 0).tensor("w", {1ull << 40, 1ull << 40}, 0, 0).data(64)),
              HasSubstr("impossible dimension"));
  EXPECT_THAT(message(Bytes().header(1, 0).tensor("w", {8}, 0, 64).data(64)),
              HasSubstr("truncated: tensor 'w' needs 32 bytes at offset 64"));
  EXPECT_THAT(message(Bytes().header(1, 0).tensor("w", {8}, 0, 5).data(64)),
              HasSubstr("tensor 'w' is not aligned"));
  EXPECT_THAT(
      message(Bytes().header(2, 0).tensor("v", {16}, 0, 0).tensor("w", {8}, 0, 32).data(96)),
      HasSubstr("tensors 'v' and 'w' overlap"));
  EXPECT_THAT(message(Bytes().header(2, 0).tensor("w", {8}, 0, 0).tensor("w", {8}, 0, 32).data(96)),
              HasSubstr("tensor 'w' is in m.gguf already"));
}

TEST(Gguf, VersionsAndMagic) {
  EXPECT_NO_THROW(open(Bytes().header(0, 0, 2).data(8).get()));
  EXPECT_THAT(message(Bytes().header(0, 0, 1).data(8)), HasSubstr("GGUF version 1"));
  EXPECT_THAT(message(Bytes().text("something else altogether")), HasSubstr("not a GGUF file"));
}

TEST(Gguf, SplitFilesBelongTogether) {
  const auto part = [](std::uint16_t number, std::uint16_t count, const std::string& tensor) {
    Bytes bytes;
    bytes.header(1, 2);
    bytes.key("split.no", GgufValueType::kU16).number(number);
    bytes.key("split.count", GgufValueType::kU16).number(count);
    return bytes.tensor(tensor, {8}, 0, 0).data(32).get();
  };
  const auto open_two = [](const std::string& a, const std::string& b) {
    return open_gguf(ModelFiles::from_memory(
        {{"m-00001-of-00002.gguf", std::as_bytes(std::span(a.data(), a.size()))},
         {"m-00002-of-00002.gguf", std::as_bytes(std::span(b.data(), b.size()))}},
        "dir"));
  };
  const std::string a = part(0, 2, "a"), b = part(1, 2, "b");
  EXPECT_EQ(open_two(a, b).checkpoint.tensors().size(), 2u);
  EXPECT_THAT(bad_model_message([&] { open(a); }), HasSubstr("one of 2 parts, 1 are here"));
  EXPECT_THAT(bad_model_message([&] { open_two(a, part(5, 2, "b")); }),
              HasSubstr("says it is part 6, its name says 2"));
  EXPECT_THAT(bad_model_message([&] { open_two(a, part(1, 2, "a")); }),
              HasSubstr("tensor 'a' is in m-00001-of-00002.gguf already"));
}

TEST(Gguf, MessagesHoldNoControlCharacters) {
  const std::string text = message(Bytes().header(1, 0).tensor("w\x1b[2J\n", {33}, 8, 0).data(64));
  EXPECT_THAT(text, HasSubstr("'w\\x1b[2J\\x0a'"));
}

}  // namespace
}  // namespace moebench
