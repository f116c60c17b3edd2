// Blobs in the segments of one folder: see FileBlobOptions. The methods are spread over
// file_blob_store.cpp (one blob) and blob_sweep.cpp (all that lie there).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cloud/store/blob_place.h"
#include "cloud/store/blob_store.h"
#include "cloud/store/buffer_pool.h"
#include "cloud/store/file_blob_writer.h"
#include "cloud/store/segment.h"

namespace gleaner::cloud {

class FileBlobStore : public BlobStore, private FileBlobWriter::Owner {
 public:
  static absl::StatusOr<std::unique_ptr<BlobStore>> Make(const std::string& directory,
                                                         const FileBlobOptions& options);
  ~FileBlobStore() override;

  absl::StatusOr<std::unique_ptr<BlobWriter>> Create(uint64_t size, uint64_t leave_free) override;
  absl::StatusOr<std::unique_ptr<BlobWriter>> Resume(const BlobId& id) override;
  absl::Status Read(const BlobId& id, uint64_t offset, uint64_t size, std::string* out) override;
  absl::StatusOr<uint64_t> SizeOf(const BlobId& id) override;
  absl::StatusOr<Fd> Open(const BlobId& id) override;
  absl::Status Remove(const BlobId& id) override;
  absl::StatusOr<uint64_t> FreeBytes() override;
  uint64_t BytesInMemory() const override { return pool_.bytes_in_use(); }

  absl::StatusOr<std::vector<BlobId>> Retire(const std::vector<BlobId>& ids) override;
  absl::StatusOr<uint64_t> Sweep(const NamedBlobs& named, const std::stop_token& stop) override;
  absl::StatusOr<std::vector<BlobId>> FindUnnamed(const NamedBlobs& named) override;

 private:
  FileBlobStore(std::string path, const FileBlobOptions& options)
      : path_(std::move(path)), options_(options) {}

  std::string PathOf(const std::string& segment) const { return path_ + "/" + segment; }
  // The segment that `id` lies in. NOT_FOUND also where none of its bytes are (any more).
  absl::StatusOr<Fd> OpenAt(const BlobId& id, BlobPlace* place) const;
  // RESOURCE_EXHAUSTED if less than `leave_free` bytes would be free once `bytes` are taken.
  absl::Status CheckRoom(uint64_t bytes, uint64_t leave_free);

  absl::StatusOr<std::shared_ptr<Segment>> MakeSegmentLocked(uint64_t bytes, uint64_t leave_free);
  absl::StatusOr<std::unique_ptr<BlobWriter>> CreateAloneLocked(uint64_t size, uint64_t room,
                                                                uint64_t leave_free);
  std::unique_ptr<BlobWriter> MakeWriterLocked(BlobPlace place, std::shared_ptr<Segment> segment);
  void OnFailedSync(const std::shared_ptr<Segment>& failed) override;
  void OnWriterGone(const BlobId& id) override;
  // No more blobs go into the active segment; what it has left is given back. A crash leaves that
  // to the sweep.
  void SealLocked();
  bool InUseLocked(const std::string& segment) const;

  // --- removing
  // Shared by all that remove what was named; UNAVAILABLE while HoldRemovals holds.
  absl::StatusOr<Fd> LockForRemoving() const;
  static absl::Status Punch(int file, uint64_t begin, uint64_t end, const std::string& segment);
  // Not synced: a removal that a crash undoes leaves rubbish, which a sweep finds.
  void RemoveIfEmpty(int file, const std::string& segment);

  struct Listed {
    std::string name;
    bool quiet;     // nobody writes there, nor is about to name what was written
    bool has_data;  // not only room
  };
  absl::StatusOr<std::vector<Listed>> List(const std::stop_token& stop);

  const std::string path_;
  const FileBlobOptions options_;
  Fd directory_;
  BufferPool pool_;

  std::mutex mutex_;
  std::shared_ptr<Segment> active_;  // new blobs go here, from used_ on
  uint64_t used_ = 0;
  // Alive while anybody writes there, or failed_ keeps it.
  std::map<std::string, std::weak_ptr<Segment>> open_;
  std::map<std::string, std::shared_ptr<Segment>> failed_;
  std::set<std::string> made_;     // since the store was opened
  std::multiset<BlobId> writing_;  // blobs that have a writer
};

}  // namespace gleaner::cloud
