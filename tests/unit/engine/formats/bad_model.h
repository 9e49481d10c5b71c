#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/base/error.h"

namespace moebench {

/// The message of the Error(kBadModel) that `work` throws; a test failure when it throws none.
template <class Work>
std::string bad_model_message(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadModel) << error.what();
    EXPECT_FALSE(error.remedy().empty()) << "say what the user can do: " << error.what();
    return error.what();
  }
  ADD_FAILURE() << "a broken model was taken for a good one";
  return {};
}

}  // namespace moebench
