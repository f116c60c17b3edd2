#include "cloud/label/report.h"

#include <gmock/gmock.h>

#include "cloud/label/statistics.h"
#include "common/status.h"
#include "tests/cloud/label/label_testing.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class ReportTest : public LabelRig {
 protected:
  // Tasks with pre-labels that are right, each done by `who` in so many milliseconds, with a
  // pre-label and without.
  void Work(const Principal& who, uint32_t with_ms, uint32_t without_ms, double pairs = 0,
            double known_wrong = 0) {
    MakeSchema();
    std::string lines;
    for (const v1::FrameId& id : AddFrames(1, 80)) lines += LineOf(id, Box(0.25, kBottle, 0.9));
    ASSERT_TRUE(Import(lines).ok());
    v1::CreateTasksRequest request;
    request.set_seed(3);
    request.set_control_share(0.4);
    request.set_known_wrong_share(known_wrong);
    request.set_pair_share(pairs);
    MakeTasks(request);
    const v1::Annotation right = Box(0.25, kBottle);
    const Principal second{"script-second", v1::ROLE_ANNOTATOR};
    for (const Principal& one : {who, second}) {
      for (auto tasks = Take(one, 20); !tasks.empty(); tasks = Take(one, 20)) {
        for (const v1::ReviewTask& task : tasks) {
          const uint32_t ms = task.has_prelabel() ? with_ms : without_ms;
          // A little different each time.
          ASSERT_TRUE(Finish(task, one, &right, ms + task.number() % 7 * 10).ok());
        }
      }
    }
  }
  v1::GetLabelReportResponse Report(uint64_t set = 0) {
    v1::GetLabelReportRequest request;
    request.set_schema("carts");
    request.set_set(set);
    request.set_seed(7);
    const auto report = MakeReport(database(), request);
    EXPECT_TRUE(report.ok()) << report.status();
    return *report;
  }
};

TEST_F(ReportTest, SaysWhatPrelabelsSavedByClassAndModelWithItsInterval) {
  Work(ann_, 2'000, 8'000, 0.3);
  const auto report = Report();
  ASSERT_EQ(report.lines_size(), 3);
  const v1::LabelReportLine& all = report.lines(0);
  EXPECT_NEAR(all.seconds_with().mean(), 2, 0.1);
  EXPECT_NEAR(all.seconds_without().mean(), 8, 0.1);
  EXPECT_NEAR(all.saved().mean(), 0.75, 0.02);
  EXPECT_GT(all.saved().low(), 0.7);
  EXPECT_LT(all.saved().high(), 0.8);
  EXPECT_THAT(all.words(), StartsWith("pre-labels save 75 % of the time"));
  EXPECT_EQ(all.accuracy_with().mean(), 1);
  EXPECT_GT(all.accuracy_without().labels(), 0u);
  EXPECT_EQ(report.lines(1).class_name(), "bottle");
  EXPECT_EQ(report.lines(2).model(), "ssd");
  EXPECT_EQ(report.lines(2).model_version(), "1");
  EXPECT_EQ(report.lines(2).seconds_with().labels() + report.lines(2).seconds_without().labels(),
            80u);
  EXPECT_EQ(report.kappa().labels(), 0u) << "of one class it can say nothing";
  EXPECT_TRUE(report.partly_scripted());
  EXPECT_FALSE(report.scripted());
  EXPECT_EQ(Report().SerializeAsString(), report.SerializeAsString()) << "a seed says it all";
  EXPECT_EQ(Report(99).labels(), 0u) << "of a set that isn't there";
  EXPECT_TRUE(absl::IsNotFound(MakeReport(database(), {}).status()) ||
              absl::IsInvalidArgument(MakeReport(database(), {}).status()));
}

TEST_F(ReportTest, SaysThatNothingWasSavedWhereTheIntervalIncludesIt) {
  Work({"script-demo", v1::ROLE_ANNOTATOR}, 5'000, 5'000, 0, 0.3);
  const auto report = Report();
  EXPECT_LE(report.lines(0).saved().low(), 0);
  EXPECT_GE(report.lines(0).saved().high(), 0);
  EXPECT_THAT(report.lines(0).words(), HasSubstr("nothing was saved"));
  EXPECT_TRUE(report.scripted());
  EXPECT_EQ(report.caught().mean(), 1) << "all of them were put right";
  EXPECT_GT(report.caught().labels(), 10u);
}

TEST_F(ReportTest, SaysThatPrelabelsCostTime) {
  Work(ann_, 9'000, 3'000);
  EXPECT_THAT(Report().lines(0).words(), StartsWith("nothing was saved: pre-labels cost"));
  EXPECT_EQ(Report().kappa().labels(), 0u);
  EXPECT_FALSE(Report().scripted());
}

TEST_F(ReportTest, SaysHowFarTwoPeopleAgreeOnceThereIsMoreThanOneThingToSay) {
  MakeSchema();
  const auto frames = AddFrames(1, 12);
  v1::CreateTasksRequest request;
  request.set_pair_share(1);
  MakeTasks(request);
  // Both see a bottle in each frame, but for one that only the first sees.
  const v1::Annotation bottle = Box(0.25, kBottle), nothing, box = Box(0.25, kBox);
  const auto of_ann = Take(ann_, 20), of_bob = Take(bob_, 20);
  ASSERT_EQ(of_ann.size(), 12u);
  ASSERT_EQ(of_bob.size(), 12u);
  for (size_t i = 0; i < 6; ++i) {
    ASSERT_TRUE(Finish(of_ann[i], ann_, &bottle).ok());
    ASSERT_TRUE(Finish(of_bob[i], bob_, i == 0 ? &nothing : &bottle).ok());
  }
  EXPECT_EQ(Report().kappa().labels(), 0u) << "it would be below 0";
  // And a box in the others.
  for (size_t i = 6; i < 12; ++i) {
    ASSERT_TRUE(Finish(of_ann[i], ann_, &box).ok());
    ASSERT_TRUE(Finish(of_bob[i], bob_, &box).ok());
  }
  const v1::Measured kappa = Report().kappa();
  EXPECT_EQ(kappa.labels(), 12u);
  // 11 of 12 alike; by chance (6 × 5 + 6 × 6) / 144.
  EXPECT_NEAR(kappa.mean(), (11.0 / 12 - 66.0 / 144) / (1 - 66.0 / 144), 1e-9);
  EXPECT_LE(kappa.low(), kappa.mean());
  EXPECT_EQ(kappa.high(), 1);
}

TEST_F(ReportTest, SaysWhereThereIsTooLittleToSay) {
  MakeSchema();
  AddFrames(1, 1);
  const auto report = Report();
  EXPECT_THAT(report.lines(0).words(), StartsWith("too few labels to say"));
  EXPECT_FALSE(report.scripted());
}

TEST(StatisticsTest, KappaIsThatOfTheTextbook) {
  // Cohen 1960 as it is mostly shown: 20 both yes, 5 only the first, 10 only the second, 15 both
  // no.
  Opinions opinions;
  const auto add = [&](int count, int a, int b) {
    for (int i = 0; i < count; ++i) opinions.emplace_back(a, b);
  };
  add(20, 1, 1);
  add(5, 1, 0);
  add(10, 0, 1);
  add(15, 0, 0);
  EXPECT_NEAR(Kappa(opinions), 0.4, 1e-9);
  EXPECT_EQ(Kappa({{1, 1}, {1, 1}}), 1);
  EXPECT_EQ(Kappa({{1, 0}, {0, 1}}), -1);
}

TEST(StatisticsTest, AnIntervalOfNinetyFivePercentHoldsTheMeanAboutSoOften) {
  // Values of 1 to 100 s, evenly: the true mean is 50.5.
  int holds = 0;
  uint64_t state = 1;
  constexpr int kTimes = 400;
  for (int i = 0; i < kTimes; ++i) {
    std::vector<double> values;
    for (int j = 0; j < 60; ++j) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      values.push_back(1 + static_cast<double>((state >> 33) % 100));
    }
    const v1::Measured mean = MeanOf(values, static_cast<uint64_t>(i));
    EXPECT_LE(mean.low(), mean.mean());
    EXPECT_GE(mean.high(), mean.mean());
    holds += mean.low() <= 50.5 && 50.5 <= mean.high();
  }
  EXPECT_NEAR(holds, 0.94 * kTimes, 0.04 * kTimes);
}

TEST(StatisticsTest, OfNothingNothingIsSaid) {
  EXPECT_EQ(MeanOf({}, 1).labels(), 0u);
  EXPECT_EQ(SavedOf({1, 2}, {1}, 1).labels(), 0u);
  EXPECT_EQ(SavedOf({1, 2}, {0, 0}, 1).labels(), 0u);
  EXPECT_EQ(KappaOf({}, 1).labels(), 0u);
}

TEST(StatisticsTest, WhoIsAScriptSaysSo) {
  EXPECT_TRUE(IsScript("script"));
  EXPECT_TRUE(IsScript("script-demo"));
  EXPECT_FALSE(IsScript("scriptor"));
  EXPECT_FALSE(IsScript("ann"));
}

}  // namespace
}  // namespace gleaner::cloud
