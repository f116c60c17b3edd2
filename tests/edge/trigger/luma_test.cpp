#include "edge/trigger/detector/luma.h"

extern "C" {
#include <libavutil/frame.h>
}

#include <gtest/gtest.h>

#include <memory>

namespace gleaner::edge {
namespace {

TEST(Luma, ReadsEveryCommonPixelFormatToTheSamePicture) {
  struct Case {
    AVPixelFormat format;
    bool readable;
  };
  for (const Case& c :
       {Case{AV_PIX_FMT_YUV420P, true}, Case{AV_PIX_FMT_YUVJ422P, true},
        Case{AV_PIX_FMT_NV12, true}, Case{AV_PIX_FMT_GRAY8, true}, Case{AV_PIX_FMT_YUYV422, true},
        Case{AV_PIX_FMT_UYVY422, true}, Case{AV_PIX_FMT_BGR24, true}, Case{AV_PIX_FMT_RGBA, true},
        Case{AV_PIX_FMT_YUV420P10LE, true}, Case{AV_PIX_FMT_P010LE, true},
        Case{AV_PIX_FMT_VAAPI, false}}) {
    SCOPED_TRACE(c.format);
    const std::shared_ptr<AVFrame> picture(av_frame_alloc(), [](AVFrame* f) { av_frame_free(&f); });
    picture->format = c.format;
    picture->width = 640;
    picture->height = 480;
    LumaReducer reducer({320, 180});
    if (!c.readable) {
      EXPECT_TRUE(reducer.Reduce(picture).empty());
      continue;
    }
    ASSERT_EQ(av_frame_get_buffer(picture.get(), 0), 0);
    // Mid-grey in each: 0x80 in 8 bits, 0x200 in 10.
    const bool wide = c.format == AV_PIX_FMT_YUV420P10LE || c.format == AV_PIX_FMT_P010LE;
    for (int plane = 0; plane < 4 && picture->data[plane] != nullptr; ++plane) {
      const size_t rows = plane == 0 || c.format == AV_PIX_FMT_YUVJ422P ? 480 : 240;
      const size_t bytes = static_cast<size_t>(picture->linesize[plane]) * rows;
      for (size_t i = 0; i < bytes; ++i) {
        const uint8_t high = c.format == AV_PIX_FMT_P010LE ? 0x80 : 0x02;
        picture->data[plane][i] = !wide ? 0x80 : i % 2 == 1 ? high : 0;
      }
    }
    const LumaPicture luma = reducer.Reduce(picture);
    ASSERT_FALSE(luma.empty());
    EXPECT_EQ(luma.width, 240);
    EXPECT_EQ(luma.height, 180);
    // Video range to full range moves mid-grey a little.
    EXPECT_NEAR(luma.row(90)[120], 0x80, 3);
  }
}

TEST(Luma, OfAWholePictureIsThePlaneItself) {
  const std::shared_ptr<AVFrame> picture(av_frame_alloc(), [](AVFrame* f) { av_frame_free(&f); });
  picture->format = AV_PIX_FMT_NV12;
  picture->width = 640;
  picture->height = 480;
  ASSERT_EQ(av_frame_get_buffer(picture.get(), 0), 0);
  const LumaPicture whole = LumaReducer({}).Reduce(picture);
  EXPECT_EQ(whole.cells.get(), picture->data[0]);
  EXPECT_EQ(whole.width, 640);
  EXPECT_EQ(whole.height, 480);
  EXPECT_EQ(picture.use_count(), 2) << "it lives as long as the luma does";
  EXPECT_EQ(LumaReducer({640, 480}).Reduce(picture).cells.get(), picture->data[0])
      << "nothing is enlarged";
}

}  // namespace
}  // namespace gleaner::edge
