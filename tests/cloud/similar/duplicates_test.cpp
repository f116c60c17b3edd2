#include "cloud/similar/duplicates.h"

#include <gmock/gmock.h>

#include <cmath>

#include "cloud/database/tally.h"
#include "cloud/similar/likeness.h"
#include "tests/cloud/similar/similar_testing.h"

namespace gleaner::cloud {
namespace {

using media::kGridSide;
using media::LumaGrid;

// A scene with shelves and stripes, seen with a shift and a scale, in other light, and with a thing
// of 3 × 5 cells in it.
struct View {
  double shift_x = 0, shift_y = 0, scale = 1;
  double gain = 1, light = 0;
  int thing_x = -1, thing_y = -1;
};

LumaGrid Seen(const View& view, double phase = 0) {
  LumaGrid grid{};
  for (int y = 0; y < kGridSide; ++y) {
    for (int x = 0; x < kGridSide; ++x) {
      double brightness = 0;
      for (int sub = 0; sub < 16; ++sub) {  // the mean of the cell
        const double u =
            ((x + (sub % 4 + 0.5) / 4) / kGridSide * 2 - 1) * view.scale + view.shift_x;
        const double v =
            ((y + (sub / 4 + 0.5) / 4) / kGridSide * 2 - 1) * view.scale + view.shift_y;
        brightness += 110 + 50 * std::sin(5 * u + phase) * std::cos(4 * v - phase) +
                      25 * std::sin(9 * (u + v) + 2 * phase) + 20 * v;
      }
      brightness = view.gain * brightness / 16 + view.light;
      if (view.thing_x >= 0 && std::abs(x - view.thing_x) <= 1 && std::abs(y - view.thing_y) <= 2) {
        brightness += 60;
      }
      grid[static_cast<size_t>(y * kGridSide + x)] =
          static_cast<uint8_t>(std::clamp(brightness, 0.0, 255.0));
    }
  }
  return grid;
}

bool Same(const View& a, const View& b) { return AreDuplicates(Compare(Seen(a), Seen(b))); }

TEST(LikenessTest, AFrameThatIsShiftedCroppedOrInOtherLightIsADuplicate) {
  EXPECT_TRUE(Same({}, {}));
  EXPECT_TRUE(Same({}, {.shift_x = 0.1, .shift_y = -0.06}));
  EXPECT_TRUE(Same({}, {.scale = 0.87}));
  EXPECT_TRUE(Same({.scale = 0.87}, {}));
  EXPECT_TRUE(Same({}, {.gain = 0.6, .light = 30}));
  EXPECT_TRUE(Same({.thing_x = 20, .thing_y = 12}, {.thing_x = 20, .thing_y = 12}));
}

TEST(LikenessTest, WhereSomethingCameWentOrMovedItIsNone) {
  EXPECT_FALSE(Same({}, {.thing_x = 20, .thing_y = 12}));
  EXPECT_FALSE(Same({.thing_x = 20, .thing_y = 12}, {}));
  EXPECT_FALSE(Same({.thing_x = 20, .thing_y = 12}, {.thing_x = 25, .thing_y = 12}));
  EXPECT_FALSE(Same({}, {.shift_x = 0.08, .gain = 0.8, .thing_x = 9, .thing_y = 20}));
}

TEST(LikenessTest, AnotherSceneIsNone) {
  for (const double phase : {0.7, 1.5, 2.2}) {
    EXPECT_FALSE(AreDuplicates(Compare(Seen({}), Seen({}, phase)))) << phase;
  }
}

TEST(LikenessTest, FlatAndHostileGridsAreComparedToo) {
  LumaGrid dark{}, bright{}, checks{};
  bright.fill(255);
  for (size_t i = 0; i < checks.size(); ++i) checks[i] = (i + i / kGridSide) % 2 == 0 ? 0 : 255;
  EXPECT_TRUE(AreDuplicates(Compare(dark, dark)));
  for (const LumaGrid* a : {&dark, &bright, &checks}) {
    for (const LumaGrid* b : {&dark, &bright, &checks}) {
      const Likeness likeness = Compare(*a, *b);
      EXPECT_TRUE(std::isfinite(likeness.difference));
      EXPECT_GE(likeness.common, 0);
    }
  }
}

class DuplicatesTest : public testing::Test {
 protected:
  static constexpr int64_t kSecond = kNanosPerSecond;
  static constexpr int64_t kDay = 1'700'000'000 * kNanosPerSecond;

  static media::ChosenFrame Chosen(int64_t pts, const View& view, double phase = 0,
                                   uint64_t phash = 1) {
    media::ChosenFrame frame{.pts = pts, .phash = phash};
    frame.grid = Seen(view, phase);
    return frame;
  }
  std::string Add(SimilarRig::ClipOfFrames options, const media::ChosenFrame& frame) {
    options.frames = {frame};
    options.sequence = ++sequence_;
    return rig_.AddClip(options);
  }
  uint64_t Cluster(const std::string& clip, int64_t pts = 0, const std::string& camera = "front") {
    return rig_
        .Read<std::optional<uint64_t>>(
            [&](Sql& sql) { return ClusterOf(sql, {.clip = clip, .camera = camera, .pts = pts}); })
        .value_or(0);
  }
  size_t Clusters() {
    return rig_.Read<uint64_t>([](Sql& sql) { return ReadTally(sql, "duplicate-cluster"); });
  }

  TemporaryFolder folder_;
  SimilarRig rig_{folder_ / ""};
  uint64_t sequence_ = 0;
};

TEST_F(DuplicatesTest, FramesOfOneCameraThatLookAlikeShareACluster) {
  const std::string clip = rig_.AddClip(
      {.frames = {Chosen(0, {}), Chosen(1000, {.shift_x = 0.08}),
                  Chosen(2000, {.thing_x = 9, .thing_y = 9}), Chosen(3000, {.gain = 0.7})}});
  EXPECT_GT(Cluster(clip, 0), 0u);
  EXPECT_EQ(Cluster(clip, 1000), Cluster(clip, 0));
  EXPECT_NE(Cluster(clip, 2000), Cluster(clip, 0));
  EXPECT_EQ(Cluster(clip, 3000), Cluster(clip, 0));
  EXPECT_EQ(Clusters(), 2u);
}

TEST_F(DuplicatesTest, OneThatComesLaterJoinsWhatIsThereAlsoWhereItWasTakenBefore) {
  const std::string first = Add({.fired_ns = kDay}, Chosen(0, {}));
  const std::string later = Add({.fired_ns = kDay + 3600 * kSecond}, Chosen(0, {.light = 20}));
  const std::string before = Add({.fired_ns = kDay - 3600 * kSecond}, Chosen(0, {.light = -20}));
  EXPECT_EQ(Cluster(later), Cluster(first));
  EXPECT_EQ(Cluster(before), Cluster(first));
  const std::string long_ago = Add({.fired_ns = kDay - kSameCameraNs - kSecond}, Chosen(0, {}));
  EXPECT_NE(Cluster(long_ago), Cluster(first));
}

TEST_F(DuplicatesTest, AnotherCameraOfTheSiteCountsForMinutesAndAnotherSiteNever) {
  const std::string first = Add({}, Chosen(0, {}));
  const std::string beside = Add({.device = "cart-2", .camera = "rear"}, Chosen(0, {.light = 9}));
  EXPECT_EQ(Cluster(beside, 0, "rear"), Cluster(first));
  const std::string late =
      Add({.device = "cart-2", .fired_ns = kDay + kSameSiteNs + kSecond}, Chosen(0, {}));
  EXPECT_NE(Cluster(late), Cluster(first));
  const std::string elsewhere = Add({.device = "cart-3", .site = "store-8"}, Chosen(0, {}));
  EXPECT_NE(Cluster(elsewhere), Cluster(first));
  const std::string nowhere = Add({.device = "cart-4", .site = ""}, Chosen(0, {}));
  const std::string nowhere_too = Add({.device = "cart-5", .site = ""}, Chosen(0, {}));
  EXPECT_NE(Cluster(nowhere), Cluster(nowhere_too));
}

TEST_F(DuplicatesTest, AClusterIsWhatLooksLikeItsFirstFrameAndDoesNotDrift) {
  std::string before;
  size_t clusters = 0;
  std::set<uint64_t> seen;
  for (int step = 0; step < 12; ++step) {
    before = Add({.fired_ns = kDay + step * kSecond}, Chosen(0, {.shift_x = 0.1 * step}));
    seen.insert(Cluster(before));
  }
  clusters = seen.size();
  EXPECT_GE(clusters, 3u);
  EXPECT_LE(clusters, 8u);
}

TEST_F(DuplicatesTest, ACheckThatIsRepeatedLeavesFramesInTheirClusters) {
  SimilarRig::ClipOfFrames made{
      .frames = {Chosen(0, {}), Chosen(1000, {}), Chosen(2000, {.thing_x = 9, .thing_y = 9})}};
  const std::string clip = rig_.AddClip(made);
  const uint64_t first = Cluster(clip, 0), other = Cluster(clip, 2000);
  EXPECT_EQ(Clusters(), 2u);
  // The leader goes; what it led stays together.
  made.frames = {Chosen(1000, {}), Chosen(3000, {.light = 10})};
  rig_.Check(made);
  EXPECT_EQ(Cluster(clip, 0), 0u);
  EXPECT_EQ(Cluster(clip, 1000), first);
  EXPECT_EQ(Cluster(clip, 3000), first);
  EXPECT_EQ(Clusters(), 1u) << "the one without frames is gone";
  made.frames = {Chosen(2000, {.thing_x = 9, .thing_y = 9})};
  rig_.Check(made);
  EXPECT_NE(Cluster(clip, 2000), other) << "a number is never used twice";
  EXPECT_EQ(Clusters(), 1u);
}

TEST_F(DuplicatesTest, TheSameFramesInTheSameOrderMakeTheSameClusters) {
  std::vector<std::vector<uint64_t>> made;
  for (int time = 0; time < 2; ++time) {
    TemporaryFolder folder;
    SimilarRig rig(folder / "");
    std::vector<uint64_t> clusters;
    for (uint64_t n = 0; n < 20; ++n) {
      const std::string clip =
          rig.AddClip({.sequence = n + 1,
                       .fired_ns = kDay + static_cast<int64_t>(n) * kSecond,
                       .frames = {Chosen(0, {.shift_x = 0.03 * static_cast<double>(n % 7),
                                             .thing_x = n % 3 == 0 ? 9 : -1,
                                             .thing_y = 9})}});
      clusters.push_back(rig.Read<std::optional<uint64_t>>([&](Sql& sql) {
                              return ClusterOf(sql, {clip, "front", 0});
                            })
                             .value());
    }
    made.push_back(clusters);
  }
  EXPECT_EQ(made[0], made[1]);
}

TEST_F(DuplicatesTest, ThoseOfSeveralClipsAreReadAtOnce) {
  const std::string a = Add({}, Chosen(0, {})), b = Add({}, Chosen(0, {}));
  std::map<std::string, uint64_t> found;
  rig_.Read<int>([&](Sql& sql) {
    ReadClustersOf(sql, {a, b},
                   [&](const FrameName& name, uint64_t cluster) { found[name.clip] = cluster; });
    return 0;
  });
  EXPECT_EQ(found.size(), 2u);
  EXPECT_EQ(found[a], Cluster(a));
  EXPECT_EQ(found[b], found[a]);
}

}  // namespace
}  // namespace gleaner::cloud
