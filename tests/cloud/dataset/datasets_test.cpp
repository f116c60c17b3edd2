// Lists and differences.
#include <gmock/gmock.h>

#include "tests/cloud/dataset/dataset_fixture.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;

TEST_F(DatasetTest, ADiffNamesWhatCameWhatWentAndWhatChanged) {
  rig_.Fill(3, 3);
  ASSERT_TRUE(rig_.Freeze("old").ok());
  const json before = Frames("old")[0];
  rig_.Label({before["clip"], "front", before["pts"]}, {DatasetRig::Box(2, 0, 0, 0.5, 0.5)});
  const std::string added = rig_.AddClip({.device = "cart-9", .phashes = {0xf0f0}});
  rig_.Label({added, "front", 0}, {});
  v1::FreezeDatasetRequest request;
  request.set_filter("-device:cart-2");
  ASSERT_TRUE(rig_.Freeze("new", request).ok());
  v1::DiffDatasetsRequest ask;
  ask.set_from("old");
  ask.set_to("new");
  ask.set_limit(100);
  const auto diff = rig_.datasets->Diff(ask).value();
  EXPECT_EQ(diff.added(), 1u);
  EXPECT_EQ(diff.removed(), 3u);
  EXPECT_EQ(diff.changed() + diff.same(), 6u);
  EXPECT_LE(diff.changed(), 1u);
  ASSERT_EQ(diff.changes_size(), static_cast<int>(4 + diff.changed()));
  for (const v1::DatasetChange& change : diff.changes()) {
    if (change.kind() == v1::DatasetChange::KIND_ADDED) {
      EXPECT_EQ(change.frame().clip(), added);
    }
    if (change.kind() == v1::DatasetChange::KIND_CHANGED) {
      EXPECT_THAT(change.what(), testing::Contains("boxes"));
    }
  }
  ask.set_limit(2);
  EXPECT_EQ(rig_.datasets->Diff(ask)->changes_size(), 2);
}

TEST_F(DatasetTest, ListsGoBackFromTheNewestPageByPage) {
  rig_.Fill(1, 1);
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(rig_.Freeze(name).ok());
  v1::ListDatasetsRequest request;
  request.set_page_size(2);
  const auto first = rig_.datasets->List(request).value();
  ASSERT_EQ(first.datasets_size(), 2);
  EXPECT_EQ(first.datasets(0).name(), "c");
  EXPECT_EQ(first.datasets(0).made_by(), "ann");
  request.set_page_token(first.next_page_token());
  const auto rest = rig_.datasets->List(request).value();
  ASSERT_EQ(rest.datasets_size(), 1);
  EXPECT_EQ(rest.datasets(0).name(), "a");
  EXPECT_TRUE(rest.next_page_token().empty());
  request.set_page_token("x");
  EXPECT_TRUE(absl::IsInvalidArgument(rig_.datasets->List(request).status()));
}

}  // namespace
}  // namespace gleaner::cloud
