// What comes of freezing.
#include <gmock/gmock.h>

#include "cloud/database/columns.h"
#include "common/status.h"
#include "tests/cloud/dataset/dataset_fixture.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST_F(DatasetTest, AFrozenListHasEveryLabelledFrameWithItsLineage) {
  rig_.Fill(4, 5);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  const auto frames = Frames("first");
  ASSERT_EQ(frames.size(), 20u);
  for (const json& frame : frames) {
    EXPECT_EQ(frame["site"], "store-7");
    EXPECT_EQ(frame["rule"], "motion");
    EXPECT_EQ(frame["reviewer_role"], "annotator");
    EXPECT_EQ(frame["width"], 1280);
    EXPECT_GT(frame["label"], 0);
    const FrameName name{frame["clip"], frame["camera"], frame["pts"]};
    EXPECT_EQ(frame["picture"]["sha256"], HexOf(Sha256::Of(TestPicture(name))));
    EXPECT_EQ(ReadKeptPicture(rig_.catalog->database(), rig_.objects(), name,
                              frame["picture"]["sha256"].get<std::string>())
                  .value(),
              TestPicture(name));
  }
  EXPECT_EQ(frames[0]["boxes"][0], (json{"bottle", 100000, 250000, 50000, 125000, json::array()}));
  const auto verified = rig_.datasets->Verify("first");
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_EQ(verified->frames(), 20u);
  EXPECT_TRUE(rig_.catalog->names.Check().ok()) << rig_.catalog->names.Check();
}

TEST_F(DatasetTest, TheSameFrozenTwiceIsTheSameAndDecodesNothingTwice) {
  rig_.Fill(3, 4);
  int decoded = 0;
  rig_.decode = [&](const FrameName& frame) -> absl::StatusOr<std::string> {
    ++decoded;
    return TestPicture(frame);
  };
  ASSERT_TRUE(rig_.Freeze("first").ok());
  ASSERT_TRUE(rig_.Freeze("second").ok());
  EXPECT_EQ(decoded, 12);
  EXPECT_EQ(rig_.ListOf("first"), rig_.ListOf("second"));
  EXPECT_EQ(rig_.datasets->Get("first")->dataset().root(),
            rig_.datasets->Get("second")->dataset().root());
}

TEST_F(DatasetTest, FilterAndPolicySayWhatIsInItAndTheCardWhatIsNot) {
  rig_.Fill(3, 6);
  v1::FreezeDatasetRequest request;
  request.set_filter("device:cart-1");
  request.set_leave_out_empty(true);
  ASSERT_TRUE(rig_.Freeze("some", request).ok());
  // Of every six frames one has no box.
  EXPECT_EQ(Frames("some").size(), 5u);
  const json card = Card("some");
  EXPECT_EQ(card["left_out"]["nothing is in it, and such frames were not wanted"], 1);
  EXPECT_EQ(card["how"]["filter"], "device:cart-1");
  EXPECT_EQ(card["by_class"]["bottle"]["frames"], 4);
  EXPECT_EQ(card["by_class"]["mug"]["boxes"], 3);
  EXPECT_THAT(card["missing"].dump(), HasSubstr("no frame is in"));
  request.set_least_role(v1::ROLE_ADMIN);
  const absl::Status none = rig_.Freeze("none", request);
  EXPECT_TRUE(absl::IsFailedPrecondition(none)) << none;
  EXPECT_THAT(std::string(Message(none)), HasSubstr("6 its reviewer's role is too low"));
  request.set_filter("sharpness<much");
  EXPECT_TRUE(absl::IsInvalidArgument(rig_.Freeze("wrong", request)));
}

TEST_F(DatasetTest, AFrameWithoutAPictureIsLeftOutAndAStoreThatIsAwayIsWaitedFor) {
  rig_.Fill(1, 3);
  rig_.decode = [&](const FrameName& frame) -> absl::StatusOr<std::string> {
    if (frame.pts == 1000) return absl::FailedPreconditionError("damaged");
    return TestPicture(frame);
  };
  ASSERT_TRUE(rig_.Freeze("first").ok());
  EXPECT_EQ(Card("first")["left_out"]["its picture can't be had"], 1);
  rig_.decode = [](const FrameName&) -> absl::StatusOr<std::string> {
    return absl::UnavailableError("away");
  };
  EXPECT_TRUE(absl::IsUnavailable(rig_.Freeze("second")));
  EXPECT_TRUE(absl::IsNotFound(rig_.datasets->Get("second").status()));
}

}  // namespace
}  // namespace gleaner::cloud
