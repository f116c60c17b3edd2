// What every encoder must do (encoder.h), each on its own.
#include "edge/clip/encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "common/status.h"

namespace gleaner::edge {
namespace {

constexpr int kWidth = 320, kHeight = 192;

// Squares of four samples a side, of shades that no other picture has.
AvPtr<AVFrame> Picture(uint32_t seed, int64_t pts) {
  AvPtr<AVFrame> frame = NewFrame();
  frame->format = AV_PIX_FMT_YUV420P;
  frame->width = kWidth;
  frame->height = kHeight;
  frame->pts = pts;
  EXPECT_EQ(av_frame_get_buffer(frame.get(), 0), 0);
  std::mt19937 random(seed);
  for (int plane = 0; plane < 3; ++plane) {
    const int stride = frame->linesize[plane], rows = plane == 0 ? kHeight : kHeight / 2;
    for (int y = 0; y < rows; y += 4) {
      uint8_t* row = frame->data[plane] + y * stride;
      for (int x = 0; x < stride; x += 4) std::fill_n(row + x, 4, uint8_t(random() >> 24));
      for (int copy = 1; copy < 4; ++copy) std::copy_n(row, stride, row + copy * stride);
    }
  }
  return frame;
}

class OneEncoder : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Encoder> Open(EncoderSettings settings) {
    settings.width = kWidth;
    settings.height = kHeight;
    auto chosen = ChooseEncoder({GetParam()}, settings, *Picture(0, 0), "test");
    EXPECT_TRUE(chosen.ok()) << chosen.status();
    return std::move(chosen->encoder);
  }
  static std::vector<AvPtr<AVPacket>> Encode(Encoder& encoder, int frames, int keyframe_every) {
    std::vector<AvPtr<AVPacket>> packets;
    for (int i = 0; i < frames; ++i) {
      const absl::Status status = encoder.Encode(*Picture(static_cast<uint32_t>(i), 1'000 + 40 * i),
                                                 i % keyframe_every == 0, &packets);
      EXPECT_TRUE(status.ok()) << status;
    }
    EXPECT_TRUE(encoder.Flush(&packets).ok());
    return packets;
  }
};

TEST_P(OneEncoder, ReturnsEveryFrameAtItsTimeThoughItsRateIsFarTooLow) {
  const auto encoder = Open({.frames_per_s = 25, .bits_per_s = 20'000});
  const auto packets = Encode(*encoder, 40, 1'000);
  ASSERT_EQ(packets.size(), 40u);
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(packets[static_cast<size_t>(i)]->pts, 1'000 + 40 * i);
    EXPECT_EQ(packets[static_cast<size_t>(i)]->dts, 1'000 + 40 * i);
    EXPECT_GT(packets[static_cast<size_t>(i)]->size, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Encoders, OneEncoder, ::testing::Values("openh264", "libx264", "mpeg4"),
                         [](const auto& info) { return info.param; });

class H264Encoder : public OneEncoder {};

TEST_P(H264Encoder, MakesKeyframesWhenItIsToldAndNeverElseThoughEveryPictureIsANewScene) {
  const auto encoder = Open({.frames_per_s = 25, .bits_per_s = 1'000'000});
  const auto packets = Encode(*encoder, 60, 20);
  ASSERT_EQ(packets.size(), 60u);
  for (size_t i = 0; i < packets.size(); ++i) {
    EXPECT_EQ((packets[i]->flags & AV_PKT_FLAG_KEY) != 0, i % 20 == 0) << i;
  }
}

TEST_P(H264Encoder, SpendsAboutAsManyBitsAsItIsTold) {
  const auto bytes = [&](int64_t bits_per_s) {
    const auto encoder = Open({.frames_per_s = 25, .bits_per_s = bits_per_s});
    int64_t sum = 0;
    for (const auto& packet : Encode(*encoder, 50, 25)) sum += packet->size;
    return sum;
  };
  const int64_t much = bytes(4'000'000);
  EXPECT_LT(much, 2 * 2 * 4'000'000 / 8);
  EXPECT_GT(much, 4'000'000 / 8 / 2);
  EXPECT_LT(bytes(1'000'000), much / 2);
}

TEST_P(H264Encoder, SaysItsColoursInTheStreamItself) {
  const Colours colours{AVCOL_SPC_BT470BG, AVCOL_PRI_SMPTE170M, AVCOL_TRC_GAMMA28};
  const auto encoder = Open({.frames_per_s = 25, .bits_per_s = 1'000'000, .colours = colours});
  const auto packets = Encode(*encoder, 1, 1);
  const AvPtr<AVCodecContext> decoder(
      avcodec_alloc_context3(avcodec_find_decoder(encoder->codec())));
  decoder->thread_count = 1;
  ASSERT_EQ(avcodec_open2(decoder.get(), nullptr, nullptr), 0);
  ASSERT_EQ(avcodec_send_packet(decoder.get(), packets[0].get()), 0);
  avcodec_send_packet(decoder.get(), nullptr);
  const auto frame = NewFrame();
  ASSERT_EQ(avcodec_receive_frame(decoder.get(), frame.get()), 0);
  EXPECT_EQ(frame->colorspace, colours.matrix);
  EXPECT_EQ(frame->color_primaries, colours.primaries);
  EXPECT_EQ(frame->color_trc, colours.transfer);
  EXPECT_EQ(frame->color_range, AVCOL_RANGE_MPEG);
}

TEST_P(H264Encoder, WhatAFileNeedsToSayIsInItsFirstKeyframe) {
  EncoderSettings settings{.width = kWidth,
                           .height = kHeight,
                           .frames_per_s = 25,
                           .bits_per_s = 1'000'000,
                           .colours = {AVCOL_SPC_BT470BG, AVCOL_PRI_SMPTE170M, AVCOL_TRC_GAMMA28}};
  const auto encoder = Open(settings);
  const auto packets = Encode(*encoder, 1, 1);
  const auto parameters = ParametersFrom(encoder->codec(), settings, *packets[0]);
  EXPECT_EQ(parameters->codec_type, AVMEDIA_TYPE_VIDEO);
  EXPECT_EQ(parameters->codec_id, AV_CODEC_ID_H264);
  EXPECT_EQ(parameters->format, AV_PIX_FMT_YUV420P);
  EXPECT_EQ(parameters->width, kWidth);
  EXPECT_EQ(parameters->height, kHeight);
  EXPECT_EQ(parameters->color_range, AVCOL_RANGE_MPEG);
  EXPECT_EQ(parameters->color_space, AVCOL_SPC_BT470BG);
  EXPECT_EQ(parameters->color_primaries, AVCOL_PRI_SMPTE170M);
  EXPECT_EQ(parameters->color_trc, AVCOL_TRC_GAMMA28);
  EXPECT_GT(parameters->extradata_size, 8) << "the parameter sets";
}

INSTANTIATE_TEST_SUITE_P(Encoders, H264Encoder, ::testing::Values("openh264", "libx264"),
                         [](const auto& info) { return info.param; });

TEST(EncoderRegistry, KnowsWhatIsTriedAndTakesOthersBesides) {
  EXPECT_EQ(DefaultEncoders(),
            (std::vector<std::string>{"h264_nvenc", "h264_vaapi", "h264_v4l2m2m", "h264_qsv",
                                      "openh264", "libx264", "mpeg4"}));
  EXPECT_TRUE(IsEncoder("openh264"));
  EXPECT_FALSE(IsEncoder("no-such"));
  const auto refuse = [](const char* why) {
    return [why](const EncoderSettings&) -> absl::StatusOr<std::unique_ptr<Encoder>> {
      return absl::UnavailableError(why);
    };
  };
  RegisterEncoder("of-this-test", refuse("first"));
  RegisterEncoder("of-this-test", refuse("second"));
  EXPECT_TRUE(IsEncoder("of-this-test"));
  EXPECT_EQ(DefaultEncoders().size(), 7u);
  const auto none = ChooseEncoder({"of-this-test", "no-such"},
                                  {.width = kWidth, .height = kHeight, .frames_per_s = 25},
                                  *Picture(0, 0), "test");
  EXPECT_EQ(Message(none.status()),
            "no encoder works (of-this-test: second; no-such: no such encoder)");
}

}  // namespace
}  // namespace gleaner::edge
