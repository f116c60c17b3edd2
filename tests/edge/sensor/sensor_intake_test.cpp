#include "edge/sensor/sensor_intake.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gleaner::edge {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SensorIntakeTest : public ::testing::Test, public SampleSink {
 protected:
  void OnSample(const SignalSample& sample) override { samples_.push_back(sample); }

  static std::vector<SensorOptions> Sensors() {
    return {{.name = "weight", .unit = "g", .valid_ns = 5 * kNanosPerSecond, .max_per_s = 10},
            {.name = "location", .components = {"latitude", "longitude"}},
            {.name = "stop", .event = true}};
  }
  std::string At(int64_t monotonic_ns) { return fmt::format(" @{}", monotonic_ns); }

  FakeClock clock_;
  const int64_t now_ = clock_.MonotonicNs();
  std::vector<SignalSample> samples_;
  SensorIntake intake_{Sensors(), *this, clock_};
};

TEST_F(SensorIntakeTest, MakesASampleOfEachNumberAtTheTimeThatTheSensorTells) {
  intake_.OnMessage("weight 52.5");
  intake_.OnMessage("location 52.5 13.4" + At(now_ - kNanosPerSecond));
  ASSERT_EQ(samples_.size(), 3u);
  EXPECT_THAT(samples_[0], AllOf(Field(&SignalSample::name, "sensor.weight"),
                                 Field(&SignalSample::monotonic_ns, now_),
                                 Field(&SignalSample::value, SampleValue(52.5)),
                                 Field(&SignalSample::valid_ns, 5 * kNanosPerSecond)));
  EXPECT_THAT(samples_[2], AllOf(Field(&SignalSample::name, "sensor.location.longitude"),
                                 Field(&SignalSample::monotonic_ns, now_ - kNanosPerSecond),
                                 Field(&SignalSample::value, SampleValue(13.4))));
  EXPECT_THAT(intake_.problem(), IsEmpty());
}

TEST_F(SensorIntakeTest, AnEventIsTrueForAMillisecond) {
  intake_.OnMessage("stop");
  ASSERT_EQ(samples_.size(), 1u);
  EXPECT_THAT(samples_[0], AllOf(Field(&SignalSample::name, "event.stop"),
                                 Field(&SignalSample::value, SampleValue(true)),
                                 Field(&SignalSample::valid_ns, kNanosPerMilli)));
}

TEST_F(SensorIntakeTest, WhatIsNotConfiguredOrHasOtherNumbersIsDroppedAndCounted) {
  for (const char* text : {"speed 1", "weight", "weight 1 2", "location 1", "stop 1", "\xff\x00"}) {
    intake_.OnMessage(text);
  }
  EXPECT_THAT(samples_, IsEmpty());
  const auto stats = intake_.stats();
  EXPECT_EQ(stats[0].dropped, 2u);
  EXPECT_EQ(stats[1].dropped, 1u);
  EXPECT_EQ(stats[2].dropped, 1u);
  EXPECT_THAT(
      intake_.problem(),
      AllOf(HasSubstr("1 message dropped since the start: it is no message"),
            HasSubstr("1 message dropped since the start, the last of speed: no [[sensor]]"),
            HasSubstr("4 messages dropped since the start, the last of stop: it has too few")));
  clock_.Advance(61 * kNanosPerSecond);
  EXPECT_THAT(intake_.problem(), IsEmpty()) << "it is over";
}

TEST_F(SensorIntakeTest, AFloodOfOneSensorIsCutAndTheOthersGoOn) {
  for (int i = 0; i < 1000; ++i) intake_.OnMessage("weight 1");
  EXPECT_EQ(samples_.size(), 10u) << "as many as may come in a second";
  intake_.OnMessage("stop");
  EXPECT_EQ(samples_.size(), 11u);
  clock_.Advance(kNanosPerSecond / 2);
  for (int i = 0; i < 1000; ++i) intake_.OnMessage("weight 1");
  EXPECT_EQ(samples_.size(), 16u);
  EXPECT_EQ(intake_.stats()[0].taken, 15u);
  EXPECT_EQ(intake_.stats()[0].dropped, 1985u);
  EXPECT_THAT(intake_.problem(), HasSubstr("faster than max_per_s"));
}

TEST_F(SensorIntakeTest, ATimeThatCanNotBeIsRefused) {
  intake_.OnMessage("weight 1" + At(now_ + SensorIntake::kAheadNs + 1));
  intake_.OnMessage("weight 1" + At(now_ - SensorIntake::kMaxAgeNs - 1));
  intake_.OnMessage("weight 1" + At(0));
  EXPECT_THAT(samples_, IsEmpty());
  intake_.OnMessage("weight 1" + At(now_ - 10));
  intake_.OnMessage("weight 2" + At(now_ - 11));
  EXPECT_EQ(samples_.size(), 1u) << "before the last one's";
  intake_.OnMessage("weight 3" + At(now_ - 10));
  intake_.OnMessage("weight 4" + At(now_ + SensorIntake::kAheadNs));
  ASSERT_EQ(samples_.size(), 3u);
  EXPECT_EQ(samples_[2].monotonic_ns, now_) << "nothing is ahead of now";
  EXPECT_EQ(intake_.stats()[0].dropped, 4u);
}

TEST_F(SensorIntakeTest, WhatTheSenderCouldNotSendIsCountedAsLost) {
  intake_.OnMessage("weight 1 !7");
  intake_.OnMessage("weight 1 2 !5");
  EXPECT_EQ(intake_.stats()[0].taken, 1u);
  EXPECT_EQ(intake_.stats()[0].lost, 12u) << "also with a message that is refused";
  EXPECT_THAT(intake_.problem(),
              HasSubstr("12 messages dropped since the start, the last of weight: "
                        "the socket had no room"));
}

TEST_F(SensorIntakeTest, TellsTheNewestOfEach) {
  intake_.OnMessage("location 1 2");
  const auto stats = intake_.stats();
  ASSERT_EQ(stats.size(), 3u);
  EXPECT_EQ(stats[0].unit, "g");
  EXPECT_EQ(stats[0].last_ns, 0);
  EXPECT_EQ(stats[1].last_ns, now_);
  EXPECT_EQ(stats[1].count, 2u);
  EXPECT_EQ(stats[1].last[1], 2);
  EXPECT_TRUE(stats[2].event);
}

}  // namespace
}  // namespace gleaner::edge
