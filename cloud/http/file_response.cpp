#include "cloud/http/file_response.h"

#include <fmt/format.h>

#include <utility>

#include "absl/strings/str_split.h"
#include "cloud/http/byte_range.h"
#include "cloud/http/respond.h"

namespace gleaner::cloud {
namespace {

std::string EtagOf(const FileToSend& file) {
  return fmt::format("\"{}\"", Hex(AsBytes(file.sha256)));
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

}  // namespace

FileToSend InHand(std::string bytes) {
  FileToSend file;
  file.size = bytes.size();
  file.sha256 = Sha256::Of(bytes);
  file.bytes = std::move(bytes);
  return file;
}

bool IsUnchanged(const HttpRequest& request, HttpResponse& response, const FileToSend& file) {
  const std::string etag = EtagOf(file);
  response.headers.Set("ETag", etag);
  // `private`: a shared cache must not hand it to someone without the token.
  response.headers.Set("Cache-Control", "private, max-age=31536000, immutable");
  response.headers.Set("Accept-Ranges", "bytes");
  // Should a browser ever open it as a document, it may do nothing.
  response.headers.Set("Content-Security-Policy", "default-src 'none'; sandbox");
  if (request.HasQuery("download")) {
    response.headers.Set("Content-Disposition",
                         fmt::format("attachment; filename=\"{}\"", file.file_name));
  }
  if (!request.headers.Has("If-None-Match") ||
      !Matches(request.headers.Get("If-None-Match"), etag)) {
    return false;
  }
  response.status = 304;
  return true;
}

void RespondFile(const HttpRequest& request, HttpResponse& response, FileToSend file) {
  const bool range_holds =
      !request.headers.Has("If-Range") || request.headers.Get("If-Range") == EtagOf(file);
  const ByteRange range = ParseRange(range_holds ? request.headers.Get("Range") : "", file.size);
  if (range.kind == ByteRange::Kind::kUnsatisfiable) {
    response.headers.Remove("Cache-Control");
    response.headers.Set("Content-Range", fmt::format("bytes */{}", file.size));
    return RespondError(request, response, 416, "out_of_range",
                        fmt::format("the file has {} bytes", file.size));
  }
  response.status = 200;
  if (range.kind == ByteRange::Kind::kPart) {
    response.status = 206;
    response.headers.Set("Content-Range", fmt::format("bytes {}-{}/{}", range.offset,
                                                      range.offset + range.length - 1, file.size));
  }
  response.headers.Set("Content-Type", file.content_type);
  if (file.bytes) {
    response.body = file.bytes->substr(range.offset, range.length);
    return;
  }
  response.source =
      HttpBodySource{range.length, [read = std::move(file.read), start = range.offset](
                                       uint64_t offset, size_t size, std::string* piece) {
                       return read(start + offset, size, piece);
                     }};
}

}  // namespace gleaner::cloud
