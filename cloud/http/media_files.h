// The files of a clip over plain HTTP, as the contract (catalog.proto) names them:
//
//   GET /media/{clip id}/manifest | preview | samples | video/{n} | thumbnails/{n}     ?download:
//   as an attachment
//
// Where the object store says so (ObjectStore::UrlOf), a video is a redirect to where it lies
// (302).
//
// With Range (206, 416), HEAD, If-None-Match and If-Range. A clip never changes, so its files may
// be cached for ever; the ETag is the SHA-256. Objects are read from the object store piece by
// piece, as the client takes them. The content type follows from what the file is, never from what
// a device said.
#pragma once

#include "cloud/clips/clips.h"
#include "cloud/http/http_message.h"
#include "cloud/media/media_checks.h"
#include "cloud/store/object_store.h"

namespace gleaner::cloud {

// Thread-safe.
class MediaFiles {
 public:
  // Both must outlive it and every response.
  MediaFiles(Clips& clips, MediaChecks& checks, ObjectStore& objects)
      : clips_(clips), checks_(checks), objects_(objects) {}

  // Answers a path that starts with /media/.
  void Serve(const HttpRequest& request, HttpResponse& response);

 private:
  Clips& clips_;
  MediaChecks& checks_;
  ObjectStore& objects_;
};

}  // namespace gleaner::cloud
