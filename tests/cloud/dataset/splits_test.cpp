// Which split a frame is in, and that nothing moves it.
#include <gmock/gmock.h>

#include "cloud/database/columns.h"
#include "tests/cloud/dataset/dataset_fixture.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST_F(DatasetTest, NothingThatIsDoneLaterMovesAFrame) {
  rig_.Fill(12, 2);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  std::map<std::string, std::string> splits;
  for (const json& frame : Frames("first")) splits[frame["clip"]] = frame["split"];
  rig_.MakeSchema({"bottle", "mug", "box"});
  v1::FreezeDatasetRequest request;
  request.set_most(9);
  request.set_seed(5);
  ASSERT_TRUE(rig_.Freeze("second", request).ok());
  for (const json& frame : Frames("second")) EXPECT_EQ(frame["split"], splits[frame["clip"]]);
}

TEST(SplitsTest, GroupsAreInOneSplitOfEachSchemaInTheirShares) {
  const std::string key(32, 'k');
  std::array<int, 3> count{};
  int moved = 0, by_another_key = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string group = GroupOf("cart-1", "store-7", i * kSplitBlockNs);
    const Split split = SplitOf(key, "carts", group);
    EXPECT_EQ(split, SplitOf(key, "carts", GroupOf("cart-1", "store-7", i * kSplitBlockNs + 1)));
    ++count[static_cast<size_t>(split)];
    moved += split != SplitOf(key, "shelves", group);
    by_another_key += split != SplitOf(std::string(32, 'a'), "carts", group);
  }
  EXPECT_NEAR(count[0], 8000, 200);
  EXPECT_NEAR(count[1], 1000, 150);
  EXPECT_NEAR(count[2], 1000, 150);
  EXPECT_NEAR(moved, 3400, 300) << "each schema has splits of its own";
  EXPECT_NEAR(by_another_key, 3400, 300) << "only who has the key knows them";
}

TEST_F(DatasetTest, ACatalogMakesItsKeyOnce) {
  std::string first, second;
  ASSERT_TRUE(rig_.catalog->database()
                  .Write([&](Sql& sql) {
                    sql.Run("DELETE FROM dataset_key", In());
                    first = MakeSplitKey(sql);
                    second = MakeSplitKey(sql);
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(first, second);
  EXPECT_NE(first, std::string(32, '\xaa'));
}

// So that what is recovered from a store's objects has the splits that were.
TEST(SplitsTest, TheKeyFollowsFromTheStore) {
  const auto key = [](const std::string& store) {
    TemporaryFolder folder;
    const auto catalog = OpenTestCatalog(folder / "catalog.db").value();
    EXPECT_TRUE(catalog->names.Adopt(store).ok());
    std::string made;
    EXPECT_TRUE(catalog->database()
                    .Write([&](Sql& sql) {
                      made = MakeSplitKey(sql);
                      return absl::OkStatus();
                    })
                    .ok());
    return made;
  };
  const std::string one(32, 'a'), other(32, 'b');
  EXPECT_EQ(key(one), key(one));
  EXPECT_NE(key(one), key(other));
  EXPECT_NE(key(one), one) << "whoever knows the key doesn't know the store's identity";
}

TEST_F(DatasetTest, AFrameThatWouldTieTwoSplitsIsLeftOutAndCounted) {
  // Clips ten minutes apart: neighbouring groups. All frames of all clips look alike.
  for (int c = 0; c < 40; ++c) {
    const std::string id = rig_.AddClip({.sequence = static_cast<uint64_t>(c) + 1,
                                         .fired_ns = DatasetRig::kDay + c * kSplitBlockNs,
                                         .phashes = {7}});
    rig_.Label({id, "front", 0}, {DatasetRig::Box(1, 0.1, 0.1, 0.1, 0.1)});
  }
  ASSERT_TRUE(rig_.Freeze("first").ok());
  const auto frames = Frames("first");
  const json card = Card("first");
  const uint64_t tied = card["left_out"]["looks like a frame of another split"];
  EXPECT_EQ(tied + frames.size(), 40u);
  EXPECT_GT(tied, 0u);
  std::map<int64_t, std::string> by_block;
  for (const json& frame : frames) {
    by_block[frame["taken_unix_ns"].get<int64_t>() / kSplitBlockNs] = frame["split"];
  }
  for (const auto& [block, split] : by_block) {
    if (!by_block.contains(block + 1)) continue;
    EXPECT_EQ(split, by_block[block + 1]) << block;
  }
  EXPECT_THAT(rig_.datasets->Get("first")->card_text(),
              HasSubstr("looks like a frame of another split"));
}

TEST_F(DatasetTest, FramesOfBeforeAreSealedWhenTheyAreFirstFrozen) {
  rig_.seals = false;
  rig_.Fill(2, 3);
  rig_.seals = true;
  ASSERT_TRUE(rig_.Freeze("first").ok());
  EXPECT_EQ(Frames("first").size(), 6u);
}

}  // namespace
}  // namespace gleaner::cloud
