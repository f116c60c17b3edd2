#include "edge/camera_pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "edge/clip/encoder.h"
#include "tests/edge/clip/clip_rig.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kS = kNanosPerSecond;

struct Nowhere : SampleSink {
  void OnSample(const SignalSample&) override {}
};

class CameraPipelineTest : public ClipRig {
 protected:
  std::unique_ptr<CameraPipeline> Open(Recorder& recorder, std::string encoder = "openh264") {
    auto pipeline = std::make_unique<CameraPipeline>(
        0, "front", std::vector<std::unique_ptr<Detector>>(), nowhere_,
        std::vector<std::string>{std::move(encoder)}, recorder, clock_);
    pipeline->SetProgress(std::make_shared<Progress>("camera front", 60 * kS, clock_));
    return pipeline;
  }

  Nowhere nowhere_;
};

TEST_F(CameraPipelineTest, LeavesOutWhatCannotBeDecodedAfterAReconnect) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  const auto pipeline = Open(recorder);
  RuleOptions rule;
  rule.name = "hand";
  rule.when = "motion > 0.02";
  rule.pre_ns = 1 * kS;
  rule.post_ns = 3 * kS;
  pipeline->OnFormat(cup.format);
  for (size_t i = 0; i < cup.packets.size(); ++i) {
    // The camera is away from frame 75 on and comes back at frame 100; keyframes are every 30.
    if (i == 75) pipeline->OnReconnecting();
    if (i < 75 || i >= 100) pipeline->OnPacket(cup.packets[i]);
    if (i == 70) recorder.OnFiring({&rule, cup.packets[i].monotonic_ns}, {});
  }
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  CheckVideo(clips[0]);
  const std::vector<int64_t> pts = PtsOf(clips[0].manifest.video(0));
  const auto gap = std::find(pts.begin(), pts.end(), 74'000);
  ASSERT_NE(gap, pts.end());
  EXPECT_EQ(*(gap + 1), 120'000);
}

TEST_F(CameraPipelineTest, SaysWhatTheServerFindsAsLongAsItFindsIt) {
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  const auto pipeline = Open(recorder);
  EXPECT_EQ(pipeline->notice(), "");
  pipeline->SetNotice("sends damaged pictures: 3 damaged frames in 1 clip");
  EXPECT_EQ(pipeline->notice(),
            "the server finds that it sends damaged pictures: 3 damaged frames in 1 clip");
  EXPECT_EQ(pipeline->problem(), "") << "a problem of the pipeline's own comes first";
  pipeline->SetNotice("");
  EXPECT_EQ(pipeline->notice(), "");
}

TEST_F(CameraPipelineTest, SpeaksOfDamagedFramesForAMinute) {
  const Recording vtest = ReadFootage(Footage("vtest.avi"), kStart);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  const auto pipeline = Open(recorder);
  pipeline->OnFormat(vtest.format);
  const auto feed = [&](Packet packet, int64_t after_ns) {
    packet.monotonic_ns += after_ns;
    pipeline->OnPacket(packet);
  };
  for (size_t i = 0; i < 10; ++i) feed(vtest.packets[i], 0);
  EXPECT_EQ(pipeline->problem(), "");
  Packet damaged = vtest.packets[10];
  AvPtr<AVPacket> zeros(av_packet_clone(damaged.data.get()));
  av_packet_make_writable(zeros.get());
  std::fill_n(zeros->data, zeros->size, uint8_t{0});
  damaged.data = std::shared_ptr<const AVPacket>(zeros.release(), AvDeleter());
  feed(damaged, 0);
  feed(vtest.packets[11], 0);
  EXPECT_EQ(pipeline->problem(), "1 damaged frame left out");
  feed(vtest.packets[12], 59 * kS);
  EXPECT_NE(pipeline->problem(), "");
  feed(vtest.packets[13], 61 * kS);
  EXPECT_EQ(pipeline->problem(), "");
}

// An encoder whose GPU is lost at its n-th frame.
class Lost : public Encoder {
 public:
  Lost(std::unique_ptr<Encoder> real, int frames) : real_(std::move(real)), frames_(frames) {}
  absl::Status Encode(const AVFrame& frame, bool keyframe,
                      std::vector<AvPtr<AVPacket>>* out) override {
    if (--frames_ == 0) return absl::UnavailableError("the GPU is lost");
    return real_->Encode(frame, keyframe, out);
  }
  absl::Status Flush(std::vector<AvPtr<AVPacket>>* out) override { return real_->Flush(out); }
  AVCodecID codec() const override { return real_->codec(); }

 private:
  const std::unique_ptr<Encoder> real_;
  int frames_;
};

TEST_F(CameraPipelineTest, TriesAllEncodersAgainHalfAMinuteAfterTheLastHasFailed) {
  const std::string path = folder_ / "mjpeg.avi";
  const std::string command =
      fmt::format("ffmpeg -v error -nostdin -y -i {} -t 8 -vf scale=320:240 -c:v mjpeg {}",
                  Footage("vtest.avi"), path);
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  const Recording mjpeg = ReadFootage(path, kStart);
  AvPtr<AVFrame> gray = NewFrame();
  gray->format = AV_PIX_FMT_YUV420P;
  gray->width = 320;
  gray->height = 240;
  ASSERT_EQ(av_frame_get_buffer(gray.get(), 0), 0);
  // Each opening is a trial and the real one; only the first real one fails, at its tenth frame.
  int opened = 0;
  RegisterEncoder(
      "lost", [&](const EncoderSettings& settings) -> absl::StatusOr<std::unique_ptr<Encoder>> {
        ASSIGN_OR_RETURN(ChosenEncoder real, ChooseEncoder({"openh264"}, settings, *gray, "test"));
        return std::make_unique<Lost>(std::move(real.encoder), ++opened == 2 ? 10 : 0);
      });
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  const auto pipeline = Open(recorder, "lost");
  pipeline->OnFormat(mjpeg.format);
  size_t next = 0;
  while (next < 12) pipeline->OnPacket(mjpeg.packets[next++]);
  EXPECT_THAT(pipeline->problem(), ::testing::HasSubstr("the GPU is lost"));
  EXPECT_EQ(opened, 2);
  clock_.Advance(29 * kS);
  while (next < 30) pipeline->OnPacket(mjpeg.packets[next++]);
  EXPECT_EQ(opened, 2) << "not at every frame";
  clock_.Advance(1 * kS);
  RuleOptions rule;
  rule.name = "hand";
  rule.pre_ns = 0;
  rule.post_ns = 1 * kS;
  recorder.OnFiring({&rule, mjpeg.packets[30].monotonic_ns}, {});
  while (next < 80) pipeline->OnPacket(mjpeg.packets[next++]);
  EXPECT_EQ(opened, 4);
  EXPECT_EQ(pipeline->problem(), "");
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  CheckVideo(clips[0]);
}

}  // namespace
}  // namespace gleaner::edge
