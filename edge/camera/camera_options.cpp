#include "edge/camera/camera_options.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "common/limits.h"
#include "common/name.h"
#include "common/status.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

constexpr int kMaxSide = static_cast<int>(kMaxPictureSide);

V4l2Wish ReadV4l2(ConfigReader& reader) {
  V4l2Wish wish;
  const std::string size = reader.String("size", "");
  const size_t by = std::min(size.find('x'), size.size());
  if (!size.empty() && (!absl::SimpleAtoi(size.substr(0, by), &wish.width) || by == size.size() ||
                        !absl::SimpleAtoi(size.substr(by + 1), &wish.height) || wish.width < 16 ||
                        wish.height < 16 || wish.width > kMaxSide || wish.height > kMaxSide)) {
    reader.Error("size", fmt::format("must be width x height, such as \"1280x720\", each from 16 "
                                     "to {}",
                                     kMaxSide));
    wish.width = wish.height = 0;
  }
  wish.frames_per_s = static_cast<int>(reader.Int("rate", 0, {.min = 1, .max = 240}));
  wish.format = reader.String("format", wish.format);
  const auto& names = V4l2FormatNames();
  if (wish.format != "auto" && std::find(names.begin(), names.end(), wish.format) == names.end()) {
    reader.Error("format", fmt::format("must be auto, {}", fmt::join(names, ", ")));
    wish.format = "auto";
  }
  return wish;
}

}  // namespace

CameraOptions CameraOptions::Read(ConfigReader& reader, bool try_login) {
  CameraOptions options;
  options.name = reader.RequiredString("name");
  if (!options.name.empty() && !IsName(options.name)) {
    reader.Error("name", NotAName(options.name));
  }
  const std::string url = reader.RequiredString("url");
  std::string source = reader.String("source", "auto");
  if (source != "auto" && source != "file" && source != "rtsp" && source != "v4l2") {
    reader.Error("source", "must be auto, file, rtsp or v4l2");
    source = "auto";
  }
  if (!url.empty()) {
    auto address = CameraAddress::Parse(url, source);
    if (address.ok() && address->kind() != SourceKind::kRtsp) {
      address = CameraAddress::Parse(reader.Resolve(address->path()), source);
    }
    if (address.ok()) {
      options.address = *std::move(address);
    } else {
      reader.Error("url", Message(address.status()));
    }
  }
  // Of a url that couldn't be read no more is said than that.
  const auto only = [&](SourceKind kind, const char* key, std::string_view message) {
    if (!options.address.shown().empty() && options.Kind() != kind && reader.Has(key)) {
      reader.Error(key, message);
    }
  };
  options.login = CameraLogin::Read(reader, options.address, try_login);
  options.transport = reader.String("transport", options.transport);
  if (options.transport != "auto" && options.transport != "tcp" && options.transport != "udp") {
    reader.Error("transport", "must be auto, tcp or udp");
  }
  only(SourceKind::kRtsp, "transport", "only an RTSP camera has one");
  options.v4l2 = ReadV4l2(reader);
  for (const char* key : {"size", "rate", "format"}) {
    only(SourceKind::kV4l2, key, "only a V4L2 device (/dev/video0) has a choice of it");
  }
  options.pace = reader.String("pace", options.pace);
  if (options.pace != "realtime" && options.pace != "fast") {
    reader.Error("pace", "must be realtime or fast");
  }
  options.loop = reader.Bool("loop", options.loop);
  if (options.pace == "fast") only(SourceKind::kFile, "pace", "only a file can be read fast");
  if (options.loop) only(SourceKind::kFile, "loop", "only a file can be looped");
  options.stall_timeout_ns =
      reader.DurationNs("stall_timeout", options.stall_timeout_ns,
                        {.min = kNanosPerSecond, .max = 600 * kNanosPerSecond});
  return options;
}

int64_t CameraOptions::MaxSilenceNs() const {
  return 2 * stall_timeout_ns + 2 * kLastCameraRetryNs;
}

}  // namespace gleaner::edge
