// One clip on its way in: which bytes are here, which of them are on stable storage, and what they
// hash to. Knows nothing of streams and leases.
//
// Offsets move in two steps: `received` after a write, `durable` after a sync; only `durable` is
// ever told to anyone. After a restart nothing is remembered but the manifest and the blobs' names:
// what is durable is found by reading the blobs back, as the longest prefix of blocks that match
// the manifest's XXH3. So no chunk needs a commit of its own: one at the offer, one at the end.
//
// Each object's SHA-256 is computed as its chunks come, so that the receipt needs no second
// reading.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/ingest/request_reader.h"
#include "cloud/store/blob_store.h"
#include "cloud/store/catalog.h"
#include "common/digest.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud {

// Used by one thread at a time; every method may block on the disk.
class ClipUpload {
 public:
  // A new upload: reserves room for every object. Not yet in the catalogue: begin it with row().
  // RESOURCE_EXHAUSTED when the store is full.
  static absl::StatusOr<std::unique_ptr<ClipUpload>> Create(BlobStore& blobs, UploadRow row,
                                                            v1::ClipManifest manifest);
  // Goes on with one that the catalogue knows, after reading back what is there and syncing it. If
  // blobs were lost with a power cut, row() has new ones in their place and `*changed` is set:
  // begin the upload again with it.
  static absl::StatusOr<std::unique_ptr<ClipUpload>> Resume(BlobStore& blobs, UploadRow row,
                                                            v1::ClipManifest manifest,
                                                            bool* changed);

  const UploadRow& row() const { return row_; }
  const v1::ClipManifest& manifest() const { return manifest_; }
  std::vector<uint64_t> durable_offsets() const;
  uint64_t durable_offset(uint32_t object) const { return objects_[object].durable; }
  // Written but not yet synced.
  uint64_t unsynced_bytes() const { return unsynced_bytes_; }
  // Every byte of every object is here and has its digest.
  bool complete() const;

  // Checks and writes a chunk.
  //   INVALID_ARGUMENT     breaks the protocol: no such object, an offset or a size that can't be
  //   FAILED_PRECONDITION  lies beyond what was received
  //   DATA_LOSS            differs from its own or the manifest's checksum and was not written; or
  //                        was the last of an object whose SHA-256 then differs, all of which is
  //                        forgotten
  //   anything else        the store failed: the upload can't go on
  // A chunk below what was received is checked and skipped.
  absl::Status Write(const ChunkRequest& chunk);

  struct Advance {
    uint32_t object;
    uint64_t durable_offset;
  };
  // Makes what was received durable; `advances` (may be null) gets the objects that moved. After an
  // error the blobs must go (see BlobWriter::Sync).
  absl::Status Sync(std::vector<Advance>* advances);

 private:
  struct Object {
    std::unique_ptr<BlobWriter> writer;
    Sha256 sha256;
    uint64_t received = 0;
    uint64_t durable = 0;
    bool verified = false;
  };

  ClipUpload(UploadRow row, v1::ClipManifest manifest);
  absl::Status ReadBack(BlobStore& blobs, int index);
  // Ends an object whose last byte has come; DATA_LOSS, and back to 0, if its digest differs.
  absl::Status Verify(int index);
  uint64_t Xxh3Of(const std::vector<iovec>& parts);

  struct FreeXxh3 {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };

  UploadRow row_;
  const v1::ClipManifest manifest_;
  std::vector<Object> objects_;
  uint64_t unsynced_bytes_ = 0;
  std::unique_ptr<XXH3_state_t, FreeXxh3> xxh3_;
};

}  // namespace gleaner::cloud
