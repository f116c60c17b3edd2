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

constexpr uint64_t kPieceBytes = 256 << 10;
constexpr uint64_t kMaxThumbnailBytes = 1 << 20;
constexpr size_t kIdDigits = 20;

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
  std::shared_ptr<const std::string> bytes;
  BlobId blob;
  uint64_t size = 0;
  Sha256Digest sha256{};
};

Source InHand(std::string bytes) {
  Source source;
  source.size = bytes.size();
  source.sha256 = Sha256::Of(bytes);
  source.bytes = std::make_shared<const std::string>(std::move(bytes));
  return source;
}

absl::StatusOr<Source> Find(Clips& clips, MediaChecks& checks, BlobStore& blobs,
                            const Target& target) {
  switch (target.what) {
    case Target::What::kManifest: {
      ASSIGN_OR_RETURN(ManifestRow row, clips.FindManifest(target.clip_id));
      return InHand(std::move(row.bytes));
    }
    case Target::What::kThumbnail: {
      ASSIGN_OR_RETURN(const BlobId blob, checks.FindThumbnail(target.clip_id, target.index));
      ASSIGN_OR_RETURN(const uint64_t size, blobs.SizeOf(blob));
      std::string bytes;
      RETURN_IF_ERROR(blobs.Read(blob, 0, std::min(size, kMaxThumbnailBytes), &bytes));
      return InHand(std::move(bytes));
    }
    case Target::What::kObject:
      break;
  }
  ASSIGN_OR_RETURN(ObjectRow row, clips.FindObject(target.clip_id, target.kind, target.index));
  Source source;
  source.blob = std::move(row.blob);
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

void RespondStatus(const httplib::Request& request, httplib::Response& response,
                   const absl::Status& status) {
  if (absl::IsNotFound(status)) {
    return RespondError(request, response, 404, "not_found", Message(status));
  }
  LOG_ERROR("{}: {}", request.path, Message(status));
  const bool later = absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
  RespondError(request, response, later ? 503 : 500, later ? "unavailable" : "internal",
               "the file can't be read now; the server's log says why");
}

}  // namespace

void MediaFiles::Serve(const httplib::Request& request, httplib::Response& response) {
  Target target;
  if (!ParseTarget(request.path, &target)) {
    return RespondError(request, response, 404, "not_found",
                        "a file of a clip is /media/{clip id}/manifest, preview, samples, "
                        "video/{n} or thumbnails/{n}");
  }
  const auto source = Find(clips_, checks_, blobs_, target);
  if (!source.ok()) return RespondStatus(request, response, source.status());

  const std::string etag = fmt::format("\"{}\"", Hex(AsBytes(source->sha256)));
  response.set_header("ETag", etag);
  // `private`: a shared cache must not hand it to someone without the token.
  response.set_header("Cache-Control", "private, max-age=31536000, immutable");
  response.set_header("Accept-Ranges", "bytes");
  // Should a browser ever open it as a document, it may do nothing.
  response.headers.erase("Content-Security-Policy");
  response.set_header("Content-Security-Policy", "default-src 'none'; sandbox");
  if (request.has_param("download")) {
    response.set_header("Content-Disposition",
                        fmt::format("attachment; filename=\"{}\"", target.file_name));
  }
  if (request.has_header("If-None-Match") &&
      Matches(request.get_header_value("If-None-Match"), etag)) {
    response.status = 304;
    return;
  }
  const bool range_holds =
      !request.has_header("If-Range") || request.get_header_value("If-Range") == etag;
  const ByteRange range =
      ParseRange(range_holds ? request.get_header_value("Range") : "", source->size);
  if (range.kind == ByteRange::Kind::kUnsatisfiable) {
    response.headers.erase("Cache-Control");
    response.set_header("Content-Range", fmt::format("bytes */{}", source->size));
    return RespondError(request, response, 416, "out_of_range",
                        fmt::format("the file has {} bytes", source->size));
  }
  response.status = 200;
  if (range.kind == ByteRange::Kind::kPart) {
    response.status = 206;
    response.set_header(
        "Content-Range",
        fmt::format("bytes {}-{}/{}", range.offset, range.offset + range.length - 1, source->size));
  }
  if (range.length == 0) {
    response.set_header("Content-Type", target.content_type);
    return;
  }
  response.set_content_provider(
      range.length, target.content_type,
      [this, source = *source, start = range.offset, piece = std::string()](
          size_t offset, size_t length, httplib::DataSink& sink) mutable {
        if (source.bytes != nullptr) {
          return sink.write(source.bytes->data() + start + offset, length);
        }
        const uint64_t size = std::min<uint64_t>(length, kPieceBytes);
        const absl::Status read = blobs_.Read(source.blob, start + offset, size, &piece);
        if (!read.ok()) {
          LOG_ERROR("blob {}: {}", source.blob, Message(read));
          return false;  // the head is sent: all that is left is to cut the connection
        }
        return sink.write(piece.data(), piece.size());
      });
}

}  // namespace gleaner::cloud
