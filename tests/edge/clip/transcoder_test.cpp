// Cameras that a clip can't hold as they are: decode, encode, fail over.
#include "edge/clip/transcoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "edge/clip/encoder.h"
#include "tests/edge/clip/clip_rig.h"

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kS = kNanosPerSecond;

// What a transcoder said, in order.
struct Output {
  std::vector<Frame> frames;
  std::vector<VideoFormat> formats;
  std::vector<std::string> encoders;
  std::vector<Packet> packets;
  std::vector<size_t> format_at;  // number of packets when each format came

  Transcoder::Callbacks Callbacks() {
    return {.on_frame = [this](const Frame& f) { frames.push_back(f); },
            .on_format =
                [this](const VideoFormat& f, const std::string& e) {
                  formats.push_back(f);
                  encoders.push_back(e);
                  format_at.push_back(packets.size());
                },
            .on_packet = [this](const Packet& p) { packets.push_back(p); }};
  }
};

// Passes frames to openh264 until it fails, or fails at once.
class Faulty : public Encoder {
 public:
  enum class How { kRefuses, kReturnsNothing, kFailsLater, kGoesSilent };
  Faulty(How how, std::unique_ptr<Encoder> real) : how_(how), real_(std::move(real)) {}
  absl::Status Encode(const AVFrame& frame, bool keyframe,
                      std::vector<AvPtr<AVPacket>>* out) override {
    ++frames_;
    if (how_ == How::kRefuses) return absl::InternalError("no such silicon");
    if (how_ == How::kReturnsNothing) return absl::OkStatus();
    if (how_ == How::kFailsLater && frames_ == 50) return absl::InternalError("bus reset");
    if (how_ == How::kGoesSilent && frames_ > 50) return absl::OkStatus();
    return real_->Encode(frame, keyframe, out);
  }
  absl::Status Flush(std::vector<AvPtr<AVPacket>>* out) override {
    return how_ == How::kReturnsNothing ? absl::OkStatus() : real_->Flush(out);
  }
  AVCodecID codec() const override { return real_->codec(); }

  static void Register(const std::string& name, How how, const std::string& real) {
    RegisterEncoder(
        name,
        [how, real](const EncoderSettings& settings) -> absl::StatusOr<std::unique_ptr<Encoder>> {
          AvPtr<AVFrame> gray = NewFrame();
          gray->format = AV_PIX_FMT_YUV420P;
          gray->width = settings.width;
          gray->height = settings.height;
          av_frame_get_buffer(gray.get(), 0);
          for (int plane = 0; plane < 3; ++plane) {
            const int rows = plane == 0 ? gray->height : gray->height / 2;
            std::fill_n(gray->data[plane], gray->linesize[plane] * rows, uint8_t{128});
          }
          ASSIGN_OR_RETURN(ChosenEncoder chosen, ChooseEncoder({real}, settings, *gray, "test"));
          return std::make_unique<Faulty>(how, std::move(chosen.encoder));
        });
  }

 private:
  const How how_;
  std::unique_ptr<Encoder> real_;
  int frames_ = 0;
};

absl::Status Transcode(const Recording& footage, const std::vector<std::string>& encoders,
                       Output* output) {
  auto transcoder = Transcoder::Open(footage.format, encoders, output->Callbacks());
  RETURN_IF_ERROR(transcoder.status());
  for (const Packet& packet : footage.packets) {
    RETURN_IF_ERROR((*transcoder)->OnPacket(packet));
  }
  return (*transcoder)->Flush();
}

// The mean difference of luma between a transcoder's frames and what its packets decode to.
double LumaError(const Output& output) {
  AvPtr<AVCodecContext> decoder(
      avcodec_alloc_context3(avcodec_find_decoder(output.formats[0].parameters->codec_id)));
  avcodec_parameters_to_context(decoder.get(), output.formats[0].parameters.get());
  decoder->thread_count = 1;
  EXPECT_EQ(avcodec_open2(decoder.get(), nullptr, nullptr), 0);
  auto decoded = NewFrame();
  double sum = 0;
  size_t frames = 0;
  auto drain = [&] {
    while (avcodec_receive_frame(decoder.get(), decoded.get()) == 0) {
      const AVFrame& original = *output.frames[frames++].data;
      EXPECT_EQ(decoded->pts, original.pts);
      for (int y = 0; y < original.height; ++y) {
        for (int x = 0; x < original.width; ++x) {
          sum += std::abs(original.data[0][y * original.linesize[0] + x] -
                          decoded->data[0][y * decoded->linesize[0] + x]);
        }
      }
    }
  };
  for (const Packet& packet : output.packets) {
    avcodec_send_packet(decoder.get(), packet.data.get());
    drain();
  }
  avcodec_send_packet(decoder.get(), nullptr);
  drain();
  EXPECT_EQ(frames, output.frames.size());
  const auto& format = output.formats[0];
  return sum / (static_cast<double>(frames) * format.width * format.height);
}

Recording Shorten(Recording footage, size_t packets) {
  footage.packets.resize(std::min(packets, footage.packets.size()));
  return footage;
}

class EveryEncoder : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryEncoder, KeepsEveryFrameItsTimeAndAKeyframeASecond) {
  const Recording vtest = Shorten(ReadFootage(Footage("vtest.avi"), 0), 60);
  Output output;
  const absl::Status status = Transcode(vtest, {GetParam()}, &output);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_THAT(output.encoders, ElementsAre(GetParam()));
  EXPECT_EQ(output.formats[0].width, 768);
  EXPECT_EQ(output.formats[0].height, 576);
  ASSERT_EQ(output.packets.size(), 60u);
  ASSERT_EQ(output.frames.size(), 60u);
  for (size_t i = 0; i < 60; ++i) {
    EXPECT_EQ(output.packets[i].pts, vtest.packets[i].pts);
    EXPECT_EQ(output.packets[i].dts, vtest.packets[i].pts) << "no reordering";
    EXPECT_EQ(output.packets[i].monotonic_ns, vtest.packets[i].monotonic_ns);
    EXPECT_EQ(output.packets[i].keyframe, i % 10 == 0) << "10 frames a second, " << i;
    EXPECT_EQ(output.frames[i].pts, vtest.packets[i].pts);
    EXPECT_EQ(output.frames[i].monotonic_ns, vtest.packets[i].monotonic_ns);
  }
  EXPECT_LT(LumaError(output), 6) << "of 255";
}

INSTANTIATE_TEST_SUITE_P(Software, EveryEncoder, ::testing::Values("openh264", "libx264", "mpeg4"),
                         [](const auto& info) { return info.param; });

TEST(Transcoder, PutsTheParameterSetsInFrontOfEachKeyframe) {
  const Recording vtest = Shorten(ReadFootage(Footage("vtest.avi"), 0), 30);
  for (const char* name : {"openh264", "libx264"}) {
    Output output;
    ASSERT_TRUE(Transcode(vtest, {name}, &output).ok());
    EXPECT_GT(output.formats[0].parameters->extradata_size, 8);
    for (const Packet& packet : output.packets) {
      if (!packet.keyframe) continue;
      const std::string_view bytes(reinterpret_cast<const char*>(packet.data->data), 64);
      EXPECT_NE(bytes.find(std::string_view("\0\0\1\x67", 4)), std::string_view::npos) << name;
    }
  }
}

TEST(Transcoder, ReadsCinepakAtUnevenTimes) {
  const Recording tree = ReadFootage(Footage("tree.avi"), 0);
  Output output;
  ASSERT_TRUE(Transcode(tree, {"openh264"}, &output).ok());
  ASSERT_EQ(output.packets.size(), tree.packets.size());
  for (size_t i = 0; i < tree.packets.size(); ++i) {
    EXPECT_EQ(output.packets[i].pts, tree.packets[i].pts);
  }
  EXPECT_EQ(output.frames[0].data->format, AV_PIX_FMT_YUV420P);
}

class TranscoderFiles : public ClipRig {
 protected:
  Recording Make(const std::string& name, const std::string& arguments) {
    const std::string path = folder_ / name;
    const std::string command = fmt::format("ffmpeg -v error -nostdin -y {} {}", arguments, path);
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return ReadFootage(path, 0);
  }
};

TEST_F(TranscoderFiles, ReadsJpegOfAnOddSizeAndFullRange) {
  const Recording jpeg =
      Make("odd.avi", fmt::format("-i {} -an -t 1 -vf scale=321:239 -pix_fmt yuvj422p -c:v mjpeg",
                                  Footage("cup.mp4")));
  ASSERT_EQ(jpeg.format.codec, "mjpeg");
  Output output;
  ASSERT_TRUE(Transcode(jpeg, {"openh264"}, &output).ok());
  EXPECT_EQ(output.packets.size(), jpeg.packets.size());
  EXPECT_EQ(output.formats[0].width, 320);
  EXPECT_EQ(output.formats[0].height, 238);
  EXPECT_EQ(output.frames[0].data->color_range, AVCOL_RANGE_MPEG);
  EXPECT_LT(LumaError(output), 6);
}

TEST_F(TranscoderFiles, ReadsRawVideo) {
  const Recording raw =
      Make("raw.avi", fmt::format("-i {} -an -t 1 -vf scale=160:120 -pix_fmt yuyv422 -c:v rawvideo",
                                  Footage("cup.mp4")));
  ASSERT_EQ(raw.format.codec, "rawvideo");
  Output output;
  ASSERT_TRUE(Transcode(raw, {"openh264"}, &output).ok());
  EXPECT_EQ(output.packets.size(), raw.packets.size());
  EXPECT_LT(LumaError(output), 6);
}

TEST(Transcoder, SkipsDamagedPacketsAndCountsThem) {
  Recording vtest = Shorten(ReadFootage(Footage("vtest.avi"), 0), 40);
  for (size_t i = 15; i < 20; ++i) {
    AvPtr<AVPacket> damaged(av_packet_clone(vtest.packets[i].data.get()));
    av_packet_make_writable(damaged.get());
    std::fill_n(damaged->data, damaged->size, uint8_t{0});
    vtest.packets[i].data = std::shared_ptr<const AVPacket>(damaged.release(), AvDeleter());
  }
  Output output;
  auto transcoder = Transcoder::Open(vtest.format, {"openh264"}, output.Callbacks());
  ASSERT_TRUE(transcoder.ok());
  for (const Packet& packet : vtest.packets) ASSERT_TRUE((*transcoder)->OnPacket(packet).ok());
  EXPECT_GE((*transcoder)->damaged(), 1u);
  EXPECT_GE(output.packets.size(), 35u);
}

TEST(Encoders, AreTriedInOrderAndRefusedForAReason) {
  Faulty::Register("refuses", Faulty::How::kRefuses, "openh264");
  Faulty::Register("mute", Faulty::How::kReturnsNothing, "openh264");
  const Recording vtest = Shorten(ReadFootage(Footage("vtest.avi"), 0), 12);
  Output output;
  ASSERT_TRUE(Transcode(vtest, {"refuses", "mute", "openh264", "libx264"}, &output).ok());
  EXPECT_THAT(output.encoders, ElementsAre("openh264"));
  EXPECT_EQ(output.packets.size(), 12u);

  Output none;
  const absl::Status status = Transcode(vtest, {"refuses", "mute"}, &none);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("refuses: no such silicon"));
  EXPECT_THAT(std::string(Message(status)), HasSubstr("mute: took a frame and returned nothing"));
  EXPECT_THAT(none.packets, IsEmpty());

  EXPECT_TRUE(absl::IsNotFound(Transcode(vtest, {"h265_magic"}, &none)));
  EXPECT_THAT(DefaultEncoders(), ElementsAre("h264_nvenc", "h264_vaapi", "h264_v4l2m2m", "h264_qsv",
                                             "openh264", "libx264", "mpeg4"));
}

TEST(Encoders, FailOverWithoutLosingAFrame) {
  Faulty::Register("dies", Faulty::How::kFailsLater, "openh264");
  const Recording vtest = Shorten(ReadFootage(Footage("vtest.avi"), 0), 80);
  Output output;
  ASSERT_TRUE(Transcode(vtest, {"dies", "libx264"}, &output).ok());
  EXPECT_THAT(output.encoders, ElementsAre("dies", "libx264"));
  EXPECT_THAT(output.format_at, ElementsAre(0u, 49u));
  ASSERT_EQ(output.packets.size(), 80u);
  for (size_t i = 0; i < 80; ++i) EXPECT_EQ(output.packets[i].pts, vtest.packets[i].pts);
  EXPECT_TRUE(output.packets[49].keyframe);

  Output none_left;
  const absl::Status status = Transcode(vtest, {"dies"}, &none_left);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("bus reset"));
  EXPECT_EQ(none_left.packets.size(), 49u);
}

TEST(Encoders, OneThatGoesSilentIsReplaced) {
  Faulty::Register("silent", Faulty::How::kGoesSilent, "openh264");
  const Recording vtest = Shorten(ReadFootage(Footage("vtest.avi"), 0), 140);
  Output output;
  ASSERT_TRUE(Transcode(vtest, {"silent", "openh264"}, &output).ok());
  EXPECT_THAT(output.encoders, ElementsAre("silent", "openh264"));
  EXPECT_GE(output.packets.size(), 50u + 20u);
  EXPECT_EQ(output.packets.back().pts, vtest.packets.back().pts);
}

// A whole clip of an encoded camera, through the recorder.
class EncodedClip : public ClipRig {
 protected:
  std::vector<TakenClip> Record(const Recording& footage, const std::vector<std::string>& encoders,
                                size_t fire_at, const RuleOptions& rule) {
    Recorder recorder(Options({"front"}, rule.pre_ns), *spool_, clock_);
    size_t count = 0;
    auto transcoder =
        Transcoder::Open(footage.format, encoders,
                         {.on_frame = [](const Frame&) {},
                          .on_format = [&](const VideoFormat& f,
                                           const std::string& e) { recorder.OnFormat(0, f, e); },
                          .on_packet =
                              [&](const Packet& p) {
                                recorder.OnPacket(0, p);
                                if (++count == fire_at)
                                  recorder.OnFiring({&rule, p.monotonic_ns}, {});
                              }});
    EXPECT_TRUE(transcoder.ok());
    for (const Packet& packet : footage.packets) {
      EXPECT_TRUE((*transcoder)->OnPacket(packet).ok());
    }
    EXPECT_TRUE((*transcoder)->Flush().ok());
    recorder.OnCameraEnd(0);
    recorder.Finish();
    return TakeAll();
  }

  static RuleOptions Rule() {
    RuleOptions rule;
    rule.name = "person";
    rule.when = "motion > 0";
    rule.pre_ns = 2 * kS;
    rule.post_ns = 3 * kS;
    return rule;
  }
};

TEST_F(EncodedClip, HasTheSourcesTicksWhateverTheTimeBase) {
  const Recording tree = ReadFootage(Footage("tree.avi"), kStart);
  const auto clips = Record(tree, {"openh264"}, 30, Rule());
  ASSERT_EQ(clips.size(), 1u);
  CheckVideo(clips[0]);
  const v1::VideoTrack& track = clips[0].manifest.video(0);
  EXPECT_EQ(track.encoder(), "openh264");
  // 66667/1000000 s a tick can't be said in MP4: the same times in 1/1000000 s.
  EXPECT_EQ(track.time_base_numerator(), 1u);
  EXPECT_EQ(track.time_base_denominator(), 1'000'000u);
  for (int64_t pts : PtsOf(track)) {
    EXPECT_EQ(pts % 66'667, 0);
    EXPECT_TRUE(std::any_of(tree.packets.begin(), tree.packets.end(),
                            [&](const Packet& p) { return p.pts * 66'667 == pts; }));
  }
}

TEST_F(EncodedClip, GoesOnInTheSameFileAfterAFailOver) {
  Faulty::Register("dies", Faulty::How::kFailsLater, "openh264");
  const Recording vtest = Shorten(ReadFootage(Footage("vtest.avi"), kStart), 90);
  const auto clips = Record(vtest, {"dies", "libx264"}, 40, Rule());
  ASSERT_EQ(clips.size(), 1u);
  const v1::ClipManifest& manifest = clips[0].manifest;
  EXPECT_EQ(manifest.video(0).encoder(), "dies+libx264");
  EXPECT_EQ(manifest.shortfall(), "");
  const Judged judged = CheckVideo(clips[0]);
  EXPECT_LT(judged.frame_pts.front(), 49);
  EXPECT_GT(judged.frame_pts.back(), 60);
}

TEST_F(EncodedClip, EndsWhereAnEncoderOfAnotherCodecTakesOverAndSaysSo) {
  Faulty::Register("dies", Faulty::How::kFailsLater, "openh264");
  const Recording vtest = Shorten(ReadFootage(Footage("vtest.avi"), kStart), 90);
  const auto clips = Record(vtest, {"dies", "mpeg4"}, 40, Rule());
  ASSERT_EQ(clips.size(), 1u);
  EXPECT_EQ(clips[0].manifest.video(0).encoder(), "dies");
  EXPECT_EQ(PtsOf(clips[0].manifest.video(0)).back(), 48);
  EXPECT_THAT(clips[0].manifest.shortfall(), HasSubstr("the camera's format changed"));
  CheckVideo(clips[0]);
}

TEST_F(EncodedClip, IsWrittenAsMpeg4WhereNothingElseWorks) {
  const Recording vtest = Shorten(ReadFootage(Footage("vtest.avi"), kStart), 90);
  const auto clips = Record(vtest, {"mpeg4"}, 40, Rule());
  ASSERT_EQ(clips.size(), 1u);
  EXPECT_EQ(CheckVideo(clips[0]).codec, "mpeg4");
}

}  // namespace
}  // namespace gleaner::edge
