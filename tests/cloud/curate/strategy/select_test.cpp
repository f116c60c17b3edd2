#include "cloud/curate/strategy/select.h"

#include <set>

#include "tests/cloud/curate/strategy/strategy_testing.h"

namespace gleaner::cloud {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

std::map<std::string, double> Mix(std::vector<Arm> arms) {
  const auto mix = CompleteMix(std::move(arms));
  EXPECT_TRUE(mix.ok()) << mix.status();
  std::map<std::string, double> shares;
  for (const Arm& arm : *mix) shares[arm.strategy] = arm.share;
  return shares;
}

TEST(MixTest, WithoutAWordIsHybridWithBothRandomArms) {
  const auto mix = Mix({});
  EXPECT_NEAR(mix.at("hybrid"), .9, 1e-9);
  EXPECT_NEAR(mix.at("random"), .05, 1e-9);
  EXPECT_NEAR(mix.at("random_after_dedup"), .05, 1e-9);
}

TEST(MixTest, AlwaysHasBothRandomArmsAndTheSharesSumUp) {
  const auto mix = Mix({{"margin", 3}, {"novelty", 1}, {"random", 1}});
  EXPECT_NEAR(mix.at("random_after_dedup"), .05, 1e-9);
  EXPECT_NEAR(mix.at("margin"), .95 * .6, 1e-9);
  double sum = 0;
  for (const auto& [name, share] : mix) sum += share;
  EXPECT_NEAR(sum, 1, 1e-9);
}

TEST(MixTest, TakesTheRunsOwnShareOfChanceButNeverNone) {
  EXPECT_NEAR(Mix({{"hybrid", 8}, {"random", 1}, {"random_after_dedup", 1}}).at("random"), .1,
              1e-9);
  for (const double share : {0.0, -1.0, std::nan("")}) {
    const auto mix = CompleteMix({{"hybrid", 1}, {"random", share}});
    EXPECT_TRUE(absl::IsInvalidArgument(mix.status())) << share;
  }
  const auto little = CompleteMix({{"hybrid", 1}, {"random", .001}});
  EXPECT_THAT(std::string(little.status().message()), HasSubstr("at least 0.01"));
}

TEST(MixTest, OnlyOfChanceIsAMixToo) {
  EXPECT_THAT(Mix({{"random", 1}, {"random_after_dedup", 1}}), SizeIs(2));
  EXPECT_NEAR(Mix({{"random", 1}}).at("random"), .95, 1e-9);
}

TEST(MixTest, NamesTheStrategiesThatThereAre) {
  const auto mix = CompleteMix({{"psychic", 1}});
  EXPECT_THAT(std::string(mix.status().message()),
              HasSubstr("there is no strategy 'psychic'; there are: hybrid, "));
  EXPECT_TRUE(absl::IsInvalidArgument(CompleteMix({{"margin", 1}, {"margin", 2}}).status()));
}

TEST(BudgetTest, IsSharedByLargestRemaindersWithOneForEachArmAtLeast) {
  const auto mix = CompleteMix({});
  ASSERT_TRUE(mix.ok());
  EXPECT_THAT(*SharesOfBudget(*mix, 20), ElementsAre(18, 1, 1));
  EXPECT_THAT(*SharesOfBudget(*mix, 3), ElementsAre(1, 1, 1));
  EXPECT_THAT(*SharesOfBudget(*mix, 110), ElementsAre(99, 6, 5));
  EXPECT_TRUE(absl::IsInvalidArgument(SharesOfBudget(*mix, 2).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(SharesOfBudget(*mix, kMaxBudget + 1).status()));
}

SelectionOrder Order(size_t budget, std::vector<Arm> arms = {}, uint64_t seed = 1) {
  return {.budget = budget, .arms = *CompleteMix(std::move(arms)), .quotas = {}, .seed = seed};
}

TEST(SelectTest, SaysOfEachPickWhichArmItIsOf) {
  const auto selection = Select(MixedPool(500), Order(40));
  ASSERT_TRUE(selection.ok()) << selection.status();
  std::map<std::string, size_t> arms;
  for (const Pick& pick : selection->picks) ++arms[pick.strategy];
  EXPECT_EQ(arms["random"], 2U);
  EXPECT_EQ(arms["random_after_dedup"], 2U);
  EXPECT_EQ(arms["hybrid"], 36U);
}

TEST(SelectTest, IsTheSameForTheSameSeedAndAnotherForAnother) {
  const Pool pool = MixedPool(500);
  const auto frames = [&](uint64_t seed) {
    std::vector<size_t> all;
    const auto selection = Select(pool, Order(40, {}, seed));
    for (const Pick& pick : selection->picks) all.push_back(pick.frame);
    return all;
  };
  EXPECT_EQ(frames(1), frames(1));
  EXPECT_NE(frames(1), frames(2));
}

TEST(SelectTest, ChanceDrawsTheSameWhateverTheOtherArmsAre) {
  const Pool pool = MixedPool(500);
  const auto drawn = [&](std::vector<Arm> arms) {
    std::vector<size_t> all;
    const auto selection = Select(pool, Order(40, std::move(arms)));
    for (const Pick& pick : selection->picks) {
      if (pick.strategy == "random") all.push_back(pick.frame);
    }
    return all;
  };
  EXPECT_EQ(drawn({{"margin", 1}}), drawn({{"novelty", 1}, {"coverage", 1}}));
}

TEST(SelectTest, GivesWhatAnArmCannotFillToChanceAfterDedupAndSaysSo) {
  PoolMaker maker;
  for (int i = 0; i < 4; ++i) maker.Add({.first = "a", .first_confidence = 1});
  for (int i = 0; i < 50; ++i) maker.Add({});
  const auto selection = Select(maker.pool, Order(20, {{"margin", 1}}));
  ASSERT_TRUE(selection.ok()) << selection.status();
  EXPECT_THAT(selection->picks, SizeIs(20));
  EXPECT_THAT(selection->notes, Contains(HasSubstr("of the 18 frames of its share")));
}

TEST(SelectTest, TellsWhenThereAreNotEnoughFrames) {
  const auto selection = Select(MixedPool(34), Order(40));
  ASSERT_TRUE(selection.ok()) << selection.status();
  EXPECT_THAT(selection->picks, SizeIs(29));
  EXPECT_THAT(selection->notes, Contains(HasSubstr("29 of 40 frames were chosen")));
}

TEST(SelectTest, ErrorsOfAStrategyAreTheSelections) {
  PoolMaker maker;
  for (int i = 0; i < 50; ++i) maker.Add({});
  const auto selection = Select(maker.pool, Order(20, {{"coverage", 1}}));
  EXPECT_TRUE(absl::IsFailedPrecondition(selection.status()));
  EXPECT_THAT(std::string(selection.status().message()), HasSubstr("coverage needs embeddings"));
}

TEST(RngTest, IsSplitmix) {
  Rng rng(1234567);
  EXPECT_EQ(rng.Next(), 6457827717110365317ULL);
  EXPECT_EQ(rng.Next(), 3203168211198807973ULL);
}

TEST(VectorsTest, SumsAreTheSameAlongAndAcrossRows) {
  Rng rng(3);
  for (const size_t size : {1, 15, 16, 17, 64, 250, 256}) {
    std::vector<float> rows(9 * size), one(size), out(9);
    for (float& x : rows) x = static_cast<float>(rng.Uniform() - .5);
    for (float& x : one) x = static_cast<float>(rng.Uniform() - .5);
    DotEach(one.data(), rows.data(), 9, size, out.data());
    for (size_t i = 0; i < 9; ++i) {
      EXPECT_EQ(out[i], Dot(one.data(), &rows[i * size], size)) << size;
      double exact = 0;
      for (size_t k = 0; k < size; ++k) exact += double{one[k]} * rows[i * size + k];
      EXPECT_NEAR(out[i], exact, 1e-4) << size;
    }
  }
}

}  // namespace
}  // namespace gleaner::cloud
