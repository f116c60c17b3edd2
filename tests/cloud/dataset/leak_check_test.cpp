// No frame of one split in another.
#include <gmock/gmock.h>

#include "cloud/database/columns.h"
#include "cloud/dataset/merkle.h"
#include "common/status.h"
#include "tests/cloud/dataset/dataset_fixture.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

// As a list that another program made would: its root is right, and it leaks.
TEST_F(DatasetTest, AnExportThatWouldLeakIsRefusedByName) {
  rig_.Fill(30, 1);
  ASSERT_TRUE(rig_.Freeze("sound").ok());
  const auto plant = [&](const std::string& name, const std::function<void(FrozenFrame&)>& change) {
    PartWriter list(rig_.catalog->database(), rig_.objects(), "test", 0);
    Merkle tree;
    bool changed = false;
    std::istringstream lines(rig_.ListOf("sound"));
    for (std::string line; std::getline(lines, line);) {
      if (auto frame = FrozenFrame::FromLine(line);
          frame.ok() && !changed && frame->split == Split::kTest) {
        changed = true;
        change(*frame);
        line = frame->ToLine();
      }
      tree.Add(line);
      EXPECT_TRUE(list.Append(line + "\n").ok());
    }
    EXPECT_TRUE(changed) << "no frame was of the test split";
    EXPECT_TRUE(list.End().ok());
    list.Keep();
    EXPECT_TRUE(rig_.catalog->database()
                    .Write([&](Sql& sql) {
                      VersionRow row{.name = name, .schema = "carts", .root = HexOf(tree.Root())};
                      list.GiveTo(sql, ListOwner(InsertVersion(sql, row)));
                      return absl::OkStatus();
                    })
                    .ok());
  };
  std::string clip;
  plant("moved", [&](FrozenFrame& frame) {
    frame.split = Split::kTrain;
    clip = frame.name.clip;
  });
  ASSERT_TRUE(rig_.datasets->Verify("moved").ok());
  const auto moved = rig_.Export("moved", "coco", {"train"});
  EXPECT_TRUE(absl::IsFailedPrecondition(moved.status())) << moved.status();
  EXPECT_THAT(std::string(Message(moved.status())),
              AllOf(HasSubstr(clip), HasSubstr("is in train"), HasSubstr("sealed in test")));
  std::string train_group;
  for (const json& frame : Frames("sound")) {
    if (frame["split"] == "train") train_group = frame["group"];
  }
  plant("mixed", [&](FrozenFrame& frame) { frame.group = train_group; });
  const auto mixed = rig_.Export("mixed", "webdataset");
  EXPECT_TRUE(absl::IsFailedPrecondition(mixed.status())) << mixed.status();
  EXPECT_THAT(std::string(Message(mixed.status())), HasSubstr(train_group));
  plant("invented", [&](FrozenFrame& frame) { frame.group = "nobody/nowhere/1"; });
  const auto invented = rig_.Export("invented", "webdataset");
  EXPECT_TRUE(absl::IsFailedPrecondition(invented.status())) << invented.status();
  EXPECT_THAT(std::string(Message(invented.status())), HasSubstr("nobody/nowhere/1"));
}

// The seals say it, not the list: what is tied to another split doesn't get out.
TEST_F(DatasetTest, AFrameThatIsTiedToAnotherSplitIsRefusedByName) {
  rig_.Fill(30, 1);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  std::string clip, other;
  for (const json& frame : Frames("first")) {
    if (frame["split"] == "train") clip = frame["clip"];
    if (frame["split"] == "test") other = frame["group"];
  }
  ASSERT_TRUE(rig_.catalog->database()
                  .Write([&](Sql& sql) {
                    sql.Run(
                        "INSERT INTO seal_tie (clip, camera, pts, other) VALUES (:clip, "
                        "'front', 0, :other)",
                        In(clip, other));
                    return absl::OkStatus();
                  })
                  .ok());
  const auto made = rig_.Export("first", "coco");
  EXPECT_TRUE(absl::IsFailedPrecondition(made.status())) << made.status();
  EXPECT_THAT(std::string(Message(made.status())),
              AllOf(HasSubstr(clip), HasSubstr("is in train"), HasSubstr(other)));
}

}  // namespace
}  // namespace gleaner::cloud
