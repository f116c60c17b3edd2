// The files of a clip over plain HTTP, as the contract (catalog.proto) names them:
//
//   GET /media/{clip id}/manifest | preview | samples | video/{n} | thumbnails/{n}     ?download:
//   as an attachment
//
// With Range (206, 416), HEAD, If-None-Match and If-Range. A clip never changes, so its files may
// be cached for ever; the ETag is the SHA-256. Objects are streamed from the blob store in pieces
// of 256 KiB. The content type follows from what the file is, never from what a device said.
#pragma once

#include "cloud/clips/clips.h"
#include "cloud/media/media_checks.h"
#include "cloud/store/blob_store.h"
#include "httplib.h"

namespace gleaner::cloud {

// Thread-safe.
class MediaFiles {
 public:
  // Both must outlive it and every response.
  MediaFiles(Clips& clips, MediaChecks& checks, BlobStore& blobs)
      : clips_(clips), checks_(checks), blobs_(blobs) {}

  // Answers a path that starts with /media/.
  void Serve(const httplib::Request& request, httplib::Response& response);

 private:
  Clips& clips_;
  MediaChecks& checks_;
  BlobStore& blobs_;
};

}  // namespace gleaner::cloud
