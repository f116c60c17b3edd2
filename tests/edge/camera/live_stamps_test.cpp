// What a live camera's stamps are taken for, on a film of H.264 whose stamps and arrivals a test
// makes up: every frame's true time is its number's.
#include "edge/camera/live_stamps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "edge/camera/source.h"
#include "tests/data/seed.h"
#include "tests/edge/camera/film.h"
#include "tests/edge/camera/rtsp_camera.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kMs = kNanosPerMilli;
constexpr int64_t kS = kNanosPerSecond;
constexpr int64_t kFrame = 3600;  // 90 kHz, 25 frames a second

// A film's packets in the ticks of RTP, with their true times.
struct Reel {
  VideoFormat format;
  std::vector<std::shared_ptr<const AVPacket>> packets;  // in decode order; PTS from 0
};

Reel Load(const std::string& encode) {
  const std::string path = MakeFilm({.seconds = 8, .encode = encode});
  auto source = Source::OpenFile(path, [] { return false; });
  EXPECT_TRUE(source.ok()) << source.status();
  Reel reel;
  reel.format = (*source)->format();
  const AVRational base = ToRational(reel.format.time_base);
  reel.format.time_base = {1, 90'000};
  for (;;) {
    auto packet = (*source)->Read();
    EXPECT_TRUE(packet.ok());
    if (*packet == nullptr) return reel;
    (*packet)->pts = av_rescale_q((*packet)->pts, base, {1, 90'000});
    (*packet)->dts = AV_NOPTS_VALUE;
    (*packet)->duration = 0;
    reel.packets.emplace_back(packet->release(), AvDeleter());
  }
}

const Reel& WithBFrames() {
  static const Reel reel = Load("-c:v libx264 -preset veryfast -g 50 -bf 3 -pix_fmt yuv420p");
  return reel;
}
// Seven in a row: a frame is sent eight before its turn.
const Reel& WithManyBFrames() {
  static const Reel reel =
      Load("-c:v libx264 -preset veryfast -g 75 -bf 7 -b_strategy 0 -pix_fmt yuv420p");
  return reel;
}
const Reel& WithoutBFrames() {
  static const Reel reel = Load("-c:v libx264 -preset veryfast -g 50 -bf 0 -pix_fmt yuv420p");
  return reel;
}

struct Shown {
  int64_t true_pts = 0;  // of the film, going on through its rounds
  int64_t pts = 0;
  int64_t true_ns = 0;  // when it was sent at the earliest
  int64_t monotonic_ns = 0;
  int segment = 0;  // jumps before it
};

// `seconds` of the reel, looped; a packet is sent each 40 ms and comes `late_ns` later.
std::vector<Shown> Watch(
    const Reel& reel, double seconds, const RtpStamp& stamp, LiveStamps::Counts* counts,
    const std::function<int64_t(int64_t)>& late_ns = [](int64_t) { return 0; }) {
  ArrivalClock clock;
  LiveStamps stamps(reel.format, clock);
  std::vector<int64_t> true_pts;
  std::vector<Shown> shown;
  const auto frames = static_cast<int64_t>(seconds * 25);
  const auto pop = [&] {
    while (auto packet = stamps.Pop()) {
      Shown frame;
      const auto n = static_cast<int64_t>(shown.size());
      frame.true_pts = true_pts[shown.size()];
      frame.pts = packet->pts;
      frame.true_ns = 100 * kS + n * 40 * kMs;
      frame.monotonic_ns = packet->monotonic_ns;
      frame.segment = (shown.empty() ? 0 : shown.back().segment) + (packet->jumped ? 1 : 0);
      shown.push_back(frame);
    }
  };
  const auto length = static_cast<int64_t>(reel.packets.size());
  for (int64_t n = 0; n < frames; ++n) {
    AvPtr<AVPacket> packet(av_packet_clone(reel.packets[n % length].get()));
    true_pts.push_back(n / length * length * kFrame + packet->pts);
    packet->pts = stamp(n, true_pts.back());
    stamps.Push(std::move(packet), 100 * kS + n * 40 * kMs + late_ns(n));
    pop();
  }
  stamps.Finish();
  pop();
  *counts = stamps.counts();
  EXPECT_EQ(shown.size(), static_cast<size_t>(frames)) << "no frame is lost";
  return shown;
}

// How far moments are off: a reordered frame's is compared with that of the one in its place. The
// first `after_s` are left out.
int64_t WorstNs(const std::vector<Shown>& shown, double after_s) {
  std::vector<Shown> in_order = shown;
  std::sort(in_order.begin(), in_order.end(),
            [](const Shown& a, const Shown& b) { return a.true_pts < b.true_pts; });
  int64_t worst_ns = 0;
  for (size_t i = static_cast<size_t>(after_s * 25); i < in_order.size(); ++i) {
    const int64_t true_ns = 100 * kS + static_cast<int64_t>(i) * 40 * kMs;
    worst_ns = std::max(worst_ns, std::abs(in_order[i].monotonic_ns - true_ns));
  }
  return worst_ns;
}

// In each segment stamps order frames as they are shown, and moments do; no two are alike.
void ExpectOrder(const std::vector<Shown>& shown) {
  std::map<int, std::vector<Shown>> segments;
  for (const Shown& frame : shown) segments[frame.segment].push_back(frame);
  for (auto& [number, frames] : segments) {
    std::sort(frames.begin(), frames.end(),
              [](const Shown& a, const Shown& b) { return a.true_pts < b.true_pts; });
    for (size_t i = 1; i < frames.size(); ++i) {
      ASSERT_GT(frames[i].pts, frames[i - 1].pts) << "frame " << frames[i].true_pts / kFrame;
      ASSERT_GT(frames[i].monotonic_ns, frames[i - 1].monotonic_ns);
    }
  }
}

// Frames whose stamp isn't the source's plus what the segment's others have.
size_t Moved(const std::vector<Shown>& shown, const RtpStamp& stamp) {
  std::map<int, std::map<int64_t, size_t>> offsets;
  for (size_t n = 0; n < shown.size(); ++n) {
    ++offsets[shown[n].segment][shown[n].pts - stamp(static_cast<int64_t>(n), shown[n].true_pts)];
  }
  size_t moved = 0;
  for (const auto& [segment, counts] : offsets) {
    size_t all = 0, most = 0;
    for (const auto& [offset, count] : counts) {
      all += count;
      most = std::max(most, count);
    }
    moved += all - most;
  }
  return moved;
}

class FieldLiveStamps : public ::testing::TestWithParam<bool> {
 protected:
  const Reel& reel() const { return GetParam() ? WithBFrames() : WithoutBFrames(); }
  LiveStamps::Counts counts_;
};

TEST_P(FieldLiveStamps, PassSoundStampsUntouched) {
  const auto shown = Watch(reel(), 60, stamps::True(5000), &counts_);
  ExpectOrder(shown);
  EXPECT_EQ(Moved(shown, stamps::True(5000)), 0u);
  EXPECT_EQ(counts_.jumps + counts_.glitches, 0u);
  EXPECT_LT(WorstNs(shown, 0), 200 * kMs);
}

TEST_P(FieldLiveStamps, MendTheStampOfASingleFrameAndForgetIt) {
  for (const int64_t by : {-3, 3, -3600, 3600}) {
    const RtpStamp stamp = stamps::Glitch(50, by * 90'000);
    const auto shown = Watch(reel(), 120, stamp, &counts_);
    ExpectOrder(shown);
    EXPECT_EQ(counts_.jumps, 0u) << by;
    EXPECT_EQ(counts_.glitches, 60u) << by;
    EXPECT_EQ(Moved(shown, stamps::True()), 0u) << "mended to what it should have been";
    EXPECT_LT(WorstNs(shown, 1), 200 * kMs) << "nothing adds up";
  }
}

TEST_P(FieldLiveStamps, MendTheStampsOfAFewFramesInARow) {
  const auto shown = Watch(reel(), 120, stamps::Glitch(75, -2 * 90'000, 3), &counts_);
  ExpectOrder(shown);
  EXPECT_EQ(counts_.jumps, 0u);
  EXPECT_EQ(Moved(shown, stamps::True()), 0u);
}

TEST_P(FieldLiveStamps, TellOfAJumpOnceAndKeepTheTime) {
  for (const int64_t by : {3600, -3600, 1, -1}) {
    const RtpStamp stamp = stamps::Jump(30 * 90'000, by * 90'000);
    const auto shown = Watch(reel(), 60, stamp, &counts_);
    ExpectOrder(shown);
    EXPECT_EQ(counts_.jumps, 1u) << by;
    EXPECT_EQ(shown.back().segment, 1);
    EXPECT_EQ(Moved(shown, stamp), 0u) << "each part has the camera's own stamps";
    EXPECT_LT(WorstNs(shown, 1), 200 * kMs) << by;
  }
}

TEST_P(FieldLiveStamps, TellAGlitchFromTheJumpThatComesRightAfterIt) {
  for (const int64_t glitch : {740, 747, 748}) {
    const RtpStamp stamp = [&](int64_t n, int64_t pts) {
      return pts + (n >= 750 ? 7200 * 90'000 : n == glitch ? -50 * 90'000 : 0);
    };
    const auto shown = Watch(reel(), 60, stamp, &counts_);
    ExpectOrder(shown);
    EXPECT_EQ(counts_.jumps, 1u) << glitch;
    EXPECT_EQ(shown[739].segment, 0);
    EXPECT_EQ(shown[760].segment, 1);
    EXPECT_LT(WorstNs(shown, 33), 250 * kMs) << glitch;
  }
}

TEST_P(FieldLiveStamps, FollowAClockOfAWrongRate) {
  for (const double rate : {0.5, 0.84, 1.2, 2.0}) {
    const auto shown = Watch(reel(), 120, stamps::Scaled(rate), &counts_,
                             [](int64_t n) { return n * 7 % 5 * kMs; });
    ExpectOrder(shown);
    EXPECT_EQ(counts_.jumps + counts_.glitches, 0u) << rate;
    EXPECT_EQ(Moved(shown, stamps::Scaled(rate)), 0u);
    EXPECT_LT(WorstNs(shown, 5), 250 * kMs) << rate;
  }
}

TEST_P(FieldLiveStamps, GoByArrivalWhereStampsSayNothing) {
  for (const RtpStamp& stamp :
       {stamps::Constant(), stamps::WholeSeconds(), stamps::Jittered(3, 3600 * 90'000)}) {
    const auto shown =
        Watch(reel(), 60, stamp, &counts_, [](int64_t n) { return n * 7919 % 23 * kMs; });
    ExpectOrder(shown);
    EXPECT_TRUE(counts_.by_arrival);
    EXPECT_LE(counts_.jumps, 2u);
    EXPECT_LT(WorstNs(shown, 2), 300 * kMs);
  }
}

TEST_P(FieldLiveStamps, BelieveStampsAgainOnceTheyAreSound) {
  const RtpStamp stamp = [](int64_t n, int64_t pts) { return n < 250 ? 0 : pts; };
  const auto shown = Watch(reel(), 60, stamp, &counts_);
  EXPECT_FALSE(counts_.by_arrival);
  EXPECT_EQ(shown.back().pts - shown[shown.size() - 200].pts,
            shown.back().true_pts - shown[shown.size() - 200].true_pts);
  ExpectOrder(shown);
}

TEST_P(FieldLiveStamps, BearTheJitterOfStamps) {
  // From half a frame on, a frame's stamp may come after that of the next.
  for (const int64_t most_ms : {10, 20, 30}) {
    SCOPED_TRACE(most_ms);
    const auto shown = Watch(reel(), 600, stamps::Jittered(5, most_ms * 90), &counts_);
    ExpectOrder(shown);
    EXPECT_EQ(counts_.jumps, 0u);
    EXPECT_LT(WorstNs(shown, 2), 250 * kMs);
  }
}

TEST_P(FieldLiveStamps, KeepTheGapOfACameraThatStoodStill) {
  const RtpStamp stamp = [](int64_t n, int64_t pts) { return pts + (n >= 500 ? 30 * 90'000 : 0); };
  const auto shown =
      Watch(reel(), 60, stamp, &counts_, [](int64_t n) { return n >= 500 ? 30 * kS : 0; });
  EXPECT_EQ(Moved(shown, stamp), 0u);
  EXPECT_NEAR(shown[510].monotonic_ns - shown[490].monotonic_ns, 30 * kS + 800 * kMs, 200 * kMs);
}

TEST_P(FieldLiveStamps, AreNotMisledByANetworkThatStandsStillAndCatchesUp) {
  const auto shown = Watch(reel(), 120, stamps::True(), &counts_, [](int64_t n) {
    const int64_t in_20_s_ms = n * 40 % 20'000;
    return in_20_s_ms > 15'000 ? (20'000 - in_20_s_ms) * kMs : 0;
  });
  ExpectOrder(shown);
  EXPECT_EQ(counts_.jumps + counts_.glitches, 0u);
  EXPECT_LT(WorstNs(shown, 1), 200 * kMs);
}

INSTANTIATE_TEST_SUITE_P(Frames, FieldLiveStamps, ::testing::Values(false, true),
                         [](const auto& info) {
                           return info.param ? "WithBFrames" : "WithoutBFrames";
                         });

TEST(FieldLiveStampsFarAhead, AreBelievedAndAJumpAmongThemIsOne) {
  LiveStamps::Counts counts;
  for (const double rate : {1.0, 1.5}) {
    // In the middle of a row: some of what is shown before the jump was sent before it.
    for (const int64_t at : {700, 701, 702, 703}) {
      const RtpStamp stamp = [&](int64_t n, int64_t pts) {
        return std::llround(rate * static_cast<double>(pts)) - (n >= at ? 7200 * 90'000 : 0);
      };
      const auto shown = Watch(WithManyBFrames(), 60, stamp, &counts);
      ExpectOrder(shown);
      EXPECT_EQ(counts.jumps, 1u) << "at " << at;
      EXPECT_LE(counts.glitches, 8u) << "those of the row that the jump parts";
      EXPECT_LT(WorstNs(shown, 33), 400 * kMs) << "soon after it";
    }
  }
}

TEST(FieldLiveStampsInDecodeOrder, GetTheOrderOfPresentation) {
  // A camera that stamps packets when it sends them, whatever order they are shown in.
  LiveStamps::Counts counts;
  const RtpStamp stamp = [](int64_t n, int64_t) { return n * kFrame; };
  const auto shown = Watch(WithBFrames(), 60, stamp, &counts);
  ExpectOrder(shown);
  EXPECT_EQ(counts.jumps, 0u);
  for (const Shown& frame : shown) ASSERT_EQ(frame.pts, frame.true_pts);
}

}  // namespace
}  // namespace gleaner::edge
