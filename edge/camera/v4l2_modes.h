// What a V4L2 device can deliver, asked of its driver, and the choice among it.
//
// A device is chosen for its cost: H.264 is kept as it comes, MJPEG is decoded and encoded anew,
// raw pictures are encoded and fill the USB besides. FFmpeg's own choice would be the device's last
// one, or raw.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gleaner::edge {

// What the configuration asks for; 0 and "auto" leave it open.
struct V4l2Wish {
  std::string format = "auto";  // a name of V4l2FormatNames()
  int width = 0;
  int height = 0;
  int frames_per_s = 0;
};

// One way in which the device can be set.
struct V4l2Mode {
  std::string_view format;  // as in V4l2FormatNames()
  int width = 0;            // 0: the driver doesn't say; what it has set is taken
  int height = 0;
  double frames_per_s = 0;  // as listed, the fastest; 0: the driver doesn't say
};

// "h264", "mjpeg", and the raw ones, the cheapest first: the order in which they are tried.
const std::vector<std::string_view>& V4l2FormatNames();
// FFmpeg's name for one of them: "yuyv422" for "yuyv".
std::string_view FfmpegName(std::string_view format);

// ioctl(2) on the device: -1 with errno set where it fails.
using V4l2Ioctl = std::function<int(unsigned long request, void* argument)>;

// All modes that the driver lists; of ranges of sizes, the usual ones in them. UNAVAILABLE: this
// device is no camera; another may be plugged in at its place.
absl::StatusOr<std::vector<V4l2Mode>> ListV4l2Modes(const V4l2Ioctl& ioctl);
// The same of a device's path.
absl::StatusOr<std::vector<V4l2Mode>> ListV4l2Modes(const std::string& path);

// The modes that fulfil the wish, at most one a format, in the order in which to try them; where
// the wish leaves the size open, the largest that is affordable and moves, at 30 frames a second at
// most. `modes` isn't empty.
// UNAVAILABLE, with all that the device offers, where none does.
absl::StatusOr<std::vector<V4l2Mode>> ChooseV4l2Modes(const std::vector<V4l2Mode>& modes,
                                                      const V4l2Wish& wish);

// "h264 1920×1080 at 30", for people.
std::string ToString(const V4l2Mode& mode);

}  // namespace gleaner::edge
