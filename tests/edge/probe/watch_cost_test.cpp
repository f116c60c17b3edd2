// What watching costs, in frames that had to be decoded; the CPU's time is made up.
#include "edge/probe/watch_cost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock.h"
#include "edge/camera/source.h"
#include "edge/probe/stream_study.h"
#include "tests/edge/camera/film.h"
#include "tests/edge/trigger/streams.h"

namespace gleaner::edge {
namespace {

struct Seen {
  VideoFormat format;
  std::vector<Packet> packets;
};

Seen Watch(const std::string& path) {
  auto source = Source::OpenFile(path, [] { return false; });
  EXPECT_TRUE(source.ok()) << source.status();
  StreamStudy study((*source)->format(), /*live=*/false);
  for (;;) {
    auto packet = (*source)->Read();
    if (!packet.ok() || *packet == nullptr) break;
    study.Add(*std::move(packet), 0);
  }
  study.Finish();
  return {(*source)->format(), study.packets()};
}

// A millisecond passes each time it is looked at: after each packet.
struct TickingCpu {
  int64_t operator()() { return ns += kNanosPerMilli; }
  int64_t ns = 0;
};

constexpr char kPlain[] = "-c:v libx264 -preset veryfast -g 50 -bf 0 -pix_fmt yuv420p";

TEST(WatchCost, OfAQuietCameraIsHardlyAFrame) {
  const Seen seen = Watch(Stream("quiet-360p"));
  const auto cost = MeasureWatchCost(seen.format, seen.packets, {}, TickingCpu());
  ASSERT_TRUE(cost.ok()) << cost.status();
  EXPECT_LT(cost->frames, seen.packets.size()) << "without the first two seconds";
  EXPECT_GT(cost->frames, seen.packets.size() * 9 / 10);
  EXPECT_LT(cost->decoded_frames * 10, cost->frames);
  EXPECT_FALSE(cost->moved);
  EXPECT_FALSE(cost->SizesFail());
  EXPECT_EQ(cost->encoder, "");
  EXPECT_NEAR(cost->cpu_ms_a_frame, 1, 0.02);
}

TEST(WatchCost, KnowsThatWhatMovesIsDecodedForAReason) {
  const Seen seen =
      Watch(MakeFilm({.seconds = 8, .moves_from_s = 2.5, .moves_to_s = 8, .encode = kPlain}));
  const auto cost = MeasureWatchCost(seen.format, seen.packets, {}, TickingCpu());
  ASSERT_TRUE(cost.ok()) << cost.status();
  EXPECT_GT(cost->decoded_frames, 75u);
  EXPECT_TRUE(cost->moved);
  EXPECT_FALSE(cost->SizesFail());
}

TEST(WatchCost, OfOtherCodecsIsDecodingAndEncodingAll) {
  const Seen seen = Watch(MakeFilm({.seconds = 8, .encode = "-c:v mjpeg -pix_fmt yuvj420p"}));
  const auto cost = MeasureWatchCost(seen.format, seen.packets, {"openh264"}, TickingCpu());
  ASSERT_TRUE(cost.ok()) << cost.status();
  EXPECT_EQ(cost->frames, 150u);
  EXPECT_EQ(cost->decoded_frames, 150u);
  EXPECT_EQ(cost->encoder, "openh264");
}

TEST(WatchCost, SaysWhyACameraCannotBeWatchedHere) {
  const Seen seen = Watch(MakeFilm({.seconds = 8, .encode = "-c:v mjpeg -pix_fmt yuvj420p"}));
  EXPECT_FALSE(MeasureWatchCost(seen.format, seen.packets, {"no-such-encoder"}, TickingCpu()).ok());
}

TEST(WatchCost, IsMeasuredForSomeSecondsOfTheProcessorAtMost) {
  const Seen seen = Watch(MakeFilm({.seconds = 8, .encode = kPlain}));
  int looks = 0;
  const auto cost = MeasureWatchCost(seen.format, seen.packets, {},
                                     [&] { return int64_t{++looks} * 100 * kNanosPerMilli; });
  ASSERT_TRUE(cost.ok()) << cost.status();
  EXPECT_LE(looks, 60);
}

TEST(WatchCost, IsNotKnownAfterTooShortALook) {
  Seen seen = Watch(MakeFilm({.seconds = 8, .encode = kPlain}));
  seen.packets.resize(65);
  const auto cost = MeasureWatchCost(seen.format, seen.packets, {}, TickingCpu());
  ASSERT_TRUE(cost.ok()) << cost.status();
  EXPECT_EQ(cost->frames, 0u);
  EXPECT_TRUE(MeasureWatchCost(seen.format, {}, {}, TickingCpu()).ok());
}

}  // namespace
}  // namespace gleaner::edge
