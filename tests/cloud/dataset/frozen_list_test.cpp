// A version is what it was, and anybody can say so.
#include <gmock/gmock.h>

#include "cloud/database/columns.h"
#include "common/status.h"
#include "tests/cloud/dataset/dataset_fixture.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;

TEST_F(DatasetTest, ItsRootIsThatOfASecondImplementation) {
  rig_.Fill(3, 7);
  for (uint64_t most = 1; most <= 9; ++most) {
    v1::FreezeDatasetRequest request;
    request.set_most(most);
    const std::string name = fmt::format("of-{}", most);
    ASSERT_TRUE(rig_.Freeze(name, request).ok());
    EXPECT_EQ(Frames(name).size(), most);
    EXPECT_EQ(ReadBack("merkle " + Save(name, rig_.ListOf(name))),
              rig_.datasets->Get(name)->dataset().root() + "\n");
  }
}

TEST_F(DatasetTest, AVersionIsNeverChangedNorMadeTwice) {
  rig_.Fill(1, 2);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  const absl::Status again = rig_.Freeze("first");
  EXPECT_TRUE(absl::IsAlreadyExists(again)) << again;
  for (const char* change :
       {"UPDATE dataset_version SET root = 'x'", "DELETE FROM dataset_version"}) {
    EXPECT_FALSE(rig_.catalog->database()
                     .Write([&](Sql& sql) {
                       sql.Run(change, In());
                       return absl::OkStatus();
                     })
                     .ok())
        << change;
  }
}

TEST_F(DatasetTest, AListThatWasTouchedIsFoundOut) {
  rig_.Fill(1, 3);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  std::string list = rig_.ListOf("first");
  list[list.find("250000")] = '3';
  PartWriter writer(rig_.catalog->database(), rig_.objects(), "test", 0);
  ASSERT_TRUE(writer.Append(list).ok() && writer.End().ok());
  ASSERT_TRUE(rig_.catalog->database()
                  .Write([&](Sql& sql) {
                    sql.Run("UPDATE dataset_part SET blob = :blob WHERE owner = 'list 1'",
                            In(writer.parts()[0].blob));
                    return absl::OkStatus();
                  })
                  .ok());
  const auto verified = rig_.datasets->Verify("first");
  EXPECT_TRUE(absl::IsDataLoss(verified.status())) << verified.status();
  EXPECT_THAT(std::string(Message(verified.status())), HasSubstr("its root is"));
  EXPECT_TRUE(absl::IsDataLoss(rig_.Export("first", "coco").status()));
}

}  // namespace
}  // namespace gleaner::cloud
