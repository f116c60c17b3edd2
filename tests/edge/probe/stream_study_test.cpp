// What a look at a stream finds, on films whose stamps and arrivals a test makes up.
#include "edge/probe/stream_study.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edge/camera/source.h"
#include "tests/edge/camera/film.h"
#include "tests/edge/camera/rtsp_camera.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kMs = kNanosPerMilli;
constexpr int64_t kFrameNs = 40 * kMs;

// What is found in eight seconds of a film, as a camera sends it: at 90 kHz, the n-th frame coming
// when its turn is, `late` later.
StreamFindings Study(
    const std::string& encode, const RtpStamp& stamp = stamps::True(),
    const std::function<int64_t(int64_t)>& late = [](int64_t) { return 0; }) {
  auto source = Source::OpenFile(MakeFilm({.seconds = 8, .encode = encode}), [] { return false; });
  EXPECT_TRUE(source.ok()) << source.status();
  VideoFormat format = (*source)->format();
  const AVRational base = ToRational(format.time_base);
  format.time_base = {1, 90'000};
  StreamStudy study(format, /*live=*/true);
  for (int64_t n = 0;; ++n) {
    auto packet = (*source)->Read();
    if (!packet.ok() || *packet == nullptr) break;
    (*packet)->pts = stamp(n, av_rescale_q((*packet)->pts, base, {1, 90'000}));
    (*packet)->dts = AV_NOPTS_VALUE;
    (*packet)->duration = 0;
    study.Add(*std::move(packet), 1'000 * kNanosPerSecond + n * kFrameNs + late(n));
  }
  return study.Finish();
}

constexpr char kPlain[] = "-c:v libx264 -preset veryfast -g 50 -bf 0 -pix_fmt yuv420p";
constexpr char kBFrames[] = "-c:v libx264 -preset veryfast -g 50 -bf 3 -pix_fmt yuv420p";

TEST(StreamStudy, FindsWhatAPlainCameraSends) {
  const StreamFindings found = Study(kPlain);
  EXPECT_EQ(found.codec, "h264");
  EXPECT_EQ(found.profile.substr(0, 14), "High, level 1.");
  EXPECT_EQ(found.width, 320);
  EXPECT_EQ(found.height, 180);
  EXPECT_EQ(found.frames, 200u);
  EXPECT_NEAR(found.frames_per_s, 25, 0.01);
  EXPECT_GT(found.bits_per_s, 1000);
  EXPECT_EQ(found.keyframes, 4u);
  EXPECT_EQ(found.clean_keyframes, 4u);
  EXPECT_EQ(found.gradual_keyframes, 0u);
  EXPECT_EQ(found.shortest_gop, 50u);
  EXPECT_EQ(found.longest_gop, 50u);
  EXPECT_EQ(found.reorder_depth, 0u);
  EXPECT_NEAR(found.usual_step_ms, 40, 0.01);
  EXPECT_NEAR(found.step_spread_ms, 0, 0.01);
  EXPECT_NEAR(found.lateness_ms, 0, 0.01);
  EXPECT_NEAR(found.clock_rate, 1, 0.001);
  EXPECT_EQ(found.pixel_format, "yuv420p");
}

TEST(StreamStudy, TellsBFramesOpenGopsAndIntraRefreshApart) {
  const StreamFindings b = Study(kBFrames);
  EXPECT_GE(b.reorder_depth, 1u);
  EXPECT_EQ(b.clean_keyframes, b.keyframes);
  EXPECT_NEAR(b.lateness_ms, 0, 0.01) << "frames come evenly, in the order in which they are sent";

  const StreamFindings open = Study(
      "-c:v libx264 -preset veryfast -g 50 -bf 3 -pix_fmt yuv420p -x264-params "
      "open-gop=1:keyint=50:"
      "min-keyint=50:scenecut=0");
  EXPECT_EQ(open.keyframes, 4u);
  EXPECT_EQ(open.clean_keyframes, 1u);
  EXPECT_EQ(open.gradual_keyframes, 0u);

  const StreamFindings refresh = Study(
      "-c:v libx264 -preset veryfast -bf 0 -pix_fmt yuv420p -x264-params "
      "intra-refresh=1:keyint=50:scenecut=0");
  EXPECT_GT(refresh.gradual_keyframes, 0u);
}

TEST(StreamStudy, CountsGopsThatDiffer) {
  const StreamFindings found = Study(
      "-c:v libx264 -preset veryfast -bf 0 -g 1000 -pix_fmt yuv420p -force_key_frames "
      "0,1.2,4.4");
  EXPECT_EQ(found.keyframes, 3u);
  EXPECT_EQ(found.shortest_gop, 30u);
  EXPECT_EQ(found.longest_gop, 80u);
}

TEST(StreamStudy, FindsTheRateOfAClockThatIsWrong) {
  const StreamFindings slow = Study(kPlain, stamps::Scaled(0.84));
  EXPECT_NEAR(slow.clock_rate, 0.84, 0.005);
  EXPECT_NEAR(slow.frames_per_s, 25, 0.2) << "in true seconds";
  // A network that delays frames by up to 30 ms doesn't hide that, nor make a right clock wrong.
  const auto jitter = [](int64_t n) { return n * 7919 % 31 * kMs; };
  EXPECT_NEAR(Study(kPlain, stamps::Scaled(0.84), jitter).clock_rate, 0.84, 0.01);
  const StreamFindings right = Study(kPlain, stamps::True(), jitter);
  EXPECT_NEAR(right.lateness_ms, 29, 2);
  EXPECT_TRUE(right.clock_rate == 0 || std::abs(right.clock_rate - 1) < 0.01) << right.clock_rate;
}

TEST(StreamStudy, SaysHowRegularStampsAre) {
  EXPECT_NEAR(Study(kPlain, stamps::Jittered(3, 900)).step_spread_ms, 18, 6);
  EXPECT_EQ(Study(kPlain, stamps::Jump(4 * 90'000, 3600 * 90'000)).stamps.jumps, 1u);
  EXPECT_GE(Study(kPlain, stamps::Glitch(50, -3 * 90'000)).stamps.glitches, 3u);
  const StreamFindings useless = Study(kPlain, stamps::Constant());
  EXPECT_TRUE(useless.stamps.by_arrival);
  EXPECT_NEAR(useless.frames_per_s, 25, 0.01) << "by arrival";
  EXPECT_EQ(useless.clock_rate, 0);
}

TEST(StreamStudy, FindsFrameRatesWhereStampsLie) {
  EXPECT_NEAR(Study(kPlain, stamps::Glitch(50, -3 * 90'000)).frames_per_s, 25, 0.2);
  EXPECT_NEAR(Study(kPlain, stamps::Jump(4 * 90'000, 3600 * 90'000)).frames_per_s, 25, 0.2);
  const StreamFindings none = Study(kPlain, [](int64_t, int64_t) { return AV_NOPTS_VALUE; });
  EXPECT_EQ(none.missing_stamps, none.frames - 1);
  EXPECT_NEAR(none.frames_per_s, 25, 0.2);
  EXPECT_GE(Study(kBFrames, stamps::Constant()).reorder_depth, 1u);
}

TEST(StreamStudy, SaysWhichColoursAStreamHas) {
  EXPECT_EQ(Study(kPlain).colours, "");
  EXPECT_EQ(Study("-c:v libx264 -preset veryfast -bf 0 -pix_fmt yuv420p -colorspace bt709 "
                  "-color_range tv")
                .colours,
            "bt709, limited range");
  const StreamFindings jpeg = Study("-c:v mjpeg -pix_fmt yuvj420p");
  EXPECT_EQ(jpeg.pixel_format, "yuvj420p");
  EXPECT_THAT(jpeg.colours, ::testing::HasSubstr("full range"));
}

TEST(StreamStudy, HasLittleToSayOfNothing) {
  VideoFormat format;
  format.codec = "h264";
  AvPtr<AVCodecParameters> parameters(avcodec_parameters_alloc());
  parameters->codec_id = AV_CODEC_ID_H264;
  format.parameters = std::shared_ptr<const AVCodecParameters>(parameters.release(), AvDeleter());
  StreamStudy study(format, true);
  const StreamFindings found = study.Finish();
  EXPECT_EQ(found.frames, 0u);
  EXPECT_EQ(found.frames_per_s, 0);
}

}  // namespace
}  // namespace gleaner::edge
