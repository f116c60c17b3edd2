// The pictures of frames that are in datasets, kept byte for byte, so that a dataset stays what it
// was whatever decoder the server has later. Each is decoded once, for all datasets.
//
// They are packed into objects of about 8 MiB. Order of writes: object → rows that name it, so a
// kill costs the decoding of one pack at most.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/frames/frames.h"
#include "cloud/store/object_store.h"
#include "common/digest.h"

namespace gleaner::cloud {

// A JPEG of the upright frame. NOT_FOUND and FAILED_PRECONDITION: there is none to be had;
// all others: not now; CANCELLED once it is asked to stop.
using DecodePicture =
    std::function<absl::StatusOr<std::string>(const FrameName&, const std::stop_token& stop)>;

struct PictureFacts {
  uint64_t bytes = 0;
  std::string sha256;  // hex
};

// One thread at a time.
class PicturePacker {
 public:
  // `leave_free`: see ObjectStore::CheckRoom.
  PicturePacker(Database& database, ObjectStore& objects, DecodePicture decode, uint64_t leave_free,
                std::stop_token stop)
      : database_(database),
        objects_(objects),
        decode_(std::move(decode)),
        leave_free_(leave_free),
        stop_(std::move(stop)) {}

  // Decodes it unless it is kept already.
  absl::StatusOr<PictureFacts> Keep(const FrameName& frame);
  // What Keep took is on stable storage and named. ABORTED where another server was faster with
  // other bytes: what Keep said of them is wrong.
  absl::Status Flush();

 private:
  struct Held {
    FrameName frame;
    uint64_t at = 0;
    PictureFacts facts;
  };
  Database& database_;
  ObjectStore& objects_;
  DecodePicture decode_;
  const uint64_t leave_free_;
  const std::stop_token stop_;
  std::string pack_;
  std::vector<Held> held_;
};

// Thread-safe. DATA_LOSS where it isn't what it was.
absl::StatusOr<std::string> ReadKeptPicture(Database& database, ObjectStore& objects,
                                            const FrameName& frame, std::string_view sha256);

}  // namespace gleaner::cloud
