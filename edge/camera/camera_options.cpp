#include "edge/camera/camera_options.h"

#include <string_view>

#include "common/clip_key.h"

namespace gleaner::edge {
namespace {

bool IsRtsp(std::string_view url) {
  return url.starts_with("rtsp://") || url.starts_with("rtsps://");
}

}  // namespace

SourceKind CameraOptions::Kind() const {
  if (source == "rtsp") return SourceKind::kRtsp;
  if (source == "v4l2") return SourceKind::kV4l2;
  if (source == "file") return SourceKind::kFile;
  if (IsRtsp(url)) return SourceKind::kRtsp;
  if (url.starts_with("/dev/video")) return SourceKind::kV4l2;
  return SourceKind::kFile;
}

CameraOptions CameraOptions::Read(ConfigReader& reader) {
  CameraOptions options;
  options.name = reader.RequiredString("name");
  if (!options.name.empty() && !IsName(options.name)) {
    reader.Error("name", "must be 1 to 63 of a-z, 0-9 and '-', not starting with '-'");
  }
  options.url = reader.RequiredString("url");
  options.source = reader.String("source", options.source);
  if (options.source != "auto" && options.source != "file" && options.source != "rtsp" &&
      options.source != "v4l2") {
    reader.Error("source", "must be auto, file, rtsp or v4l2");
  }
  const SourceKind kind = options.Kind();
  if (kind == SourceKind::kRtsp && !IsRtsp(options.url)) {
    reader.Error("url", "must start with rtsp:// or rtsps://");
  } else if (kind == SourceKind::kFile && options.url.find("://") != std::string::npos) {
    reader.Error("url", "must be a path, a V4L2 device, or start with rtsp:// or rtsps://");
  }
  options.pace = reader.String("pace", options.pace);
  if (options.pace != "realtime" && options.pace != "fast") {
    reader.Error("pace", "must be realtime or fast");
  } else if (options.pace == "fast" && kind != SourceKind::kFile) {
    reader.Error("pace", "only a file can be read fast");
  }
  options.loop = reader.Bool("loop", options.loop);
  if (options.loop && kind != SourceKind::kFile) {
    reader.Error("loop", "only a file can be looped");
  }
  options.stall_timeout_ns =
      reader.DurationNs("stall_timeout", options.stall_timeout_ns,
                        {.min = kNanosPerSecond, .max = 600 * kNanosPerSecond});
  return options;
}

int64_t CameraOptions::MaxSilenceNs() const {
  return 2 * stall_timeout_ns + 2 * kLastCameraRetryNs;
}

}  // namespace gleaner::edge
