// What a camera's status says, and for how long.
#include "edge/camera/camera_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "fmt/format.h"
#include "tests/data/log_lines.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kMs = kNanosPerMilli;
constexpr int64_t kS = kNanosPerSecond;

class CameraReportTest : public ::testing::Test {
 protected:
  CameraReportTest() { report_.State(CameraState::kStreaming, ""); }

  std::string Problem() const { return report_.status().problem; }
  size_t Logged(const std::string& words) const {
    size_t lines = 0;
    const std::string text = log_.text();
    for (size_t at = 0; (at = text.find(words, at)) != std::string::npos; ++at) ++lines;
    return lines;
  }

  FakeClock clock_;
  LogLines log_;
  CameraReport report_{"door", "rtsp", clock_};
};

TEST_F(CameraReportTest, CountsFramesAndHowManyComeASecond) {
  EXPECT_EQ(report_.status().source, "rtsp");
  EXPECT_EQ(report_.status().frames_per_s, 0);
  for (int i = 0; i < 50; ++i) {
    report_.Frame();
    clock_.Advance(40 * kMs);
  }
  EXPECT_EQ(report_.status().frames, 50u);
  EXPECT_EQ(report_.status().frames_per_s, 0) << "not before two seconds are over";
  report_.Frame();
  EXPECT_NEAR(report_.status().frames_per_s, 25, 0.6);
  EXPECT_EQ(report_.status().last_packet_monotonic_ns, clock_.MonotonicNs());
  for (int i = 0; i < 21; ++i) {
    clock_.Advance(100 * kMs);
    report_.Frame();
  }
  EXPECT_NEAR(report_.status().frames_per_s, 10, 0.6) << "of the last seconds alone";
  report_.State(CameraState::kReconnecting, "no packet for 10 s");
  EXPECT_EQ(report_.status().frames_per_s, 0);
  EXPECT_EQ(report_.status().frames, 72u);
  EXPECT_EQ(Problem(), "no packet for 10 s");
}

TEST_F(CameraReportTest, TellsOfWhatIsLeftOutForAMinuteAndOnceInTheLog) {
  report_.LeftOut(absl::OutOfRangeError("is shown twice"));
  EXPECT_EQ(Problem(), "1 frame left out, the last because it is shown twice");
  report_.LeftOut(absl::OutOfRangeError("is shown late"));
  EXPECT_EQ(Problem(), "2 frames left out, the last because it is shown late");
  EXPECT_EQ(report_.status().dropped, 2u);
  EXPECT_EQ(Logged("left out"), 1u);
  clock_.Advance(61 * kS);
  EXPECT_EQ(Problem(), "");
  report_.LeftOut(absl::OutOfRangeError("is shown late"));
  EXPECT_EQ(Logged("left out"), 2u) << "it is news again";
}

TEST_F(CameraReportTest, WhyItDoesNotStreamComesBeforeWhatIsAmissBesides) {
  report_.LeftOut(absl::OutOfRangeError("is shown late"));
  report_.State(CameraState::kReconnecting, "the stream ended");
  EXPECT_EQ(Problem(), "the stream ended");
  report_.State(CameraState::kStreaming, "");
  EXPECT_THAT(Problem(), HasSubstr("left out"));
}

TEST_F(CameraReportTest, TellsOfDamageWhenThereIsMore) {
  report_.Damaged(0);
  EXPECT_EQ(Problem(), "");
  report_.Damaged(3);
  EXPECT_EQ(Problem(), "3 packets damaged on the way and left out");
  EXPECT_EQ(report_.status().damaged, 3u);
  clock_.Advance(61 * kS);
  report_.Damaged(3);
  EXPECT_EQ(Problem(), "") << "no more than before";
}

TEST_F(CameraReportTest, TellsOfAClockThatIsOffByMoreThanAHundredth) {
  for (const double sound : {0.0, 1.0, 0.991, 1.009}) {
    clock_.Advance(2 * kS);
    report_.Stamps({}, sound);
    EXPECT_EQ(Problem(), "") << sound;
    EXPECT_EQ(report_.status().clock_rate, sound);
  }
  for (const double wrong : {0.84, 1.02}) {
    clock_.Advance(2 * kS);
    report_.Stamps({}, wrong);
    EXPECT_THAT(Problem(), HasSubstr("the camera's clock counts " + fmt::format("{:.3g}", wrong) +
                                     " s in a second"));
  }
  // As long as it goes on, however long that is.
  for (int i = 0; i < 600; ++i) {
    clock_.Advance(kS / 2);
    report_.Stamps({}, 1.02);
    ASSERT_NE(Problem(), "");
  }
  EXPECT_EQ(Logged("the camera's clock counts"), 1u);
}

TEST_F(CameraReportTest, TellsOfJumpsGlitchesAndStampsOfNoUseAsTheyCome) {
  LiveStamps::Counts counts;
  report_.Stamps(counts, 0);
  counts.jumps = 1;
  report_.Stamps(counts, 0);
  EXPECT_EQ(Problem(), "the camera's clock jumped (1 time)");
  counts.glitches = 2;
  report_.Stamps(counts, 0);
  EXPECT_EQ(Problem(),
            "the camera's clock jumped (1 time); the timestamps of single frames are wrong "
            "(2 frames mended)");
  clock_.Advance(59 * kS);
  counts.jumps = 2;
  report_.Stamps(counts, 0);
  clock_.Advance(2 * kS);
  EXPECT_EQ(Problem(), "the camera's clock jumped (2 times)");
  counts.by_arrival = true;
  report_.Stamps(counts, 0);
  EXPECT_THAT(Problem(), HasSubstr("the camera's timestamps are of no use"));
  EXPECT_EQ(report_.status().stamps.jumps, 2u);
  // It stays so, and is still said; and no longer when stamps are sound again.
  for (int i = 0; i < 100; ++i) {
    clock_.Advance(1 * kS);
    report_.Stamps(counts, 0);
  }
  EXPECT_EQ(Problem(),
            "the camera's timestamps are of no use; its frames are timed by their arrival");
  counts.by_arrival = false;
  report_.Stamps(counts, 0);
  clock_.Advance(61 * kS);
  EXPECT_EQ(Problem(), "");
  report_.Opened();
  EXPECT_EQ(report_.status().stamps.jumps, 0u);
  counts.jumps = 1;
  report_.Stamps(counts, 0);
  EXPECT_THAT(Problem(), HasSubstr("jumped (1 time)")) << "counted from its opening on";
}

}  // namespace
}  // namespace gleaner::edge
