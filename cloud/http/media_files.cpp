#include "cloud/http/media_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "absl/strings/str_split.h"
#include "cloud/http/byte_range.h"
#include "cloud/http/respond.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr uint64_t kMaxThumbnailBytes = 1 << 20;
constexpr size_t kIdDigits = 20;
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
  if (id.size() != kIdDigits || id.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return false;
  }
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

// Where the bytes are: in hand, or in the store.
struct Source {
  std::optional<std::string> bytes;
  ObjectKey key;
  uint64_t size = 0;
  Sha256Digest sha256{};
};

Source InHand(std::string bytes) {
  Source source;
  source.size = bytes.size();
  source.sha256 = Sha256::Of(bytes);
  source.bytes = std::move(bytes);
  return source;
}

absl::StatusOr<Source> Find(Clips& clips, MediaChecks& checks, ObjectStore& objects,
                            const Target& target) {
  switch (target.what) {
    case Target::What::kManifest: {
      ASSIGN_OR_RETURN(ManifestRow row, clips.FindManifest(target.clip_id));
      return InHand(std::move(row.bytes));
    }
    case Target::What::kThumbnail: {
      ASSIGN_OR_RETURN(const ObjectKey key, checks.FindThumbnail(target.clip_id, target.index));
      ASSIGN_OR_RETURN(const uint64_t size, objects.SizeOf(key));
      std::string bytes;
      RETURN_IF_ERROR(objects.Read(key, 0, std::min(size, kMaxThumbnailBytes), &bytes));
      return InHand(std::move(bytes));
    }
    case Target::What::kObject:
      break;
  }
  ASSIGN_OR_RETURN(ObjectRow row, clips.FindObject(target.clip_id, target.kind, target.index));
  Source source;
  source.key = std::move(row.key);
  source.size = row.size_bytes;
  source.sha256 = row.sha256;
  return source;
}

// `etag` is in an If-None-Match header's list.
bool Matches(const std::string& header, const std::string& etag) {
  for (const auto& item : absl::StrSplit(header, ',')) {
    std::string one(item.data(), item.size());
    std::erase(one, ' ');
    if (one.starts_with("W/")) one.erase(0, 2);
    if (one == etag || one == "*") return true;
  }
  return false;
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
  const auto source = Find(clips_, checks_, objects_, target);
  if (!source.ok()) return RespondStatus(request, response, source.status());

  const std::string etag = fmt::format("\"{}\"", Hex(AsBytes(source->sha256)));
  response.headers.Set("ETag", etag);
  // `private`: a shared cache must not hand it to someone without the token.
  response.headers.Set("Cache-Control", "private, max-age=31536000, immutable");
  response.headers.Set("Accept-Ranges", "bytes");
  // Should a browser ever open it as a document, it may do nothing.
  response.headers.Set("Content-Security-Policy", "default-src 'none'; sandbox");
  if (request.HasQuery("download")) {
    response.headers.Set("Content-Disposition",
                         fmt::format("attachment; filename=\"{}\"", target.file_name));
  }
  if (request.headers.Has("If-None-Match") && Matches(request.headers.Get("If-None-Match"), etag)) {
    response.status = 304;
    return;
  }
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
  const bool range_holds =
      !request.headers.Has("If-Range") || request.headers.Get("If-Range") == etag;
  const ByteRange range = ParseRange(range_holds ? request.headers.Get("Range") : "", source->size);
  if (range.kind == ByteRange::Kind::kUnsatisfiable) {
    response.headers.Remove("Cache-Control");
    response.headers.Set("Content-Range", fmt::format("bytes */{}", source->size));
    return RespondError(request, response, 416, "out_of_range",
                        fmt::format("the file has {} bytes", source->size));
  }
  response.status = 200;
  if (range.kind == ByteRange::Kind::kPart) {
    response.status = 206;
    response.headers.Set(
        "Content-Range",
        fmt::format("bytes {}-{}/{}", range.offset, range.offset + range.length - 1, source->size));
  }
  response.headers.Set("Content-Type", target.content_type);
  if (source->bytes) {
    response.body = source->bytes->substr(range.offset, range.length);
    return;
  }
  response.source =
      HttpBodySource{range.length,
                     [this, key = source->key, start = range.offset](
                         uint64_t offset, size_t size, std::string* piece) -> absl::Status {
                       return Annotate(objects_.Read(key, start + offset, size, piece),
                                       fmt::format("object {}", key));
                     }};
}

}  // namespace gleaner::cloud
