#include "cloud/http/page.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <utility>

#include "cloud/http/gzip.h"
#include "cloud/http/respond.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kMaxFiles = 1000;
constexpr size_t kMaxBytes = 64 << 20;
constexpr size_t kWorthCompressing = 1024;

constexpr std::array<std::pair<std::string_view, std::string_view>, 15> kTypes = {{
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".wasm", "application/wasm"},
    {".txt", "text/plain; charset=utf-8"},
}};

std::string TypeOf(const std::string& path) {
  for (const auto& [extension, type] : kTypes) {
    if (path.ends_with(extension)) return std::string(type);
  }
  return "application/octet-stream";
}

bool IsCompressible(std::string_view type) {
  return type.starts_with("text/") || type.ends_with("json") || type == "image/svg+xml" ||
         type == "application/wasm";
}

// A view of the page has no dot in its last part; a file that isn't there has one.
bool IsView(const std::string& path) {
  return path.find('.', path.rfind('/') + 1) == std::string::npos && !path.starts_with("/assets/");
}

}  // namespace

Page::File Page::MakeFile(const std::string& path, std::string bytes) {
  File file;
  file.content_type = TypeOf(path);
  file.etag = fmt::format("\"{}\"", Hex(AsBytes(Sha256::Of(bytes))).substr(0, 32));
  file.immutable = path.starts_with("/assets/");
  if (bytes.size() >= kWorthCompressing && IsCompressible(file.content_type)) {
    file.gzipped = std::make_shared<const std::string>(Gzip(bytes));
  }
  file.plain = std::make_shared<const std::string>(std::move(bytes));
  return file;
}

absl::StatusOr<Page> Page::Load(const std::string& directory) {
  namespace fs = std::filesystem;
  Page page;
  size_t total = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->is_regular_file(error)) continue;
    ASSIGN_OR_RETURN(std::string bytes, ReadFile(entry->path().string(), kMaxBytes));
    total += bytes.size();
    if (total > kMaxBytes || page.files_.size() >= kMaxFiles) {
      return absl::ResourceExhaustedError(
          fmt::format("{} holds more than a web page: over 1,000 files or 64 MiB", directory));
    }
    const std::string path = "/" + fs::relative(entry->path(), directory).generic_string();
    page.files_[path] = MakeFile(path, std::move(bytes));
  }
  if (!page.files_.contains("/index.html")) {
    return absl::NotFoundError(fmt::format("{} has no index.html", directory));
  }
  return page;
}

Page Page::Missing(const std::string& directory) {
  Page page;
  page.files_["/index.html"] = MakeFile(
      "/index.html",
      fmt::format("<!doctype html><meta charset=\"utf-8\"><title>Gleaner</title>"
                  "<p>The server runs, but its page is not installed: {} has no index.html. "
                  "Build the page, or set web_dir under [http] in the server's configuration.</p>",
                  directory));
  return page;
}

void Page::Serve(const HttpRequest& request, HttpResponse& response) const {
  auto found = files_.find(request.path);
  if (found == files_.end()) {
    if (!IsView(request.path)) {
      return RespondError(request, response, 404, "not_found", "there is no such file");
    }
    found = files_.find("/index.html");
  }
  const File& file = found->second;
  response.headers.Set("ETag", file.etag);
  response.headers.Set("Cache-Control",
                       file.immutable ? "private, max-age=31536000, immutable" : "no-cache");
  if (file.gzipped != nullptr) response.headers.Set("Vary", "Accept-Encoding");
  if (request.headers.Get("If-None-Match") == file.etag) {
    response.status = 304;
    return;
  }
  const bool packed = file.gzipped != nullptr && AcceptsGzip(request);
  if (packed) response.headers.Set("Content-Encoding", "gzip");
  RespondShared(response, 200, packed ? file.gzipped : file.plain, file.content_type);
}

}  // namespace gleaner::cloud
