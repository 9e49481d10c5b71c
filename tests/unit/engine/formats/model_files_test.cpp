#include "engine/formats/model_files.h"

#include <filesystem>
#include <fstream>

#include "tests/unit/engine/formats/bad_model.h"

namespace moebench {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class ModelFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(testing::TempDir()) /
                 ("model_files_" +
                  std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }
  void write(const std::string& name) { std::ofstream(directory_ / name) << name; }

  fs::path directory_;
};

TEST_F(ModelFilesTest, DirectoryGivesItsModelFilesAndNothingElse) {
  for (const char* name : {"config.json", "model.safetensors", "README.md", "x.bin"}) write(name);
  const auto files = ModelFiles::open(directory_);
  ASSERT_EQ(files->files().size(), 2u);
  EXPECT_EQ(files->require("config.json").text(), "config.json");
  EXPECT_FALSE(files->is_gguf());
  EXPECT_THAT(bad_model_message([&] { (void)files->require("tokenizer.json"); }),
              HasSubstr((directory_ / "tokenizer.json").string() + ": missing"));
}

TEST_F(ModelFilesTest, AnyPartOfASplitModelOpensAllParts) {
  write("m-00001-of-00002.gguf");
  write("m-00002-of-00002.gguf");
  EXPECT_EQ(ModelFiles::open(directory_ / "m-00002-of-00002.gguf")->files().size(), 2u);
  EXPECT_EQ(ModelFiles::open(directory_)->files().size(), 2u);
  EXPECT_TRUE(ModelFiles::open(directory_)->is_gguf());
}

TEST_F(ModelFilesTest, AMissingPartIsNamed) {
  write("m-00001-of-00002.gguf");
  EXPECT_THAT(bad_model_message([&] { ModelFiles::open(directory_ / "m-00001-of-00002.gguf"); }),
              HasSubstr("m-00002-of-00002.gguf: missing, part 2 of 2"));
}

TEST_F(ModelFilesTest, WhatIsNoModelIsSaid) {
  EXPECT_THAT(bad_model_message([&] { ModelFiles::open(directory_); }),
              HasSubstr("neither config.json nor a .gguf file"));
  write("a.gguf");
  write("b.gguf");
  EXPECT_THAT(bad_model_message([&] { ModelFiles::open(directory_); }),
              HasSubstr("holds 2 GGUF models"));
  write("notes.txt");
  EXPECT_THAT(bad_model_message([&] { ModelFiles::open(directory_ / "notes.txt"); }),
              HasSubstr("neither a directory nor a .gguf file"));
  for (const char* name : {"nothing", "nothing.gguf"})
    EXPECT_THAT(bad_model_message([&] { ModelFiles::open(directory_ / name); }),
                HasSubstr(std::string(name) + ": no such file"));
}

}  // namespace
}  // namespace moebench
