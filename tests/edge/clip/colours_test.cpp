#include "edge/clip/colours.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace gleaner::edge {
namespace {

AvPtr<AVFrame> FrameOf(AVPixelFormat format, int height = 480) {
  AvPtr<AVFrame> frame = NewFrame();
  frame->format = format;
  frame->width = 64;
  frame->height = height;
  return frame;
}

TEST(Colours, OfAFrameAreWhatItSays) {
  const auto frame = FrameOf(AV_PIX_FMT_YUV420P);
  frame->colorspace = AVCOL_SPC_BT2020_NCL;
  frame->color_primaries = AVCOL_PRI_BT2020;
  frame->color_trc = AVCOL_TRC_SMPTE2084;
  for (const AVCodecID codec : {AV_CODEC_ID_MJPEG, AV_CODEC_ID_H264}) {
    EXPECT_EQ(ColoursOf(*frame, codec),
              (Colours{AVCOL_SPC_BT2020_NCL, AVCOL_PRI_BT2020, AVCOL_TRC_SMPTE2084}));
  }
}

TEST(Colours, ThatAFrameDoesNotSayAreThoseOfItsKindOfSource) {
  const auto matrix = [](AVPixelFormat format, AVCodecID codec, int height) {
    const Colours colours = ColoursOf(*FrameOf(format, height), codec);
    EXPECT_EQ(colours.primaries, AVCOL_PRI_BT709);
    EXPECT_EQ(colours.transfer, AVCOL_TRC_BT709);
    return colours.matrix;
  };
  // Cameras that don't encode make BT.601 of every size; encoded video is taken as players do.
  for (const AVCodecID camera : {AV_CODEC_ID_MJPEG, AV_CODEC_ID_RAWVIDEO}) {
    EXPECT_EQ(matrix(AV_PIX_FMT_YUVJ422P, camera, 480), AVCOL_SPC_SMPTE170M);
    EXPECT_EQ(matrix(AV_PIX_FMT_YUVJ422P, camera, 1080), AVCOL_SPC_SMPTE170M);
  }
  EXPECT_EQ(matrix(AV_PIX_FMT_YUV420P, AV_CODEC_ID_HEVC, 719), AVCOL_SPC_SMPTE170M);
  EXPECT_EQ(matrix(AV_PIX_FMT_YUV420P, AV_CODEC_ID_HEVC, 720), AVCOL_SPC_BT709);
}

TEST(Colours, OfRgbBecomeBt601) {
  for (const AVPixelFormat format : {AV_PIX_FMT_RGB24, AV_PIX_FMT_BGRA, AV_PIX_FMT_GBRP}) {
    const auto frame = FrameOf(format, 1080);
    frame->colorspace = AVCOL_SPC_RGB;
    EXPECT_EQ(ColoursOf(*frame, AV_CODEC_ID_H264).matrix, AVCOL_SPC_SMPTE170M);
    EXPECT_TRUE(IsFullRange(*frame));
    EXPECT_NE(ScalerFlags(*frame) & SWS_ACCURATE_RND, 0) << "or greys would be tinted";
  }
  EXPECT_EQ(ScalerFlags(*FrameOf(AV_PIX_FMT_YUV420P)) & SWS_ACCURATE_RND, 0);
}

TEST(Colours, HaveTheFullRangeWhereTheFrameSaysSoInEitherWay) {
  for (const AVPixelFormat format : {AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P,
                                     AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUVJ411P}) {
    EXPECT_TRUE(IsFullRange(*FrameOf(format)));
  }
  const auto frame = FrameOf(AV_PIX_FMT_YUV420P);
  EXPECT_FALSE(IsFullRange(*frame));
  frame->color_range = AVCOL_RANGE_MPEG;
  EXPECT_FALSE(IsFullRange(*frame));
  frame->color_range = AVCOL_RANGE_JPEG;
  EXPECT_TRUE(IsFullRange(*frame));
}

// A colour as luma and two chroma samples of 8 bits, by the definition (ITU-T H.273, 8.3).
std::array<double, 3> Yuv(const std::array<double, 3>& rgb, bool bt709, bool full) {
  const double kr = bt709 ? 0.2126 : 0.299, kb = bt709 ? 0.0722 : 0.114;
  const double y = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2];
  const double u = (rgb[2] - y) / (2 * (1 - kb)), v = (rgb[0] - y) / (2 * (1 - kr));
  if (full) return {255 * y, 255 * u + 128, 255 * v + 128};
  return {219 * y + 16, 224 * u + 128, 224 * v + 128};
}

TEST(Colours, AreTheSameAfterAConversionWhateverTheMatrixAndTheRange) {
  const std::array<double, 3> patches[] = {
      {0.9, 0.1, 0.1}, {0.1, 0.8, 0.2}, {0.2, 0.2, 0.9}, {0.5, 0.5, 0.5}, {0.9, 0.8, 0.1}};
  for (const auto& rgb : patches) {
    for (int kind = 0; kind < 8; ++kind) {
      const bool from_709 = (kind & 1) != 0, from_full = (kind & 2) != 0, to_full = (kind & 4) != 0;
      const auto from = FrameOf(AV_PIX_FMT_YUV444P);
      ASSERT_EQ(av_frame_get_buffer(from.get(), 0), 0);
      from->colorspace = from_709 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
      from->color_range = from_full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
      const auto sent = Yuv(rgb, from_709, from_full);
      for (int plane = 0; plane < 3; ++plane) {
        std::fill_n(from->data[plane], from->linesize[plane] * from->height,
                    static_cast<uint8_t>(std::lround(sent[static_cast<size_t>(plane)])));
      }
      const auto to = FrameOf(AV_PIX_FMT_YUV420P);
      ASSERT_EQ(av_frame_get_buffer(to.get(), 0), 0);
      const AvPtr<SwsContext> scaler(sws_getContext(from->width, from->height, AV_PIX_FMT_YUV444P,
                                                    to->width, to->height, AV_PIX_FMT_YUV420P,
                                                    ScalerFlags(*from), nullptr, nullptr, nullptr));
      SetColours(*from, AV_CODEC_ID_RAWVIDEO, Colours{}, to_full, scaler.get());
      ASSERT_GE(sws_scale_frame(scaler.get(), to.get(), from.get()), 0);
      const auto wanted = Yuv(rgb, /*bt709=*/false, to_full);
      for (int plane = 0; plane < 3; ++plane) {
        EXPECT_NEAR(to->data[plane][to->linesize[plane] * 10 + 10],
                    wanted[static_cast<size_t>(plane)], 3)
            << "plane " << plane << " of kind " << kind;
      }
    }
  }
}

}  // namespace
}  // namespace gleaner::edge
