#include "cloud/media/frame_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "cloud/media/frame_times.h"
#include "common/clock.h"

namespace gleaner::cloud::media {
namespace {

using testing::ElementsAre;

constexpr int64_t kStartNs = 50 * kNanosPerSecond;
constexpr int64_t kMs = kNanosPerSecond / 1000;

// Ten seconds of 10 frames each, in ticks of a millisecond, from 7000 on.
class FrameChoiceTest : public testing::Test {
 protected:
  FrameChoiceTest() {
    manifest_.mutable_delivered()->set_start_monotonic_ns(kStartNs);
    manifest_.mutable_delivered()->set_end_monotonic_ns(kStartNs + 10 * kNanosPerSecond);
    v1::VideoTrack* track = manifest_.add_video();
    track->set_camera("front");
    track->set_time_base_numerator(1);
    track->set_time_base_denominator(1000);
    track->set_frame_count(100);
    track->set_first_pts(7000);
    for (int i = 1; i < 100; ++i) track->add_pts_delta(100);
    track->set_first_frame_monotonic_ns(kStartNs);
    track->set_last_frame_monotonic_ns(kStartNs + 9900 * kMs);
  }

  void Fire(int64_t ms) {
    manifest_.mutable_trigger()->add_firing_monotonic_ns(kStartNs + ms * kMs);
  }
  void Add(const std::string& name, const std::vector<std::pair<int64_t, double>>& points) {
    v1::SignalTrace* signal = manifest_.mutable_trigger()->add_signals();
    signal->set_name(name);
    for (const auto& [ms, value] : points) {
      signal->add_offset_us(ms * 1000);
      signal->add_value(value);
    }
  }
  std::vector<int64_t> TimesWith(v1::Frame::Reason reason, const FrameChoice& choice) {
    std::vector<int64_t> times;
    for (const PlannedFrame& frame : PlanFrames(manifest_, 0, choice).frames) {
      if ((frame.reasons & ReasonBit(reason)) != 0) times.push_back(frame.pts);
    }
    return times;
  }

  v1::ClipManifest manifest_;
};

constexpr auto kFiring = v1::Frame::REASON_FIRING;
constexpr auto kPeak = v1::Frame::REASON_PEAK;
constexpr auto kEvenly = v1::Frame::REASON_EVENLY;

TEST_F(FrameChoiceTest, AFrameIsChosenWhereTheTriggerFired) {
  Fire(5040);
  Fire(7460);
  EXPECT_THAT(TimesWith(kFiring, {}), ElementsAre(12'000, 14'500));
}

TEST_F(FrameChoiceTest, OfManyFiringsTheFirstAndTheLastAreAmongThoseThatAreTaken) {
  for (int64_t ms = 0; ms < 9900; ms += 300) Fire(ms);
  const auto times = TimesWith(kFiring, {.firings = 3, .evenly = 0});
  EXPECT_THAT(times, ElementsAre(7000, 11'800, 16'600));
}

TEST_F(FrameChoiceTest, PeaksAreTheHighestPointsOfEachSignalAndLieApart) {
  Fire(0);
  Add("weight", {{0, 1}, {2000, 9}, {2100, 8}, {2200, 8.5}, {2300, 1}, {6000, 7}, {6500, 1}});
  Add("camera.front.motion", {{0, 0}, {8000, 0.02}, {8100, 0}});
  Add("camera.rear.motion", {{0, 0}, {9000, 1}, {9100, 0}});
  Add("flat", {{0, 3}, {5000, 3}});
  Add("broken", {{0, 0}, {3000, std::nan("")}, {4000, 1}});
  EXPECT_THAT(TimesWith(kPeak, {}), ElementsAre(9000, 13'000, 15'000))
      << "not at the ripple beside the first, not of another camera";
  EXPECT_THAT(TimesWith(kPeak, {.peaks = 2}), ElementsAre(9000, 15'000));
}

TEST_F(FrameChoiceTest, EvenlyIsInTheMiddleOfEqualParts) {
  EXPECT_THAT(TimesWith(kEvenly, {.firings = 0, .evenly = 4}),
              ElementsAre(8200, 10'700, 13'200, 15'700));
}

TEST_F(FrameChoiceTest, MomentsNearToEachOtherAreOneFrameWithAllItsReasons) {
  Fire(5000);
  Add("motion", {{0, 0}, {5100, 1}, {5200, 0}});
  const FramePlan plan = PlanFrames(manifest_, 0, {.evenly = 1});
  ASSERT_EQ(plan.frames.size(), 1u);
  EXPECT_EQ(plan.frames[0].pts, 12'000);
  EXPECT_EQ(plan.frames[0].reasons, ReasonBit(kFiring) | ReasonBit(kPeak) | ReasonBit(kEvenly));
  EXPECT_EQ(plan.gap_ticks, 200u);
  EXPECT_EQ(plan.keyframes, 4u);
}

TEST_F(FrameChoiceTest, AMomentThatACameraDidNotSeeChoosesNone) {
  Fire(30'000);
  Fire(-20'000);
  EXPECT_THAT(TimesWith(kFiring, {}), ElementsAre());
}

TEST_F(FrameChoiceTest, ACameraWhoseClockRunsSlowIsFollowed) {
  // 9.9 s of its ticks took 19.8 s.
  manifest_.mutable_video(0)->set_last_frame_monotonic_ns(kStartNs + 19'800 * kMs);
  Fire(10'000);
  EXPECT_THAT(TimesWith(kFiring, {}), ElementsAre(12'000));
  const v1::VideoTrack& track = manifest_.video(0);
  EXPECT_EQ(MonotonicOf(track, FrameTimes(track), 12'000), kStartNs + 10'000 * kMs);
}

TEST_F(FrameChoiceTest, AVideoOfOneFrameHasItOnce) {
  v1::VideoTrack* track = manifest_.mutable_video(0);
  track->set_frame_count(1);
  track->clear_pts_delta();
  track->set_last_frame_monotonic_ns(kStartNs);
  Fire(0);
  const FramePlan plan = PlanFrames(manifest_, 0, {});
  ASSERT_EQ(plan.frames.size(), 1u);
  EXPECT_EQ(plan.frames[0].pts, 7000);
}

TEST_F(FrameChoiceTest, WhereNothingIsWantedNothingIsPlanned) {
  Fire(5000);
  const FramePlan plan =
      PlanFrames(manifest_, 0, {.firings = 0, .peaks = 0, .keyframes = 0, .evenly = 0});
  EXPECT_TRUE(plan.frames.empty());
  EXPECT_EQ(plan.keyframes, 0u);
}

}  // namespace
}  // namespace gleaner::cloud::media
