// Long files as objects.
#include <gmock/gmock.h>

#include "tests/cloud/dataset/dataset_fixture.h"

namespace gleaner::cloud {
namespace {

TEST_F(DatasetTest, ThePartsOfAFileAreReadFromAnywhere) {
  PartWriter writer(rig_.catalog->database(), rig_.objects(), "test", 0);
  std::string all;
  for (int i = 0; all.size() < 2 * kPartBytes + 1000; ++i) all += fmt::format("{} ", i);
  ASSERT_TRUE(writer.Append(all).ok() && writer.End().ok());
  ASSERT_EQ(writer.parts().size(), 3u);
  const PartReader reader(rig_.objects(), writer.parts());
  for (const uint64_t at : {uint64_t{0}, uint64_t{kPartBytes - 5}, uint64_t{kPartBytes},
                            uint64_t{2 * kPartBytes + 7}}) {
    std::string piece;
    ASSERT_TRUE(reader.Read(at, 10, &piece).ok());
    EXPECT_EQ(piece, all.substr(at, piece.size()));
    EXPECT_FALSE(piece.empty());
  }
  std::string piece;
  EXPECT_TRUE(absl::IsOutOfRange(reader.Read(all.size(), 1, &piece)));
}

TEST_F(DatasetTest, WhatALostAttemptWroteIsNamedUntilTheNextOneGivesItUp) {
  const auto job = [&](const std::string& name) {
    return rig_.jobs->Add({.kind = "dataset-freeze", .subject = name, .share = "datasets"}).value();
  };
  job("held");
  job("lost");
  const auto claim = [&] {
    return rig_.jobs->Claim("dataset-freeze", "datasets", "me").value().value().claim;
  };
  const auto write = [&](const JobClaim& claimed) {
    PartWriter writer(rig_.catalog->database(), rig_.objects(), AttemptOwner(claimed), 0);
    EXPECT_TRUE(writer.Append("some").ok() && writer.End().ok());
    writer.Keep();  // as a kill would leave it
  };
  const JobClaim held = claim();
  const JobClaim lost = claim();
  write(held);
  write(lost);
  EXPECT_EQ(Rubbish(), 0u);
  ASSERT_TRUE(rig_.jobs->Fail(lost, "killed", true, 0).ok());
  ASSERT_TRUE(GiveUpLostParts(rig_.catalog->database()).ok());
  EXPECT_EQ(Rubbish(), 1u);
  EXPECT_TRUE(rig_.catalog->names.Check().ok()) << rig_.catalog->names.Check();
}

TEST_F(DatasetTest, APartThatIsNotKeptIsGivenUp) {
  {
    PartWriter writer(rig_.catalog->database(), rig_.objects(), "test", 0);
    ASSERT_TRUE(writer.Append("some").ok() && writer.End().ok());
    EXPECT_EQ(Rubbish(), 0u);
  }
  EXPECT_EQ(Rubbish(), 1u);
}

}  // namespace
}  // namespace gleaner::cloud
