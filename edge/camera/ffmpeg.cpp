#include "edge/camera/ffmpeg.h"

#include <cerrno>

#include "common/status.h"
#include "fmt/format.h"

namespace gleaner::edge {

std::shared_ptr<AVCodecParameters> CopyParameters(const AVCodecParameters& parameters) {
  std::shared_ptr<AVCodecParameters> copy(avcodec_parameters_alloc(), AvDeleter());
  avcodec_parameters_copy(copy.get(), &parameters);
  return copy;
}

bool SameTurn(const VideoFormat& a, const VideoFormat& b) {
  const bool none = a.display_matrix == nullptr || b.display_matrix == nullptr;
  return none ? a.display_matrix == b.display_matrix : *a.display_matrix == *b.display_matrix;
}

absl::Status AvStatus(int error, std::string_view what) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(error, text, sizeof text);
  const std::string message = fmt::format("{}: {}", what, text);
  switch (error) {
    case AVERROR(ENOENT):
    case AVERROR(ENODEV):
      return absl::NotFoundError(message);
    case AVERROR(EACCES):
    case AVERROR(EPERM):
    case AVERROR_HTTP_UNAUTHORIZED:
    case AVERROR_HTTP_FORBIDDEN:
      return absl::PermissionDeniedError(message);
    case AVERROR(EBUSY):
      return absl::AbortedError(message);
    case AVERROR(ENOMEM):
    case AVERROR(ENOSPC):
      return absl::ResourceExhaustedError(message);
    case AVERROR_INVALIDDATA:
      return absl::DataLossError(message);
    case AVERROR_EXIT:
      return absl::CancelledError(message);
    default:
      return absl::UnavailableError(message);
  }
}

void QuietFfmpeg() {
  static const bool done = [] {
    av_log_set_level(AV_LOG_QUIET);
    return true;
  }();
  (void)done;
}

}  // namespace gleaner::edge
