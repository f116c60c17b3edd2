// Pictures of frames over plain HTTP, as the contract (frames.proto) names them:
//
//   GET /frames/{clip id}/{camera}/{pts}/thumbnail | picture      ?download: as an attachment
//
// A thumbnail is there for each frame that ListFrames knows; a picture is decoded for any frame of
// the clip, and 503 says that too many are just now.
#pragma once

#include "cloud/frames/frames.h"
#include "cloud/frames/pictures.h"
#include "cloud/http/route.h"
#include "cloud/store/object_store.h"

namespace gleaner::cloud {

// Thread-safe.
class FrameFiles {
 public:
  // All must outlive it and every response.
  FrameFiles(Frames& frames, Pictures& pictures, ObjectStore& objects)
      : frames_(frames), pictures_(pictures), objects_(objects) {}

  Route Below();  // "/frames/"
  void Serve(const HttpRequest& request, HttpResponse& response);

 private:
  Frames& frames_;
  Pictures& pictures_;
  ObjectStore& objects_;
};

}  // namespace gleaner::cloud
