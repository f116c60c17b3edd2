// The built page, read into memory once: no path from a request ever reaches the file system.
//
// Files under assets/ have their digest in their names and are cached for ever; the rest is
// revalidated by ETag. /fleet, /clips and whatever else is a view of the page rather than a file is
// answered with index.html.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cloud/http/http_message.h"

namespace gleaner::cloud {

// Thread-safe.
class Page {
 public:
  // Reads `directory` (at most 1,000 files and 64 MiB). NOT_FOUND if it has no index.html.
  static absl::StatusOr<Page> Load(const std::string& directory);
  // Says in plain words that the page is not installed and where it was looked for.
  static Page Missing(const std::string& directory);

  void Serve(const HttpRequest& request, HttpResponse& response) const;

 private:
  struct File {
    std::string content_type;
    std::string etag;
    bool immutable = false;
    std::shared_ptr<const std::string> plain;
    std::shared_ptr<const std::string> gzipped;  // null where it doesn't pay
  };
  static File MakeFile(const std::string& path, std::string bytes);

  std::map<std::string, File> files_;  // by "/assets/index-1a2b.js"
};

}  // namespace gleaner::cloud
