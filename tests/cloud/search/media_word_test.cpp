#include "cloud/search/media_word.h"

#include <gtest/gtest.h>

namespace gleaner::cloud {
namespace {

using v1::MediaCheck;

TEST(MediaWord, IsTheReasonWhereThereIsOneAndElseTheState) {
  MediaCheck check;
  EXPECT_EQ(MediaWord(check), "pending");
  check.set_state(MediaCheck::STATE_OK);
  EXPECT_EQ(MediaWord(check), "ok");
  check.set_state(MediaCheck::STATE_FAILED);
  EXPECT_EQ(MediaWord(check), "failed");
  check.set_reason(MediaCheck::REASON_DAMAGED_FRAMES);
  EXPECT_EQ(MediaWord(check), "damaged-frames");
}

TEST(MediaWord, EveryReasonIsFoundByItsWord) {
  for (int i = MediaCheck::Reason_MIN + 1; i <= MediaCheck::Reason_MAX; ++i) {
    const auto reason = static_cast<MediaCheck::Reason>(i);
    EXPECT_EQ(ReasonOf(ReasonWord(reason)), reason) << ReasonWord(reason);
  }
  EXPECT_EQ(ReasonWord(MediaCheck::REASON_UNSPECIFIED), "");
  for (const char* none : {"", "ok", "unspecified", "damaged_frames"}) {
    EXPECT_EQ(ReasonOf(none), std::nullopt) << none;
  }
}

}  // namespace
}  // namespace gleaner::cloud
