#include <set>

#include "tests/cloud/curate/strategy/strategy_testing.h"

namespace gleaner::cloud {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

TEST(MarginTest, ChoosesWhereTheTwoBestAnswersAreClosestAndSaysBetweenWhich) {
  PoolMaker maker;
  maker.Add(
      {.first = "bottle", .second = "mug", .first_confidence = .9F, .second_confidence = .1F});
  maker.Add(
      {.first = "bottle", .second = "mug", .first_confidence = .52F, .second_confidence = .48F});
  maker.Add({.first = "mug", .second = "box", .first_confidence = .6F, .second_confidence = .3F});
  const Picked picked = PickBy("margin", maker.pool, 2);
  EXPECT_THAT(picked.frames(), ElementsAre(1, 2));
  EXPECT_EQ(picked.picks[0].reason, "margin 0.04 between bottle and mug");
  EXPECT_NEAR(picked.picks[0].score, -.04, 1e-6);
}

TEST(MarginTest, TakesOneOfEachClusterAndThenTheRestAndSaysWhichOfItsClusterItIs) {
  PoolMaker maker;
  for (int i = 0; i < 3; ++i) {
    maker.Add({.cluster = 7,
               .first = "a",
               .second = "b",
               .first_confidence = .5F,
               .second_confidence = .5F,
               .taken_ns = i});
  }
  maker.Add({.cluster = 8, .first = "a", .second = "b", .first_confidence = 1});
  EXPECT_THAT(PickBy("margin", maker.pool, 2).frames(), ElementsAre(1, 3));
  const Picked all = PickBy("margin", maker.pool, 10);
  ASSERT_THAT(all.picks, SizeIs(4));
  EXPECT_THAT(all.picks[2].reason, HasSubstr("2nd of its cluster"));
  EXPECT_THAT(all.picks[3].reason, HasSubstr("3rd of its cluster"));
}

TEST(MarginTest, LeavesAClusterThatHasALabelUntilNothingElseIsLeft) {
  PoolMaker maker;
  maker.Add({.cluster = 1, .label = "mug"});
  maker.Add({.cluster = 1,
             .first = "a",
             .second = "b",
             .first_confidence = .5F,
             .second_confidence = .5F});
  maker.Add({.first = "a", .second = "b", .first_confidence = 1});
  EXPECT_THAT(PickBy("margin", maker.pool, 1).frames(), ElementsAre(2));
  EXPECT_THAT(PickBy("margin", maker.pool, 2).frames(), ElementsAre(2, 1));
}

TEST(EntropyTest, ChoosesWhereAnswersAreSpreadMost) {
  PoolMaker maker;
  maker.Add({.first = "a", .second = "b", .first_confidence = .5F, .second_confidence = .5F});
  maker.Add({.first = "a", .second = "b", .first_confidence = .34F, .second_confidence = .33F});
  EXPECT_THAT(PickBy("entropy", maker.pool, 2).frames(), ElementsAre(1, 0));
}

TEST(StrategiesTest, SayWhatThePoolLacks) {
  PoolMaker maker;
  for (int i = 0; i < 3; ++i) maker.Add({});
  for (const auto& [strategy, lacks] : {std::pair{"margin", "predictions"},
                                        {"entropy", "predictions"},
                                        {"class_balance", "predictions"},
                                        {"coverage", "embeddings"},
                                        {"novelty", "embeddings"},
                                        {"error_buckets", "corrections"}}) {
    const absl::Status status = PickBy(strategy, maker.pool, 1).status;
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << strategy << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(lacks)) << strategy;
  }
}

TEST(CoverageTest, TakesTheMostTypicalOfTheLargestGroupFirst) {
  PoolMaker maker;
  // Five to the right, of which the middle one is the most typical, and two upwards.
  for (const float y : {-.2F, -.1F, 0.F, .1F, .2F}) maker.Add({.embedding = {1, y, 0}});
  for (const float x : {0.F, .1F}) maker.Add({.embedding = {x, 0, 1}});
  const Picked picked = PickBy("coverage", maker.pool, 2);
  ASSERT_THAT(picked.picks, SizeIs(2));
  EXPECT_EQ(picked.picks[0].frame, 2);
  EXPECT_THAT(picked.picks[1].frame, AnyOf(5, 6));
  EXPECT_EQ(picked.picks[0].reason, "the most typical of 5 alike, none of which has a label");
}

TEST(CoverageTest, GoesWhereNoLabelIs) {
  PoolMaker maker;
  for (const float y : {-.2F, -.1F, 0.F, .1F, .2F}) {
    maker.Add({.embedding = {1, y, 0}, .label = y == 0.F ? "mug" : ""});
  }
  for (const float x : {0.F, .1F}) maker.Add({.embedding = {x, 0, 1}});
  EXPECT_THAT(PickBy("coverage", maker.pool, 1).frames(), ElementsAre(AnyOf(5, 6)));
}

TEST(CoverageTest, GoesOnAtRandomWhereEveryFrameIsLikeALabelledOne) {
  PoolMaker maker;
  for (int i = 0; i < 4; ++i)
    maker.Add({.cluster = 3, .embedding = {1, .01F * static_cast<float>(i)}});
  const Picked picked = PickBy("coverage", maker.pool, 3);
  ASSERT_TRUE(picked.status.ok());
  EXPECT_THAT(picked.picks, SizeIs(3));
}

TEST(HybridTest, CoversUntilThereAreTwoHundredLabelsAndThenDoubts) {
  Pool pool = MixedPool(900);
  for (PoolFrame& frame : pool.frames) {
    frame.labelled = false;
    frame.cluster = 0;
  }
  for (size_t i = 0; i < 190; ++i) pool.frames[i * 2].labelled = true;
  const Picked picked = PickBy("hybrid", pool, 30);
  ASSERT_THAT(picked.picks, SizeIs(30));
  for (size_t i = 0; i < 30; ++i) {
    EXPECT_THAT(picked.picks[i].reason, i < 10 ? HasSubstr("typical") : HasSubstr("margin")) << i;
  }
}

TEST(HybridTest, WithoutEmbeddingsDrawsAtRandomAndSaysSo) {
  PoolMaker maker;
  for (int i = 0; i < 5; ++i) maker.Add({.first = "a", .first_confidence = 1});
  const Picked picked = PickBy("hybrid", maker.pool, 2);
  ASSERT_THAT(picked.picks, SizeIs(2));
  EXPECT_THAT(picked.picks[0].reason, HasSubstr("no frame has an embedding"));
}

TEST(HybridTest, WithoutPredictionsGoesOnCoveringAndSaysSo) {
  PoolMaker maker;
  for (int i = 0; i < 260; ++i) {
    maker.Add({.embedding = {1, static_cast<float>(i)}, .label = i < 210 ? "mug" : ""});
  }
  const Picked picked = PickBy("hybrid", maker.pool, 2);
  ASSERT_THAT(picked.picks, SizeIs(2));
  EXPECT_THAT(picked.picks[0].reason, HasSubstr("no model has predicted"));
}

TEST(ErrorBucketsTest, GoesToWhereReviewersCorrectedMostAndSaysHowOften) {
  PoolMaker maker;
  for (int i = 0; i < 20; ++i) {
    maker.Add({.site = i < 10 ? "good" : "bad",
               .label = "mug",
               .reviewed = true,
               .corrected = i >= 12 || i == 0});
  }
  for (int i = 0; i < 6; ++i) maker.Add({.site = i % 2 == 0 ? "good" : "bad"});
  const Picked picked = PickBy("error_buckets", maker.pool, 10);
  ASSERT_TRUE(picked.status.ok()) << picked.status;
  EXPECT_THAT(picked.frames(), UnorderedElementsAre(21, 23, 25)) << "nothing of what goes well";
  EXPECT_EQ(picked.picks[0].reason,
            "site bad: 8 of 10 reviewed were corrected (80 %, 45 % over all)");
}

TEST(ErrorBucketsTest, KnowsHoursOfTheDay) {
  PoolMaker maker;
  constexpr int64_t kHour = 3'600'000'000'000;
  for (int i = 0; i < 20; ++i) {
    maker.Add({.label = "mug",
               .reviewed = true,
               .corrected = i < 10,
               .taken_ns = (i < 10 ? 21 : 9) * kHour});
  }
  maker.Add({.taken_ns = (24 + 21) * kHour});
  maker.Add({.taken_ns = (24 + 9) * kHour});
  const Picked picked = PickBy("error_buckets", maker.pool, 2);
  EXPECT_THAT(picked.frames(), ElementsAre(20));
  EXPECT_THAT(picked.picks[0].reason, HasSubstr("hour 21:00 to 22:00 UTC"));
}

TEST(ClassBalanceTest, FillsUpTheClassWithTheFewestLabels) {
  PoolMaker maker;
  for (int i = 0; i < 3; ++i) maker.Add({.label = "bottle"});
  maker.Add({.label = "mug"});
  for (int i = 0; i < 5; ++i) maker.Add({.first = "bottle", .first_confidence = .9F});
  for (int i = 0; i < 5; ++i) maker.Add({.first = "mug", .first_confidence = .8F});
  const Picked picked = PickBy("class_balance", maker.pool, 4);
  std::vector<std::string> classes;
  for (const size_t frame : picked.frames()) {
    classes.push_back(maker.pool.words[maker.pool.frames[frame].guess.first]);
  }
  EXPECT_THAT(classes, ElementsAre("mug", "mug", "bottle", "mug"));
  EXPECT_EQ(picked.picks[0].reason,
            "predicted mug (0.80), of which there is 1 label or pick so far");
}

TEST(NoveltyTest, TakesWhatIsFarthestFromAllLabelsAndFromWhatItTook) {
  PoolMaker maker;
  maker.Add({.embedding = {1, 0, 0}, .label = "mug"});
  maker.Add({.embedding = {1, .1F, 0}});
  maker.Add({.embedding = {-1, .2F, 0}});
  maker.Add({.embedding = {-1, 0, 0}});
  maker.Add({.embedding = {0, 0, 1}});
  EXPECT_THAT(PickBy("novelty", maker.pool, 3).frames(), ElementsAre(3, 4, 2));
}

TEST(RandomTest, GivesEveryFrameTheSameChance) {
  PoolMaker maker;
  for (int i = 0; i < 10; ++i) maker.Add({});
  std::vector<int> drawn(10);
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    for (const size_t frame : PickBy("random", maker.pool, 2, {}, seed).frames()) ++drawn[frame];
  }
  for (const int count : drawn) EXPECT_NEAR(count, 400, 80);
  const Picked picked = PickBy("random", maker.pool, 2);
  EXPECT_DOUBLE_EQ(picked.picks[0].score, .2);
  EXPECT_EQ(picked.picks[0].reason, "drawn at random from 10 frames without a label");
}

TEST(RandomAfterDedupTest, ShowsNobodyTheSameMomentTwice) {
  PoolMaker maker;
  for (int i = 0; i < 30; ++i) maker.Add({.cluster = static_cast<uint64_t>(1 + i / 10)});
  const Picked picked = PickBy("random_after_dedup", maker.pool, 3);
  std::set<uint64_t> clusters;
  for (const size_t frame : picked.frames()) clusters.insert(maker.pool.frames[frame].cluster);
  EXPECT_THAT(clusters, SizeIs(3));
}

TEST(StrategiesTest, NeverChooseWhatHasALabelNorOneFrameTwice) {
  const Pool pool = MixedPool(300);
  for (const StrategyEntry& entry : Strategies()) {
    const Picked picked = PickBy(entry.name, pool, 300);
    ASSERT_TRUE(picked.status.ok()) << entry.name << picked.status;
    std::set<size_t> frames;
    for (const Pick& pick : picked.picks) {
      EXPECT_FALSE(pool.frames[pick.frame].labelled) << entry.name;
      EXPECT_TRUE(frames.insert(pick.frame).second) << entry.name;
      EXPECT_NE(pick.reason, "") << entry.name;
    }
    EXPECT_FALSE(frames.empty()) << entry.name;
  }
}

TEST(StrategiesTest, HoldQuotas) {
  const Pool pool = MixedPool(300);
  for (const StrategyEntry& entry : Strategies()) {
    const Picked picked = PickBy(entry.name, pool, 100, {.site = 4, .device = 3, .cluster = 1});
    ASSERT_TRUE(picked.status.ok()) << entry.name << picked.status;
    std::map<Word, size_t> sites, devices;
    std::map<uint64_t, size_t> clusters;
    for (const Pick& pick : picked.picks) {
      const PoolFrame& frame = pool.frames[pick.frame];
      EXPECT_LE(++sites[frame.site], 4U) << entry.name;
      EXPECT_LE(++devices[frame.device], 3U) << entry.name;
      EXPECT_LE(++clusters[frame.cluster], 1U) << entry.name;
    }
    EXPECT_FALSE(picked.picks.empty()) << entry.name;
  }
}

TEST(StrategiesTest, ChooseTheSameForASeedWithOneThreadOrTwo) {
  const Pool pool = MixedPool(2000, 40);
  for (const StrategyEntry& entry : Strategies()) {
    const Picked once = PickBy(entry.name, pool, 60, {}, 7, 1);
    const Picked again = PickBy(entry.name, pool, 60, {}, 7, 2);
    ASSERT_TRUE(once.status.ok()) << entry.name << once.status;
    ASSERT_EQ(once.frames(), again.frames()) << entry.name;
    for (size_t i = 0; i < once.picks.size(); ++i) {
      EXPECT_EQ(once.picks[i].score, again.picks[i].score) << entry.name;
      EXPECT_EQ(once.picks[i].reason, again.picks[i].reason) << entry.name;
    }
  }
}

TEST(StrategiesTest, EndSoonWhenAskedTo) {
  const Pool pool = MixedPool(2000, 40);
  std::stop_source stop;
  stop.request_stop();
  for (const char* name : {"coverage", "novelty"}) {
    Rng rng(1);
    Choosing choosing{rng, stop.get_token()};
    Chosen chosen(pool, {});
    const absl::Status status = FindStrategy(name)->get().Pick(pool, 100, choosing, chosen);
    EXPECT_TRUE(absl::IsCancelled(status)) << name << status;
  }
}

TEST(StrategiesTest, DoNotMindAnEmptyPool) {
  for (const StrategyEntry& entry : Strategies()) {
    EXPECT_THAT(PickBy(entry.name, {}, 10).picks, IsEmpty()) << entry.name;
  }
}

}  // namespace
}  // namespace gleaner::cloud
