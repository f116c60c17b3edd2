// What cameras of the field do to their packets: frames that come at any rate, twice, under numbers
// that leave some out, and beside reports that lie.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <vector>

#include "tests/edge/camera/field_watch.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;

// When a frame is taken, by its number.
using Taken = std::function<int64_t(int64_t n)>;

Taken Varying(const std::vector<std::pair<int64_t, int64_t>>& phases) {  // frames, and ms each
  int64_t frames = 0, ms = 0;
  for (const auto& [count, each_ms] : phases) {
    frames += count;
    ms += count * each_ms;
  }
  return [=](int64_t n) {
    int64_t at_ms = n / frames * ms, rest = n % frames;
    for (const auto& [count, each_ms] : phases) {
      at_ms += std::min(count, rest) * each_ms;
      rest -= std::min(count, rest);
    }
    return at_ms * kMs;
  };
}

// A camera whose frames are taken when `taken` says, each stamped with that and sent as soon as all
// that is shown before it has been taken. Whatever the rate, every frame has its own time.
void ExpectTimes(const char* encode, const Taken& taken, int64_t most_off_ns) {
  const Film film = MakeAndLoad(encode);
  const auto frames = static_cast<int64_t>(film.pictures.size());
  int64_t lead = 0;
  for (int64_t n = 0; n < frames; ++n) {
    lead = std::max(lead, film.pictures[n].pts / kTicks - n);
  }
  const RtpStamp stamp = [&](int64_t, int64_t pts) {
    return 5000 + taken(pts / kTicks) * 9 / 100'000;
  };
  RtspCamera server(film, RtspBehavior{.stamp = stamp, .loop = true});
  const auto watched = Watch(
      server, 600, [&](int64_t n) { return taken(n + lead) - (n == 0 ? 0 : taken(n + lead - 1)); });
  ExpectSound(watched->packets());
  EXPECT_EQ(watched->packets().back().run, 0u);
  EXPECT_EQ(watched->status.problem, "");
  EXPECT_EQ(watched->status.dropped, 0u);
  size_t errors = 0;
  int64_t n = 0;
  std::map<int64_t, int64_t> moments;
  for (const Packet& packet : watched->packets()) moments[packet.pts] = packet.monotonic_ns;
  const int64_t start_ns = moments.begin()->second;
  for (const auto& [pts, number] : Numbers(watched->format(), watched->packets(), &errors)) {
    ASSERT_EQ(number, n % frames);
    ASSERT_NEAR(pts, taken(n) * 9 / 100'000, 1) << "frame " << n;
    if (n > 200) {
      ASSERT_NEAR(moments.at(pts) - start_ns, taken(n), most_off_ns) << "frame " << n;
    }
    ++n;
  }
  EXPECT_EQ(errors, 0u);
  EXPECT_EQ(n, 600);
}

TEST(FieldPackets, FramesThatComeAtOneToThirtyASecondHaveTheirOwnTimes) {
  const std::vector<Taken> rates = {
      Varying({{30, 33}, {5, 1000}}),
      Varying({{1, 1000}, {1, 33}}),
      Varying({{40, 1000}, {300, 33}}),
      Varying({{200, 33}, {20, 1000}, {50, 100}}),
  };
  for (size_t i = 0; i < rates.size(); ++i) {
    for (const char* encode : {kPlain, kBFrames}) {
      SCOPED_TRACE(testing::Message() << "rates " << i << ", " << encode);
      ExpectTimes(encode, rates[i], 4 * kS);
    }
  }
}

TEST(FieldPackets, AThousandFramesASecondForAWhileHaveTheirOwnTimes) {
  for (const char* encode : {kPlain, kBFrames}) {
    SCOPED_TRACE(encode);
    ExpectTimes(encode, Varying({{100, 40}, {100, 1}}), 300 * kMs);
    ExpectTimes(encode, Varying({{20, 1}, {1, 2000}}), 2 * kS);
  }
}

TEST(FieldPackets, ASecondOfFramesThatIsSentAtOnceKeepsItsTimes) {
  for (const char* encode : {kPlain, kBFrames}) {
    RtspCamera server(MakeAndLoad(encode), RtspBehavior{.loop = true});
    const auto watched =
        Watch(server, 1000, [](int64_t n) { return n % 25 == 0 ? 976 * kMs : 1 * kMs; });
    ExpectTrueTimes(watched->format(), watched->packets(), kTicks, 200);
    EXPECT_EQ(watched->packets().back().run, 0u);
    EXPECT_EQ(watched->status.problem, "");
    EXPECT_NEAR(watched->packets().back().monotonic_ns - watched->packets()[100].monotonic_ns,
                (999 - 100) * kFrameNs, 200 * kMs);
  }
}

TEST(FieldPackets, AFrameThatIsSentTwiceIsOneFrame) {
  for (const char* encode : {kPlain, kBFrames}) {
    SCOPED_TRACE(encode);
    RtspCamera server(MakeAndLoad(encode), RtspBehavior{.loop = true, .copies = [](int64_t n) {
                                                          return n % 7 == 3 ? 2 : 1;
                                                        }});
    const auto watched = Watch(server, 500);
    ExpectTrueTimes(watched->format(), watched->packets(), kTicks, 200);
    EXPECT_EQ(watched->packets().back().run, 0u);
    EXPECT_NEAR(watched->status.dropped, 500 / 7, 2);
    EXPECT_EQ(watched->status.stamps.glitches, 0u);
    EXPECT_THAT(watched->status.problem, HasSubstr("it is the one before it once more"));
  }
}

TEST(FieldPackets, TwoFramesUnderOneStampAreTwoFramesInTheirOrder) {
  for (const char* encode : {kPlain, kBFrames}) {
    SCOPED_TRACE(encode);
    // Frame 3 bears the stamp of the one that was sent before it.
    auto last = std::make_shared<int64_t>(0);
    RtspCamera server(MakeAndLoad(encode), RtspBehavior{.stamp =
                                                            [last](int64_t n, int64_t pts) {
                                                              if (n % 10 != 3) *last = pts;
                                                              return *last;
                                                            },
                                                        .loop = true});
    const auto watched = Watch(server, 500);
    ExpectTrueTimes(watched->format(), watched->packets(), kTicks, 200);
    EXPECT_EQ(watched->packets().back().run, 0u);
    EXPECT_THAT(watched->status.problem, HasSubstr("the timestamps of single frames are wrong"));
  }
}

TEST(FieldPackets, SenderReportsThatLieChangeNoTime) {
  const uint64_t now = uint64_t{3'900'000'000} << 32;
  const std::vector<std::function<std::string(int64_t, uint32_t)>> lies = {
      // Always the same moment; an hour later each time; backwards; of a stamp far away; a part of
      // a report; and no report at all.
      [=](int64_t, uint32_t stamp) { return SenderReport(now, stamp); },
      [=](int64_t n, uint32_t stamp) {
        return SenderReport(now + (static_cast<uint64_t>(n) * 3600 << 32), stamp);
      },
      [=](int64_t n, uint32_t stamp) {
        return SenderReport(now - (static_cast<uint64_t>(n) << 32), stamp);
      },
      [=](int64_t n, uint32_t stamp) {
        return SenderReport(now, stamp + static_cast<uint32_t>(n) * 0x1000'0000);
      },
      [=](int64_t n, uint32_t stamp) {
        return SenderReport(now, stamp).substr(0, static_cast<size_t>(4 + n % 24));
      },
      [=](int64_t, uint32_t) { return std::string(28, '\x80'); },
  };
  for (size_t i = 0; i < lies.size(); ++i) {
    for (const char* encode : {kPlain, kBFrames}) {
      SCOPED_TRACE(testing::Message() << "lie " << i << ", " << encode);
      RtspCamera server(MakeAndLoad(encode), RtspBehavior{.loop = true, .rtcp = lies[i]});
      const auto watched = Watch(server, 500);
      ExpectTrueTimes(watched->format(), watched->packets(), kTicks, 200);
      EXPECT_EQ(watched->packets().back().run, 0u);
      EXPECT_EQ(watched->status.problem, "");
      EXPECT_EQ(watched->connections, 1);
    }
  }
}

TEST(FieldPackets, NumbersThatLeaveSomeOutLoseNoFrame) {
  const std::vector<std::function<int64_t(int64_t)>> skips = {
      [](int64_t n) { return n / 40; },            // one in forty is missing, it seems
      [](int64_t n) { return n / 100 * 20'000; },  // it begins anew
      [](int64_t n) { return n / 100 * -400; }, [](int64_t n) { return -n; },  // it doesn't count
  };
  for (size_t i = 0; i < skips.size(); ++i) {
    SCOPED_TRACE(testing::Message() << "numbers " << i);
    RtspCamera server(MakeAndLoad(kPlain), RtspBehavior{.loop = true, .skips = skips[i]});
    const auto watched = Watch(server, 400);
    ExpectTrueTimes(watched->format(), watched->packets(), kTicks, 200);
    EXPECT_EQ(watched->packets().back().run, 0u);
    EXPECT_EQ(watched->status.problem, "");
  }
}

}  // namespace
}  // namespace gleaner::edge
