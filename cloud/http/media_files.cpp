#include "cloud/http/media_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "cloud/http/file_response.h"
#include "cloud/http/respond.h"
#include "common/clip_id.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr uint64_t kMaxThumbnailBytes = 1 << 20;
// Shorter than a URL holds.
constexpr const char* kRedirectCaching = "private, max-age=300";

// What a path asks for.
struct Target {
  enum class What { kManifest, kObject, kThumbnail };
  std::string clip_id;
  What what;
  v1::ClipObject::Kind kind = v1::ClipObject::KIND_UNSPECIFIED;
  size_t index = 0;
  std::string content_type;
  std::string file_name;
};

bool ParseTarget(std::string_view path, Target* target) {
  const std::vector<std::string> parts = absl::StrSplit(std::string(path), '/');  // "", media, …
  if (parts.size() < 4 || parts.size() > 5) return false;
  const std::string& id = parts[2];
  if (!IsClipId(id)) return false;
  target->clip_id = id;
  const std::string& name = parts[3];
  if (parts.size() == 4) {
    if (name == "manifest") {
      target->what = Target::What::kManifest;
      target->content_type = "application/x-protobuf";
      target->file_name = id + "-manifest.pb";
    } else if (name == "preview") {
      target->what = Target::What::kObject;
      target->kind = v1::ClipObject::KIND_PREVIEW;
      target->content_type = "image/jpeg";
      target->file_name = id + "-preview.jpg";
    } else if (name == "samples") {
      target->what = Target::What::kObject;
      target->kind = v1::ClipObject::KIND_SAMPLES;
      target->content_type = "application/x-protobuf";
      target->file_name = id + "-samples.pb";
    } else {
      return false;
    }
    return true;
  }
  const std::string& index = parts[4];
  const auto [end, error] =
      std::from_chars(index.data(), index.data() + index.size(), target->index);
  if (error != std::errc() || end != index.data() + index.size() || target->index > 1000) {
    return false;
  }
  if (name == "video") {
    target->what = Target::What::kObject;
    target->kind = v1::ClipObject::KIND_VIDEO;
    target->content_type = "video/mp4";
    target->file_name = fmt::format("{}-video-{}.mp4", id, target->index);
  } else if (name == "thumbnails") {
    target->what = Target::What::kThumbnail;
    target->content_type = "image/jpeg";
    target->file_name = fmt::format("{}-thumbnail-{}.jpg", id, target->index);
  } else {
    return false;
  }
  return true;
}

// What is to be sent, and under which key it lies where it isn't in hand.
struct Source {
  FileToSend file;
  ObjectKey key;
};

absl::StatusOr<Source> Find(Clips& clips, MediaChecks& checks, ObjectStore& objects,
                            const Target& target) {
  switch (target.what) {
    case Target::What::kManifest: {
      ASSIGN_OR_RETURN(ManifestRow row, clips.FindManifest(target.clip_id));
      return Source{.file = InHand(std::move(row.bytes)), .key = {}};
    }
    case Target::What::kThumbnail: {
      ASSIGN_OR_RETURN(const ObjectKey key, checks.FindThumbnail(target.clip_id, target.index));
      ASSIGN_OR_RETURN(const uint64_t size, objects.SizeOf(key));
      std::string bytes;
      RETURN_IF_ERROR(objects.Read(key, 0, std::min(size, kMaxThumbnailBytes), &bytes));
      return Source{.file = InHand(std::move(bytes)), .key = {}};
    }
    case Target::What::kObject:
      break;
  }
  ASSIGN_OR_RETURN(ObjectRow row, clips.FindObject(target.clip_id, target.kind, target.index));
  Source source;
  source.key = std::move(row.key);
  source.file.size = row.size_bytes;
  source.file.sha256 = row.sha256;
  return source;
}

void RespondStatus(const HttpRequest& request, HttpResponse& response, const absl::Status& status) {
  if (absl::IsNotFound(status)) {
    return RespondError(request, response, 404, "not_found", Message(status));
  }
  LOG_ERROR("{}: {}", request.path, Message(status));
  const bool later = absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
  RespondError(request, response, later ? 503 : 500, later ? "unavailable" : "internal",
               "the file can't be read now; the server's log says why");
}

}  // namespace

void MediaFiles::Serve(const HttpRequest& request, HttpResponse& response) {
  Target target;
  if (!ParseTarget(request.path, &target)) {
    return RespondError(request, response, 404, "not_found",
                        "a file of a clip is /media/{clip id}/manifest, preview, samples, "
                        "video/{n} or thumbnails/{n}");
  }
  auto source = Find(clips_, checks_, objects_, target);
  if (!source.ok()) return RespondStatus(request, response, source.status());

  FileToSend& file = source->file;
  file.content_type = target.content_type;
  file.file_name = target.file_name;
  if (IsUnchanged(request, response, file)) return;
  // The bulk of what is played, straight from where it is kept. The URL is signed for GET.
  if (target.kind == v1::ClipObject::KIND_VIDEO && request.method == "GET") {
    const auto url = objects_.UrlOf(source->key, target.content_type,
                                    request.HasQuery("download") ? target.file_name : "");
    if (url) {
      response.status = 302;
      response.headers.Set("Location", *url);
      response.headers.Set("Cache-Control", kRedirectCaching);
      return;
    }
  }
  if (!file.bytes) {
    file.read = [this, key = source->key](uint64_t offset, size_t size, std::string* piece) {
      return Annotate(objects_.Read(key, offset, size, piece), fmt::format("object {}", key));
    };
  }
  RespondFile(request, response, std::move(file));
}

}  // namespace gleaner::cloud
