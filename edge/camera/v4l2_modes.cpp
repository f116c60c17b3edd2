#include "edge/camera/v4l2_modes.h"

#include <fcntl.h>
#include <linux/videodev2.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>

#include "common/file.h"
#include "common/status.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

struct Format {
  uint32_t fourcc;
  std::string_view name;
  std::string_view ffmpeg;
  int64_t affordable_pixels;  // of a picture, where the configuration doesn't say a size
};

constexpr int64_t k1080p = 1920 * 1080;
constexpr int64_t k720p = 1280 * 720;

// Those that FFmpeg's demuxer reads and Gleaner's decoders know.
constexpr std::array kFormats = {
    Format{V4L2_PIX_FMT_H264, "h264", "h264", k1080p},
    Format{V4L2_PIX_FMT_MJPEG, "mjpeg", "mjpeg", k720p},
    Format{V4L2_PIX_FMT_JPEG, "mjpeg", "mjpeg", k720p},
    Format{V4L2_PIX_FMT_NV12, "nv12", "nv12", k720p},
    Format{V4L2_PIX_FMT_YUV420, "yuv420p", "yuv420p", k720p},
    Format{V4L2_PIX_FMT_YUYV, "yuyv", "yuyv422", k720p},
    Format{V4L2_PIX_FMT_UYVY, "uyvy", "uyvy422", k720p},
    Format{V4L2_PIX_FMT_YUV422P, "yuv422p", "yuv422p", k720p},
    Format{V4L2_PIX_FMT_BGR24, "bgr24", "bgr24", k720p},
    Format{V4L2_PIX_FMT_RGB24, "rgb24", "rgb24", k720p},
    Format{V4L2_PIX_FMT_GREY, "gray", "gray", k720p},
};

// Of a driver that takes any size in a range.
struct Size {
  int width, height;
};
constexpr std::array kUsualSizes = {Size{640, 480},  Size{800, 600},   Size{1280, 720},
                                    Size{1280, 960}, Size{1920, 1080}, Size{2560, 1440},
                                    Size{3840, 2160}};

constexpr double kMoving = 24;        // frames a second that look like motion
constexpr double kEnough = 30;        // where the configuration doesn't ask for more
constexpr uint32_t kMaxListed = 256;  // of anything: a driver may be broken
constexpr size_t kMaxOffered = 40;    // modes that an error names

double PerSecond(const v4l2_fract& interval) {
  return interval.numerator == 0 ? 0
                                 : static_cast<double>(interval.denominator) / interval.numerator;
}

double FastestRate(const V4l2Ioctl& ioctl, uint32_t fourcc, uint32_t width, uint32_t height) {
  double fastest = 0;
  for (uint32_t i = 0; i < kMaxListed; ++i) {
    v4l2_frmivalenum interval{};
    interval.index = i;
    interval.pixel_format = fourcc;
    interval.width = width;
    interval.height = height;
    if (ioctl(VIDIOC_ENUM_FRAMEINTERVALS, &interval) != 0) break;
    if (interval.type != V4L2_FRMIVAL_TYPE_DISCRETE) return PerSecond(interval.stepwise.min);
    fastest = std::max(fastest, PerSecond(interval.discrete));
  }
  return fastest;
}

void ListSizes(const V4l2Ioctl& ioctl, const Format& format, std::vector<V4l2Mode>* modes) {
  const auto add = [&](uint32_t width, uint32_t height) {
    modes->push_back({format.name, static_cast<int>(width), static_cast<int>(height),
                      FastestRate(ioctl, format.fourcc, width, height)});
  };
  for (uint32_t i = 0; i < kMaxListed; ++i) {
    v4l2_frmsizeenum size{};
    size.index = i;
    size.pixel_format = format.fourcc;
    if (ioctl(VIDIOC_ENUM_FRAMESIZES, &size) != 0) {
      if (i == 0) modes->push_back({format.name});
      return;
    }
    if (size.type == V4L2_FRMSIZE_TYPE_DISCRETE) {
      add(size.discrete.width, size.discrete.height);
      continue;
    }
    const v4l2_frmsize_stepwise& range = size.stepwise;
    const auto fits = [](uint32_t value, uint32_t min, uint32_t max, uint32_t step) {
      return value >= min && value <= max && (value - min) % std::max(step, 1u) == 0;
    };
    for (const auto [width, height] : kUsualSizes) {
      if (fits(width, range.min_width, range.max_width, range.step_width) &&
          fits(height, range.min_height, range.max_height, range.step_height)) {
        add(width, height);
      }
    }
    return;
  }
}

int64_t Pixels(const V4l2Mode& mode) { return int64_t{mode.width} * mode.height; }

// Whether `a` is the better of two modes of one format that both fulfil the wish.
bool Better(const V4l2Mode& a, const V4l2Mode& b, int64_t affordable) {
  const bool a_fits = Pixels(a) <= affordable, b_fits = Pixels(b) <= affordable;
  if (a_fits != b_fits) return a_fits;
  if (!a_fits) return Pixels(a) < Pixels(b);
  const bool a_moves = a.frames_per_s == 0 || a.frames_per_s >= kMoving;
  const bool b_moves = b.frames_per_s == 0 || b.frames_per_s >= kMoving;
  if (a_moves != b_moves) return a_moves;
  if (!a_moves && a.frames_per_s != b.frames_per_s) return a.frames_per_s > b.frames_per_s;
  return Pixels(a) > Pixels(b);
}

bool Fulfils(const V4l2Mode& mode, const V4l2Wish& wish) {
  if (wish.format != "auto" && mode.format != wish.format) return false;
  // What the driver doesn't say is tried.
  if (wish.width > 0 && mode.width > 0 &&
      (mode.width != wish.width || mode.height != wish.height)) {
    return false;
  }
  // Drivers round: 29.97 is 30.
  return wish.frames_per_s == 0 || mode.frames_per_s == 0 ||
         mode.frames_per_s > wish.frames_per_s - 0.5;
}

}  // namespace

const std::vector<std::string_view>& V4l2FormatNames() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const Format& format : kFormats) {
      if (all.empty() || all.back() != format.name) all.push_back(format.name);
    }
    return all;
  }();
  return names;
}

std::string_view FfmpegName(std::string_view format) {
  for (const Format& known : kFormats) {
    if (known.name == format) return known.ffmpeg;
  }
  return format;
}

absl::StatusOr<std::vector<V4l2Mode>> ListV4l2Modes(const V4l2Ioctl& ioctl) {
  v4l2_capability capability{};
  if (ioctl(VIDIOC_QUERYCAP, &capability) != 0) {
    return absl::UnavailableError("is not a V4L2 device");
  }
  // Of the node itself, not of all that its device has.
  const uint32_t can = (capability.capabilities & V4L2_CAP_DEVICE_CAPS) != 0
                           ? capability.device_caps
                           : capability.capabilities;
  if ((can & V4L2_CAP_VIDEO_CAPTURE) == 0) {
    return absl::UnavailableError(
        (can & V4L2_CAP_VIDEO_CAPTURE_MPLANE) != 0
            ? "captures only into separate planes, which FFmpeg's V4L2 input can't read"
            : "captures no video: a camera often has a second device for metadata, try the one "
              "before or after");
  }
  std::vector<V4l2Mode> modes;
  for (uint32_t i = 0; i < kMaxListed; ++i) {
    v4l2_fmtdesc description{};
    description.index = i;
    description.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (ioctl(VIDIOC_ENUM_FMT, &description) != 0) break;
    const auto format = std::find_if(kFormats.begin(), kFormats.end(), [&](const Format& known) {
      return known.fourcc == description.pixelformat;
    });
    if (format != kFormats.end()) ListSizes(ioctl, *format, &modes);
  }
  if (modes.empty()) {
    return absl::UnavailableError(fmt::format("offers no format that is read here; those are {}",
                                              fmt::join(V4l2FormatNames(), ", ")));
  }
  return modes;
}

absl::StatusOr<std::vector<V4l2Mode>> ListV4l2Modes(const std::string& path) {
  ASSIGN_OR_RETURN(const Fd fd, OpenFile(path, O_RDWR | O_NONBLOCK));
  auto modes = ListV4l2Modes([&fd](unsigned long request, void* argument) {
    int result = 0;
    do {
      result = ::ioctl(fd.get(), request, argument);
    } while (result != 0 && errno == EINTR);
    return result;
  });
  if (!modes.ok())
    return absl::UnavailableError(fmt::format("{} {}", path, Message(modes.status())));
  return modes;
}

absl::StatusOr<std::vector<V4l2Mode>> ChooseV4l2Modes(const std::vector<V4l2Mode>& modes,
                                                      const V4l2Wish& wish) {
  std::vector<V4l2Mode> chosen;
  for (const std::string_view name : V4l2FormatNames()) {
    const int64_t affordable =
        std::find_if(kFormats.begin(), kFormats.end(), [&](const Format& format) {
          return format.name == name;
        })->affordable_pixels;
    std::optional<V4l2Mode> best;
    for (const V4l2Mode& mode : modes) {
      if (mode.format != name || !Fulfils(mode, wish)) continue;
      if (!best || Better(mode, *best, affordable)) best = mode;
    }
    if (!best) continue;
    if (wish.width > 0) {
      best->width = wish.width;
      best->height = wish.height;
    }
    best->frames_per_s =
        wish.frames_per_s > 0 ? wish.frames_per_s : std::min(best->frames_per_s, kEnough);
    chosen.push_back(*best);
  }
  if (!chosen.empty()) return chosen;
  std::string offered;
  for (size_t i = 0; i < std::min(modes.size(), kMaxOffered); ++i) {
    offered += (i == 0 ? "" : ", ") + ToString(modes[i]);
  }
  return absl::UnavailableError(fmt::format(
      "the device doesn't offer this size, rate and format together; it offers {}", offered));
}

std::string ToString(const V4l2Mode& mode) {
  std::string text(mode.format);
  if (mode.width > 0) text += fmt::format(" {}×{}", mode.width, mode.height);
  if (mode.frames_per_s > 0) text += fmt::format(" at {:.4g}", mode.frames_per_s);
  return text;
}

}  // namespace gleaner::edge
