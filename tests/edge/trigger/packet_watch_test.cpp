#include "edge/trigger/detector/packet_watch.h"

extern "C" {
#include <libavcodec/packet.h>
}

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "common/clock.h"

namespace gleaner::edge {
namespace {

// A camera at 30 frames a second with a keyframe a second. Sizes are what rate control makes of a
// quiet scene: small behind the keyframe, then growing, ±10 %.
class FakeEncoder {
 public:
  Packet Next(double scale = 1, int64_t pts_offset = 0) {
    const int place = static_cast<int>(count_ % 30);
    const double quiet = place == 0 ? 60'000 : std::min(8000.0, 60.0 * place * place);
    const double size = quiet * scale * std::normal_distribution<>(1, 0.1)(random_);
    const auto bytes = static_cast<int>(std::max(30.0, size));
    const std::shared_ptr<AVPacket> data(av_packet_alloc(),
                                         [](AVPacket* p) { av_packet_free(&p); });
    av_new_packet(data.get(), bytes);
    std::memset(data->data, 0x55, static_cast<size_t>(bytes));
    const int64_t pts = count_++ + pts_offset;
    return {.data = data,
            .pts = pts,
            .dts = pts,
            .monotonic_ns = pts * kNanosPerSecond / 30,
            .size_bytes = static_cast<size_t>(bytes),
            .keyframe = place == 0};
  }

 private:
  std::mt19937 random_{4};
  int64_t count_ = 0;
};

// Feeds quiet packets and answers the questions they raise; how many there were.
int FeedQuiet(PacketWatch& watch, FakeEncoder& encoder, int packets) {
  int questions = 0;
  for (int i = 0; i < packets; ++i) {
    if (watch.IsSuspicious(encoder.Next())) {
      ++questions;
      watch.Answer(false);
    }
    watch.Learn();
  }
  return questions;
}

TEST(PacketWatch, IsTrainedAfterSomeSecondsAndRarelyAsksWhenNothingHappens) {
  PacketWatch watch;
  FakeEncoder encoder;
  EXPECT_FALSE(watch.trained());
  FeedQuiet(watch, encoder, 30 * 10);
  EXPECT_TRUE(watch.trained());
  // A minute.
  EXPECT_LE(FeedQuiet(watch, encoder, 30 * 60), 6);
}

TEST(PacketWatch, AsksAboutAPacketFarOutOfItsPlaceInTheGroup) {
  PacketWatch watch;
  FakeEncoder encoder;
  FeedQuiet(watch, encoder, 30 * 20 + 2);
  // At place 2 a quiet packet has 240 bytes; 2,400 would be small at place 20.
  EXPECT_TRUE(watch.IsSuspicious(encoder.Next(10)));
}

TEST(PacketWatch, AsksAboutSeveralPacketsThatAreALittleOut) {
  PacketWatch watch;
  FakeEncoder encoder;
  FeedQuiet(watch, encoder, 30 * 20 + 10);
  int asked_after = 0;
  for (int i = 1; i <= 15 && asked_after == 0; ++i) {
    if (watch.IsSuspicious(encoder.Next(1.35))) asked_after = i;
  }
  EXPECT_GE(asked_after, 1);
  EXPECT_LE(asked_after, 12);
}

TEST(PacketWatch, AsksWhenTheStreamGoesEmpty) {
  PacketWatch watch;
  FakeEncoder encoder;
  FeedQuiet(watch, encoder, 30 * 20 + 15);
  EXPECT_TRUE(watch.IsSuspicious(encoder.Next(0)));
}

TEST(PacketWatch, KeepsReorderedFramesApart) {
  PacketWatch watch;
  FakeEncoder encoder;
  // Every second packet is shown before the one that came before it, and is a tenth of its size.
  for (int i = 0; i < 30 * 20; ++i) {
    const bool reordered = i % 2 == 1 && i % 30 != 0;
    watch.IsSuspicious(encoder.Next(reordered ? 0.1 : 1, reordered ? -2 : 0));
    watch.Learn();
  }
  int questions = 0;
  for (int i = 0; i < 30 * 20; ++i) {
    const bool reordered = i % 2 == 1 && i % 30 != 0;
    if (watch.IsSuspicious(encoder.Next(reordered ? 0.1 : 1, reordered ? -2 : 0))) {
      ++questions;
      watch.Answer(false);
    }
    watch.Learn();
  }
  EXPECT_LE(questions, 6);
}

TEST(PacketWatch, IsHarderToAlarmAfterFalseAlarmsAndCalmsDownWithTime) {
  PacketWatch watch;
  FakeEncoder encoder;
  watch.Answer(false);
  EXPECT_EQ(watch.strictness(), 1) << "adapts before it is trained";
  FeedQuiet(watch, encoder, 300);
  for (int i = 0; i < 20; ++i) watch.Answer(false);
  EXPECT_EQ(watch.strictness(), 3);
  FeedQuiet(watch, encoder, 30 * 60 * 5);
  EXPECT_LT(watch.strictness(), 1.6);
  const double before = watch.strictness();
  watch.Missed();
  EXPECT_LT(watch.strictness(), before);
}

TEST(PacketWatch, DoesNotTrustSizesThatVaryByThemselves) {
  PacketWatch steady;
  PacketWatch wild;
  FakeEncoder encoder;
  std::mt19937 random(7);
  EXPECT_FALSE(steady.Trustworthy());
  for (int i = 0; i < 30 * 20; ++i) {
    steady.IsSuspicious(encoder.Next());
    steady.Learn();
    wild.IsSuspicious(encoder.Next(std::exp2(std::normal_distribution<>(0, 1)(random))));
    wild.Learn();
  }
  EXPECT_TRUE(steady.Trustworthy());
  EXPECT_FALSE(wild.Trustworthy());
}

TEST(PacketWatch, DoesNotCountFiller) {
  std::vector<uint8_t> unit(1000, 0x11);
  EXPECT_EQ(SignificantBytes(unit.data(), unit.size()), 1000u);
  unit.insert(unit.end(), 500, 0xff);
  unit.push_back(0x80);
  EXPECT_EQ(SignificantBytes(unit.data(), unit.size()), 1000u);
  EXPECT_EQ(SignificantBytes(unit.data(), 0), 0u);
  const std::vector<uint8_t> short_run = {1, 2, 0xff, 0xff, 0x80};
  EXPECT_EQ(SignificantBytes(short_run.data(), short_run.size()), short_run.size());
}

}  // namespace
}  // namespace gleaner::edge
