#include <cstring>
#include <string>
#include <vector>

#include "engine/formats/checkpoint.h"
#include "tests/unit/engine/formats/bad_model.h"

namespace moebench {
namespace {

using testing::HasSubstr;

/// A file of this header and `data_bytes` bytes; the length field may lie.
std::string safetensors(const std::string& header, std::size_t data_bytes,
                        std::int64_t length_lie = 0) {
  const std::uint64_t length = header.size() + static_cast<std::uint64_t>(length_lie);
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file + header + std::string(data_bytes, '\x01');
}

/// Opens the files; those called *.json are JSON text, the others safetensors.
Checkpoint open(const std::vector<std::pair<std::string, std::string>>& contents) {
  std::vector<ModelFiles::File> files;
  for (const auto& [name, content] : contents) {
    files.push_back({name, std::as_bytes(std::span(content.data(), content.size()))});
  }
  // The result is only looked at while `contents` lives.
  return open_safetensors(ModelFiles::from_memory(files, "dir"));
}

std::string message(const std::string& header, std::size_t data_bytes, std::int64_t lie = 0) {
  return bad_model_message([&] {
    open({{"model.safetensors", safetensors(header, data_bytes, lie)}});
  });
}

TEST(Safetensors, ReadsNamesTypesAndShapes) {
  const std::string file = safetensors(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]}})",
      32);
  const std::vector<std::pair<std::string, std::string>> contents = {{"model.safetensors", file}};
  const Checkpoint checkpoint = open(contents);
  ASSERT_EQ(checkpoint.tensors().size(), 2u);
  EXPECT_TRUE((checkpoint.find("a")->view.shape == Shape{2, 3}));
  EXPECT_EQ(checkpoint.find("b")->view.dtype, DType::kBF16);
  EXPECT_EQ(checkpoint.find("c"), nullptr);
}

TEST(Safetensors, HeaderThatLiesAboutItsLength) {
  const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  EXPECT_THAT(message(header, 4, 1000), HasSubstr("dir/model.safetensors: the header says it is"));
  EXPECT_THAT(message(header, 4, -3), HasSubstr("not valid JSON"));
  EXPECT_THAT(message(header, 4, -static_cast<std::int64_t>(header.size()) - 1),
              HasSubstr("the header says it is 18446744073709551615 bytes"));
}

TEST(Safetensors, OffsetsBeyondTheFile) {
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", 12),
              HasSubstr("tensor 'a' lies at bytes 0 to 16 of a data section of 12"));
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}})", 12),
              HasSubstr("tensor 'a' lies at bytes 8 to 4"));
}

TEST(Safetensors, ShapeThatDoesNotFitTheOffsets) {
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8),
              HasSubstr("says 12 bytes by dtype and shape but 8 by data_offsets"));
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],)"
                      R"("data_offsets":[0,8]}})",
                      8),
              HasSubstr("no file of this size can hold"));
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}})", 8),
              HasSubstr("not a non-negative integer"));
}

TEST(Safetensors, OverlapDuplicateAndUnknownType) {
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                      R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                      12),
              HasSubstr("tensors 'a' and 'b' overlap"));
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                      R"("a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                      8),
              HasSubstr("'a' occurs twice"));
  EXPECT_THAT(message(R"({"a":{"dtype":"F8_E5M2","shape":[4],"data_offsets":[0,4]}})", 4),
              HasSubstr("dtype 'F8_E5M2', which is not supported"));
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 9),
              HasSubstr("5 bytes after its last tensor"));
}

TEST(Safetensors, NestingIsBounded) {
  std::string header;
  for (int i = 0; i < 100000; ++i) header += "{\"a\":";
  EXPECT_THAT(message(header, 0), HasSubstr("nested deeper than 64"));
}

TEST(Safetensors, MissingShardIsNamed) {
  const std::string index =
      R"({"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}})";
  const std::string shard =
      safetensors(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4);
  EXPECT_THAT(bad_model_message([&] {
                open({{"model.safetensors.index.json", index},
                      {"model-00001-of-00002.safetensors", shard}});
              }),
              HasSubstr("'model-00002-of-00002.safetensors' is missing, a shard"));
}

TEST(Safetensors, ShardOutsideTheModelsFolderIsToldAsSuch) {
  const std::string shard =
      safetensors(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4);
  const auto refusal = [&](const std::string& name) {
    return bad_model_message([&] {
      open({{"model.safetensors.index.json", R"({"weight_map":{"a":")" + name + R"("}})"},
            {"x.safetensors", shard}});
    });
  };
  for (const std::string name : {"../x.safetensors", "/etc/passwd", "..", "sub/../../x.safetensors",
                                 "../dir/x.safetensors"}) {
    EXPECT_THAT(refusal(name), HasSubstr("dir/model.safetensors.index.json: weight_map of 'a' "
                                         "names '" +
                                         name + "', which points outside the model's folder"));
  }
  for (const std::string name : {"sub/x.safetensors", "./x.safetensors", "."}) {
    EXPECT_THAT(refusal(name),
                HasSubstr("dir/model.safetensors.index.json: weight_map of 'a' names '" + name +
                          "', which is not the name of a file in the model's folder"));
  }
}

TEST(Safetensors, TensorThatIsNotInItsShard) {
  const std::string index = R"({"weight_map":{"a":"x.safetensors","b":"x.safetensors"}})";
  const std::string shard =
      safetensors(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4);
  EXPECT_THAT(bad_model_message([&] {
                open({{"model.safetensors.index.json", index}, {"x.safetensors", shard}});
              }),
              HasSubstr("tensor 'b' should be in 'x.safetensors' but is not"));
}

TEST(Safetensors, NoWeightsAtAll) {
  EXPECT_THAT(bad_model_message([] {
                open({{"config.json", "{}"}});
              }),
              HasSubstr("dir/model.safetensors: missing"));
}

}  // namespace
}  // namespace moebench
