// Random cameras: groups of pictures, B-frames, rates, glitches, jumps, losses and networks as the
// seed has it. Whatever they do, what is promised of times holds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "edge/camera/live_stamps.h"
#include "edge/camera/source.h"
#include "edge/camera/stream_parameters.h"
#include "edge/camera/timeline.h"
#include "tests/data/seed.h"
#include "tests/edge/camera/film.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kMs = kNanosPerMilli;
constexpr int64_t kS = kNanosPerSecond;
constexpr int64_t kFrame = 3600;  // 90 kHz, 25 frames a second
constexpr int64_t kFrameNs = 40 * kMs;
constexpr int64_t kStartNs = 500 * kS;
constexpr int kSeconds = 120;

struct Reel {
  VideoFormat format;
  std::vector<std::shared_ptr<const AVPacket>> packets;  // decode order, PTS at 90 kHz from 0
  int64_t lead = 0;  // by how many frames one is sent before its place in presentation
};

Reel Load(const std::string& encode) {
  auto source = Source::OpenFile(MakeFilm({.seconds = 10, .encode = encode}), [] { return false; });
  EXPECT_TRUE(source.ok()) << source.status();
  Reel reel;
  reel.format = (*source)->format();
  const AVRational base = ToRational(reel.format.time_base);
  reel.format.time_base = {1, 90'000};
  for (;;) {
    auto packet = (*source)->Read();
    EXPECT_TRUE(packet.ok());
    if (*packet == nullptr) return reel;
    if (reel.packets.empty()) {
      const auto parameters = CopyParameters(*reel.format.parameters);
      EXPECT_TRUE(LearnFromKeyframe(**packet, parameters.get(), &reel.format.frames_per_s));
      reel.format.parameters = parameters;
    }
    (*packet)->pts = av_rescale_q((*packet)->pts, base, {1, 90'000});
    (*packet)->dts = AV_NOPTS_VALUE;
    reel.lead = std::max(reel.lead, (*packet)->pts / kFrame - std::ssize(reel.packets));
    reel.packets.emplace_back(packet->release(), AvDeleter());
  }
}

std::string Encoder(int kind) {
  static const std::vector<std::string> encoders = {
      "-c:v libx264 -preset ultrafast -g 10 -bf 0",
      "-c:v libx264 -preset veryfast -g 250 -bf 0",
      "-c:v libx264 -preset veryfast -g 12 -bf 1",
      "-c:v libx264 -preset veryfast -g 50 -bf 2 -b_strategy 0",
      "-c:v libx264 -preset veryfast -g 30 -bf 3 -b-pyramid strict",
      "-c:v libx264 -preset veryfast -g 75 -bf 7 -b_strategy 0",
      "-c:v libx265 -preset ultrafast -x265-params log-level=none:pools=1:keyint=40:bframes=4",
      "-c:v libx264 -preset veryfast -profile:v baseline -g 20",
  };
  return encoders[static_cast<size_t>(kind) % encoders.size()] + " -pix_fmt yuv420p";
}

struct Out {
  int64_t true_pts = 0;  // of the film, through its rounds
  int64_t stamp = 0;     // what the camera said, without glitches
  bool glitched = false;
  LivePacket packet;
  Timeline::Stamps times;
  uint32_t run = 0;
};

class FieldRandomCamera : public ::testing::TestWithParam<uint64_t> {
 protected:
  int64_t Uniform(int64_t from, int64_t to) {
    return std::uniform_int_distribution<int64_t>(from, to)(random_);
  }
  double Chance() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  std::mt19937_64 random_;
};

TEST_P(FieldRandomCamera, KeepsThePromisesOfTime) {
  static const uint64_t base = Seed(20'240'611);
  const uint64_t seed = base + GetParam();
  SCOPED_TRACE(testing::Message() << "GLEANER_SEED=" << base << ", camera " << GetParam());
  random_.seed(seed);

  const std::string encoder = Encoder(static_cast<int>(Uniform(0, 7)));
  SCOPED_TRACE(encoder);
  const Reel reel = Load(encoder);
  const auto round = static_cast<int64_t>(reel.packets.size());
  const bool loses = Chance() < 0.3;
  const double glitch_rate = Chance() < 0.5 ? 0 : 0.02;
  const double rate = Chance() < 0.6 ? 1 : std::vector<double>{0.5, 0.84, 1.02, 1.5}[Uniform(0, 3)];
  const int64_t most_late_ms = Uniform(0, 60);
  std::vector<int64_t> jumps;  // at which packet
  for (int64_t at = Uniform(300, 900); at < kSeconds * 25 - 100; at += Uniform(500, 1500)) {
    if (Chance() < 0.7) jumps.push_back(at);
  }
  SCOPED_TRACE(testing::Message() << "loses " << loses << ", glitches " << glitch_rate << ", rate "
                                  << rate << ", late by up to " << most_late_ms << " ms, jumps "
                                  << testing::PrintToString(jumps));
  std::map<int64_t, int64_t> jumped_by;
  for (const int64_t at : jumps) {
    const int64_t by_ms =
        Uniform(1, 2) == 1 ? Uniform(2'000, 18'000'000) : -Uniform(2'000, 18'000'000);
    jumped_by[at] = by_ms * 90;
  }

  ArrivalClock clock;
  LiveStamps stamps(reel.format, clock);
  Timeline timeline;
  std::vector<Out> sent, out;
  bool began = false;
  int64_t newest_ns = 0;
  size_t left_out = 0;
  const auto pop = [&] {
    while (auto packet = stamps.Pop()) {
      const int64_t after_ns = newest_ns > 0 ? packet->monotonic_ns - newest_ns : 0;
      if (!std::exchange(began, true)) {
        timeline.Begin(reel.format.time_base, stamps.frames_per_s(), stamps.depth(), after_ns);
      } else if (packet->jumped) {
        timeline.Jump(after_ns);
      }
      newest_ns = std::max(newest_ns, packet->monotonic_ns);
      Out frame = std::move(sent[out.size() + left_out]);
      const auto times = timeline.Place(packet->pts, AV_NOPTS_VALUE, 0);
      if (!times.ok()) {
        if (!loses) ADD_FAILURE() << "left out: " << times.status();
        ++left_out;
        continue;
      }
      frame.times = *times;
      frame.packet = *std::move(packet);
      frame.run = timeline.jumps();
      out.push_back(std::move(frame));
    }
  };
  int64_t offset = Uniform(0, 1'000'000);
  int64_t lost_until = 0, burst_until_ns = 0;
  for (int64_t n = 0; n < kSeconds * 25; ++n) {
    if (jumped_by.contains(n)) offset += jumped_by[n];
    // Near a jump nobody could tell one trouble from the other.
    const bool near_jump = std::any_of(jumps.begin(), jumps.end(),
                                       [&](int64_t at) { return n > at - 100 && n < at + 150; });
    const bool calm = n < 150 || near_jump;
    AvPtr<AVPacket> packet(av_packet_clone(reel.packets[n % round].get()));
    if (loses && !calm && n >= lost_until && Chance() < 0.002) lost_until = n + Uniform(1, 60);
    if (n < lost_until) continue;
    Out frame;
    frame.true_pts = n / round * round * kFrame + packet->pts;
    frame.stamp = offset + std::llround(rate * static_cast<double>(frame.true_pts));
    packet->pts = frame.stamp;
    if (!calm && Chance() < glitch_rate) {
      packet->pts += (Chance() < 0.5 ? -1 : 1) * Uniform(90'000, 90'000 * 3600);
      frame.glitched = true;
    }
    if (!calm && Chance() < 0.0005)
      burst_until_ns = kStartNs + n * kFrameNs + Uniform(1'000, 6'000) * kMs;
    // A frame is sent when it has been taken.
    const int64_t at_ns = kStartNs + (n + reel.lead) * kFrameNs + Uniform(0, most_late_ms) * kMs;
    sent.push_back(std::move(frame));
    stamps.Push(std::move(packet), std::max(at_ns, burst_until_ns));
    pop();
  }
  stamps.Finish();
  pop();
  ASSERT_EQ(out.size() + left_out, sent.size());
  EXPECT_LE(left_out, 3u);

  // Decode times increase and come before their frames; no two frames have one time.
  std::set<int64_t> times;
  int64_t last_dts = INT64_MIN;
  for (const Out& frame : out) {
    EXPECT_TRUE(times.insert(frame.times.pts).second);
    EXPECT_LE(frame.times.dts, frame.times.pts);
    EXPECT_GT(frame.times.dts, last_dts);
    last_dts = frame.times.dts;
  }
  EXPECT_EQ(out.back().run, jumps.size()) << "each jump is noticed, and nothing else is one";
  EXPECT_FALSE(stamps.counts().by_arrival);

  // Within a run every time is the camera's own, moved by one constant, and a mended one fits in.
  std::map<uint32_t, std::vector<const Out*>> runs;
  for (const Out& frame : out) runs[frame.run].push_back(&frame);
  int64_t last_ns = 0;
  for (auto& [number, frames] : runs) {
    std::map<int64_t, size_t> offsets;
    for (const Out* frame : frames) {
      if (!frame->glitched) ++offsets[frame->times.pts - frame->stamp];
    }
    const auto common = std::max_element(offsets.begin(), offsets.end(),
                                         [](auto& a, auto& b) { return a.second < b.second; });
    size_t moved = 0;
    for (const auto& [by, count] : offsets) moved += by == common->first ? 0 : count;
    // A frame or two at a jump can't be told from a glitch: they belong to the other side.
    EXPECT_LE(moved, 12u) << "run " << number;
    std::sort(frames.begin(), frames.end(),
              [](const Out* a, const Out* b) { return a->times.pts < b->times.pts; });
    for (size_t i = 1; i < frames.size(); ++i) {
      ASSERT_GT(frames[i]->true_pts, frames[i - 1]->true_pts) << "in the order of presentation";
      EXPECT_GT(frames[i]->packet.monotonic_ns, frames[i - 1]->packet.monotonic_ns);
    }
    // Over a jump too, but for what is shown before the first frame that came.
    EXPECT_GT(frames.front()->packet.monotonic_ns, last_ns - (reel.lead + 1) * kFrameNs);
    last_ns = frames.back()->packet.monotonic_ns;
    for (const Out* frame : frames) {
      if (frame->glitched && rate == 1) {
        // Where a keyframe was lost, pictures' counts mislead.
        EXPECT_NEAR(frame->times.pts - frame->stamp, common->first, loses ? 25 * kFrame : 0)
            << "frame " << frame->true_pts / kFrame;
      }
    }
  }

  // And its moment is the true one, once the clock has had a few seconds.
  int64_t settled_from = 125;
  for (const Out& frame : out) {
    const int64_t n = frame.true_pts / kFrame;
    for (const int64_t at : jumps) {
      if (n >= at - 20 && n < at + 125) settled_from = std::max(settled_from, at + 125);
    }
    // Of a mended one among lost ones nobody could tell.
    if (n < settled_from || (frame.glitched && loses)) continue;
    ASSERT_NEAR(frame.packet.monotonic_ns, kStartNs + frame.true_pts / 90 * kMs,
                (350 + most_late_ms) * kMs)
        << "frame " << n;
  }
}

INSTANTIATE_TEST_SUITE_P(Of, FieldRandomCamera, ::testing::Range<uint64_t>(0, 40));

}  // namespace
}  // namespace gleaner::edge
