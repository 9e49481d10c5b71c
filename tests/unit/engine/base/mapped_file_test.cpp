#include "engine/base/mapped_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "engine/base/error.h"

namespace moebench {
namespace {

TEST(MappedFile, GivesTheBytesOfTheFile) {
  const auto path = std::filesystem::path(testing::TempDir()) / "mapped_file_test.bin";
  std::ofstream(path) << "expert";
  const MappedFile file(path);
  ASSERT_EQ(file.bytes().size(), 6u);
  EXPECT_EQ(static_cast<char>(file.bytes()[5]), 't');
}

TEST(MappedFile, NamesAMissingFile) {
  try {
    MappedFile("/no/such/model.gguf");
    FAIL() << "a missing file must throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_NE(std::string(error.what()).find("/no/such/model.gguf"), std::string::npos);
  }
}

TEST(MappedFile, RefusesADirectory) { EXPECT_THROW(MappedFile(testing::TempDir()), Error); }

}  // namespace
}  // namespace moebench
