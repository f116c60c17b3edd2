// One clip on its way in: which bytes are here, which of them are on stable storage, and what they
// hash to. Knows nothing of streams and leases.
//
// Offsets move in two steps: `received` after a write, `durable` after a sync; only `durable` is
// ever told to anyone, and only once the catalog knows the upload (Begin). After a restart
// nothing is remembered but the manifest and the blobs' names: what is durable is found by reading
// the blobs back, as the longest prefix of blocks that match the manifest's XXH3. So no chunk needs
// a commit of its own: one before the first progress, one at the end, and a clip that is whole
// before there is progress to tell of needs only that.
//
// Each object's SHA-256 is computed from what is held in memory for the next sync, so that the
// receipt needs no second reading.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/ingest/request_reader.h"
#include "cloud/ingest/space.h"
#include "cloud/ingest/uploads.h"
#include "cloud/store/object_store.h"
#include "cloud/store/upload_staging.h"
#include "common/digest.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud {

// Used by one thread at a time. All but Write may block on the disk. The stores outlive it.
class ClipUpload {
 public:
  // A new upload: reserves room for every object. RESOURCE_EXHAUSTED when less than `leave_free`
  // bytes would then be free in the store. `hold` ends once the catalog knows the upload or its
  // blobs are gone.
  static absl::StatusOr<std::unique_ptr<ClipUpload>> Create(UploadStaging& staging,
                                                            ObjectStore& objects, UploadRow row,
                                                            v1::ClipManifest manifest,
                                                            Space::Hold hold = {},
                                                            uint64_t leave_free = 0);
  // Goes on with one that the catalog knows, after reading back what is there and syncing it. If
  // blobs were lost with a power cut, it has new ones in their place and has yet to begin.
  static absl::StatusOr<std::unique_ptr<ClipUpload>> Resume(UploadStaging& staging,
                                                            ObjectStore& objects, UploadRow row,
                                                            v1::ClipManifest manifest);
  // The blobs of an upload that the catalog was never told of go with it.
  ~ClipUpload();

  const UploadRow& row() const { return row_; }
  const v1::ClipManifest& manifest() const { return manifest_; }
  std::vector<uint64_t> durable_offsets() const;
  uint64_t durable_offset(uint32_t object) const { return objects_[object].durable; }
  // Written but not yet synced.
  uint64_t unsynced_bytes() const { return unsynced_bytes_; }
  // Every byte of every object is here.
  bool received() const;
  // And each object has its digest.
  bool verified() const;

  // Checks a chunk and takes it into memory.
  //   INVALID_ARGUMENT     breaks the protocol: no such object, an offset or a size that can't be
  //   FAILED_PRECONDITION  lies beyond what was received
  //   DATA_LOSS            differs from its own or the manifest's checksum and was not taken
  //   anything else        the store failed: the upload can't go on
  // A chunk below what was received is checked and skipped.
  absl::Status Write(const ChunkRequest& chunk);

  // Hashes what was received since the last time, and returns the objects that are whole and have
  // another SHA-256 than the manifest says, though each block matches: all of them is forgotten.
  std::vector<uint32_t> Hash();

  struct Advance {
    uint32_t object;
    uint64_t durable_offset;
  };
  // Has the clip describe itself (store/clip_description.h): to be called once it is verified, with
  // the time that its receipt will say; the next Sync makes it durable.
  absl::Status Describe(std::string_view store_id, int64_t committed_unix_ns);
  // Makes what was received, and hashed, durable; `advances` (may be null) gets the objects that
  // moved. After an error the blobs must go (see BlobWriter::Sync).
  absl::Status Sync(std::vector<Advance>* advances);
  // The catalog knows the upload when this returns OK; cheap from the second time on.
  absl::Status Begin(Uploads& uploads);
  // The upload becomes a clip: its objects are made, where that isn't what is staged, and the
  // catalog names them. It must be verified and synced. Errors as Uploads::Commit; UNAVAILABLE
  // also for whatever ObjectStore::TakeOver says: another attempt finds everything staged.
  absl::Status Commit(Uploads& uploads, int64_t unix_ns);

 private:
  struct Object {
    std::unique_ptr<BlobWriter> writer;
    Sha256 sha256;
    uint64_t received = 0;
    uint64_t hashed = 0;
    uint64_t durable = 0;
    bool verified = false;
  };

  ClipUpload(UploadStaging& staging, ObjectStore& objects, UploadRow row,
             v1::ClipManifest manifest);
  // The blob at `position` of the row; if it was lost, a new one in its place.
  absl::StatusOr<std::unique_ptr<BlobWriter>> Reopen(size_t position, uint64_t size);
  absl::Status ReadBack(int index);
  // What the object at `position`, or the description after the last, is to be called.
  ObjectKey KeyOf(size_t position) const;
  void ChooseKeys();
  uint64_t DescriptionBytes() const;
  absl::Status MakeObjects();
  // Ends an object that is hashed whole; false, and back to 0, if its digest differs.
  static bool Verify(Object& object, const v1::ClipObject& described);
  // Has the catalog changed by `write`.
  absl::Status Tell(const std::function<absl::Status()>& write);

  UploadStaging& staging_;
  ObjectStore& store_;
  UploadRow row_;
  bool told_ = false;  // the catalog knows of it, or may
  Space::Hold hold_;
  const v1::ClipManifest manifest_;
  std::vector<Object> objects_;
  std::unique_ptr<BlobWriter> description_;
  Sha256Digest description_sha256_{};
  bool described_ = false;
  uint64_t unsynced_bytes_ = 0;
};

}  // namespace gleaner::cloud
