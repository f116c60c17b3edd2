// Which way a V4L2 device is set. The driver's answers stand here as the kernel's own structures;
// no device is needed.
#include "edge/camera/v4l2_modes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/videodev2.h>

#include <cerrno>

#include "common/status.h"

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Size {
  uint32_t width, height;
  std::vector<uint32_t> rates;
};
struct Driver {
  struct Format {
    uint32_t fourcc;
    std::vector<Size> sizes;
    bool stepwise = false;  // from the first size to the second, in steps of 16 by 8
  };
  uint32_t capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_DEVICE_CAPS;
  uint32_t device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
  std::vector<Format> formats;

  int operator()(unsigned long request, void* argument) const {
    errno = EINVAL;
    if (request == VIDIOC_QUERYCAP) {
      auto& answer = *static_cast<v4l2_capability*>(argument);
      answer.capabilities = capabilities;
      answer.device_caps = device_caps;
      return 0;
    }
    if (request == VIDIOC_ENUM_FMT) {
      auto& answer = *static_cast<v4l2_fmtdesc*>(argument);
      if (answer.type != V4L2_BUF_TYPE_VIDEO_CAPTURE || answer.index >= formats.size()) return -1;
      answer.pixelformat = formats[answer.index].fourcc;
      return 0;
    }
    if (request == VIDIOC_ENUM_FRAMESIZES) {
      auto& answer = *static_cast<v4l2_frmsizeenum*>(argument);
      const Format* format = Find(answer.pixel_format);
      if (format == nullptr) return -1;
      if (format->stepwise) {
        if (answer.index > 0) return -1;
        answer.type = V4L2_FRMSIZE_TYPE_STEPWISE;
        answer.stepwise = {format->sizes[0].width,  format->sizes[1].width,  16,
                           format->sizes[0].height, format->sizes[1].height, 8};
        return 0;
      }
      if (answer.index >= format->sizes.size()) return -1;
      answer.type = V4L2_FRMSIZE_TYPE_DISCRETE;
      answer.discrete = {format->sizes[answer.index].width, format->sizes[answer.index].height};
      return 0;
    }
    if (request == VIDIOC_ENUM_FRAMEINTERVALS) {
      auto& answer = *static_cast<v4l2_frmivalenum*>(argument);
      const Format* format = Find(answer.pixel_format);
      for (const Size& size : format->sizes) {
        if (!format->stepwise && (size.width != answer.width || size.height != answer.height)) {
          continue;
        }
        if (answer.index >= size.rates.size()) return -1;
        answer.type = V4L2_FRMIVAL_TYPE_DISCRETE;
        answer.discrete = {1, size.rates[answer.index]};
        return 0;
      }
      return -1;
    }
    errno = ENOTTY;
    return -1;
  }

  const Format* Find(uint32_t fourcc) const {
    for (const Format& format : formats) {
      if (format.fourcc == fourcc) return &format;
    }
    return nullptr;
  }
};

// A usual webcam: raw is slow where it is large.
Driver Webcam(bool h264) {
  Driver driver;
  driver.formats = {
      {V4L2_PIX_FMT_YUYV, {{640, 480, {30, 15}}, {1280, 720, {10}}, {1920, 1080, {5}}}},
      {V4L2_PIX_FMT_MJPEG, {{640, 480, {30}}, {1280, 720, {30}}, {1920, 1080, {30}}}},
      {v4l2_fourcc('X', 'X', 'X', 'X'), {{640, 480, {30}}}}};
  if (h264) {
    driver.formats.push_back(
        {V4L2_PIX_FMT_H264, {{640, 480, {30}}, {1920, 1080, {60, 30}}, {3840, 2160, {15}}}});
  }
  return driver;
}

std::vector<std::string> Chosen(const Driver& driver, const V4l2Wish& wish) {
  const auto modes = ListV4l2Modes(V4l2Ioctl(driver));
  EXPECT_TRUE(modes.ok()) << modes.status();
  const auto chosen = ChooseV4l2Modes(*modes, wish);
  if (!chosen.ok()) return {std::string(Message(chosen.status()))};
  std::vector<std::string> texts;
  for (const V4l2Mode& mode : *chosen) texts.push_back(ToString(mode));
  return texts;
}

TEST(V4l2Modes, TriesH264ThenMjpegThenRaw) {
  EXPECT_THAT(Chosen(Webcam(true), {}),
              ElementsAre("h264 1920×1080 at 30", "mjpeg 1280×720 at 30", "yuyv 640×480 at 30"));
  EXPECT_THAT(Chosen(Webcam(false), {}), ElementsAre("mjpeg 1280×720 at 30", "yuyv 640×480 at 30"));
}

TEST(V4l2Modes, GivesWhatIsAskedForInTheSameOrder) {
  EXPECT_THAT(Chosen(Webcam(true), {.width = 640, .height = 480}),
              ElementsAre("h264 640×480 at 30", "mjpeg 640×480 at 30", "yuyv 640×480 at 30"));
  EXPECT_THAT(Chosen(Webcam(true), {.width = 640, .height = 480, .frames_per_s = 15}),
              ElementsAre("h264 640×480 at 15", "mjpeg 640×480 at 15", "yuyv 640×480 at 15"));
  EXPECT_THAT(Chosen(Webcam(true), {.width = 1280, .height = 720}),
              ElementsAre("mjpeg 1280×720 at 30", "yuyv 1280×720 at 10"));
  EXPECT_THAT(Chosen(Webcam(true), {.format = "yuyv"}), ElementsAre("yuyv 640×480 at 30"));
  EXPECT_THAT(Chosen(Webcam(true), {.format = "yuyv", .width = 1920, .height = 1080}),
              ElementsAre("yuyv 1920×1080 at 5"));
  EXPECT_THAT(Chosen(Webcam(true), {.frames_per_s = 60}), ElementsAre("h264 1920×1080 at 60"));
}

TEST(V4l2Modes, SaysWhatTheDeviceOffersWhereItDoesNotOfferThat) {
  const auto error = Chosen(Webcam(false), {.format = "h264", .width = 800, .height = 600});
  ASSERT_EQ(error.size(), 1u);
  EXPECT_THAT(error[0], HasSubstr("it offers yuyv 640×480 at 30, yuyv 1280×720 at 10, yuyv "
                                  "1920×1080 at 5, mjpeg 640×480 at 30"));
  EXPECT_THAT(
      Chosen(Webcam(true), {.format = "yuyv", .width = 1280, .height = 720, .frames_per_s = 30})[0],
      HasSubstr("doesn't offer this size, rate and format together"));
}

TEST(V4l2Modes, TakesTheUsualSizesOfARange) {
  Driver driver;
  driver.formats = {{V4L2_PIX_FMT_NV12, {{32, 32, {30}}, {1920, 1088, {30}}}, /*stepwise=*/true}};
  EXPECT_THAT(Chosen(driver, {}), ElementsAre("nv12 1280×720 at 30"));
  EXPECT_THAT(Chosen(driver, {.width = 1920, .height = 1080}), ElementsAre("nv12 1920×1080 at 30"));
}

TEST(V4l2Modes, LeavesToTheDriverWhatItDoesNotSay) {
  Driver driver;
  driver.formats = {{V4L2_PIX_FMT_MJPEG, {}}};
  EXPECT_THAT(Chosen(driver, {}), ElementsAre("mjpeg"));
  EXPECT_THAT(Chosen(driver, {.width = 800, .height = 600, .frames_per_s = 20}),
              ElementsAre("mjpeg 800×600 at 20"));
}

TEST(V4l2Modes, SaysWhyADeviceIsNoCamera) {
  const auto error = [](const Driver& driver) {
    return std::string(Message(ListV4l2Modes(V4l2Ioctl(driver)).status()));
  };
  Driver metadata = Webcam(true);
  metadata.device_caps = V4L2_CAP_META_CAPTURE;
  EXPECT_THAT(error(metadata), HasSubstr("a second device for metadata"));
  Driver planes = Webcam(true);
  planes.device_caps = V4L2_CAP_VIDEO_CAPTURE_MPLANE;
  EXPECT_THAT(error(planes), HasSubstr("separate planes"));
  Driver unknown;
  unknown.formats = {{v4l2_fourcc('X', 'X', 'X', 'X'), {}}};
  EXPECT_THAT(error(unknown), HasSubstr("those are h264, mjpeg, nv12"));
  EXPECT_THAT(std::string(Message(ListV4l2Modes("/dev/null").status())),
              HasSubstr("/dev/null is not a V4L2 device"));
  EXPECT_TRUE(absl::IsNotFound(ListV4l2Modes("/dev/video-of-no-camera").status()));
}

TEST(V4l2Modes, EndsWithADriverThatNeverStopsListing) {
  Driver driver = Webcam(true);
  const auto modes = ListV4l2Modes([&driver](unsigned long request, void* argument) {
    if (request != VIDIOC_ENUM_FMT) return driver(request, argument);
    static_cast<v4l2_fmtdesc*>(argument)->pixelformat = V4L2_PIX_FMT_MJPEG;
    return 0;
  });
  ASSERT_TRUE(modes.ok());
  EXPECT_LT(modes->size(), 1000u);
}

TEST(V4l2Modes, NamesEachFormatAsFfmpegDoes) {
  EXPECT_EQ(FfmpegName("yuyv"), "yuyv422");
  EXPECT_EQ(FfmpegName("h264"), "h264");
}

}  // namespace
}  // namespace gleaner::edge
