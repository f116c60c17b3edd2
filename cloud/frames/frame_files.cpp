#include "cloud/frames/frame_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "cloud/http/file_response.h"
#include "cloud/http/respond.h"
#include "cloud/media/worker_protocol.h"
#include "common/clip_id.h"
#include "common/log.h"
#include "common/name.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr const char* kRetryAfterSeconds = "2";

struct Target {
  FrameName name;
  bool whole = false;  // the picture, not the thumbnail
};

bool ParseTarget(std::string_view path, Target* target) {
  const std::vector<std::string> parts = absl::StrSplit(std::string(path), '/');  // "", frames, …
  if (parts.size() != 6) return false;
  const std::string& clip = parts[2];
  if (!IsClipId(clip) || !IsName(parts[3])) return false;
  const std::string& pts = parts[4];
  const auto [end, error] = std::from_chars(pts.data(), pts.data() + pts.size(), target->name.pts);
  if (error != std::errc() || end != pts.data() + pts.size()) return false;
  target->name.clip = clip;
  target->name.camera = parts[3];
  target->whole = parts[5] == "picture";
  return target->whole || parts[5] == "thumbnail";
}

absl::StatusOr<FileToSend> ReadThumbnail(Frames& frames, ObjectStore& objects,
                                         const FrameName& name) {
  ASSIGN_OR_RETURN(const ThumbnailPlace place, frames.FindThumbnail(name));
  std::string bytes;
  RETURN_IF_ERROR(objects.Read(place.key, place.offset,
                               std::min<uint64_t>(place.size, media::kMaxThumbnailBytes), &bytes));
  return InHand(std::move(bytes));
}

FileToSend ToSend(const Picture& picture) {
  FileToSend file;
  file.size = picture.cached.size;
  file.sha256 = picture.cached.sha256;
  file.read = [bytes = picture.bytes, cached = picture.cached.file](
                  uint64_t offset, size_t size, std::string* piece) -> absl::Status {
    if (bytes != nullptr) {
      *piece = bytes->substr(offset, size);
      return absl::OkStatus();
    }
    piece->resize(size);
    return ReadAt(cached->get(), piece->data(), size, offset);
  };
  return file;
}

void RespondStatus(const HttpRequest& request, HttpResponse& response, const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return RespondError(request, response, 404, "not_found", Message(status));
    case absl::StatusCode::kFailedPrecondition:
      return RespondError(request, response, 422, "failed_precondition", Message(status));
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kCancelled:
      LOG_DEBUG("{}: {}", request.path, Message(status));
      response.headers.Set("Retry-After", kRetryAfterSeconds);
      return RespondError(request, response, 503, "unavailable",
                          "the picture can't be had now: ask again in a moment");
    default:
      LOG_ERROR("{}: {}", request.path, Message(status));
      return RespondError(request, response, 500, "internal",
                          "the picture can't be read; the server's log says why");
  }
}

}  // namespace

Route FrameFiles::Below() {
  return {"GET", "/frames/", v1::ROLE_VIEWER,
          [this](const auto& request, const auto&, auto& response) { Serve(request, response); }};
}

void FrameFiles::Serve(const HttpRequest& request, HttpResponse& response) {
  Target target;
  if (!ParseTarget(request.path, &target)) {
    return RespondError(request, response, 404, "not_found",
                        "a picture of a frame is /frames/{clip id}/{camera}/{pts}/thumbnail or "
                        "picture");
  }
  absl::StatusOr<FileToSend> file;
  if (target.whole) {
    const auto picture = pictures_.Get(target.name);
    file = picture.ok() ? absl::StatusOr<FileToSend>(ToSend(*picture)) : picture.status();
  } else {
    file = ReadThumbnail(frames_, objects_, target.name);
  }
  if (!file.ok()) return RespondStatus(request, response, file.status());
  file->content_type = "image/jpeg";
  file->file_name = fmt::format("{}-{}-{}{}.jpg", target.name.clip, target.name.camera,
                                target.name.pts, target.whole ? "" : "-thumbnail");
  if (!IsUnchanged(request, response, *file)) RespondFile(request, response, *std::move(file));
}

}  // namespace gleaner::cloud
