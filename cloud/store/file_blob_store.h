// Staging and objects in the segments of one folder: a committed object stays where it was staged,
// its key is the staged blob's name, and nothing is copied. So the catalog must be the right one
// and as young as the blobs before anything is swept: data_folder.h sees to that, and where it
// can't be sure FindUnnamed tells what is to be kept aside instead.
//
// The methods are spread over file_blob_store.cpp (one blob) and blob_sweep.cpp (all that lie
// there).
#pragma once

#include <unistd.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cloud/store/blob_place.h"
#include "cloud/store/buffer_pool.h"
#include "cloud/store/file_blob_writer.h"
#include "cloud/store/object_store.h"
#include "cloud/store/segment.h"
#include "cloud/store/upload_staging.h"

namespace gleaner::cloud {

// Room for many blobs is reserved at once, in segments under `directory`; a blob of more than a
// quarter of one that the current one hasn't room for gets a file of its own. Files are few
// whatever the number of clips, a blob costs no directory entry, and clips that arrive together
// share a sync. What is removed is punched out of its segment, which goes when it is empty. The
// file system must know fallocate, punching and nameless files (ext4, XFS, Btrfs, tmpfs).
struct FileBlobOptions {
  uint64_t segment_bytes = 64 << 20;
  // OpenCopy refuses (RESOURCE_EXHAUSTED) what would leave less free.
  uint64_t copy_floor_bytes = 0;
  SyncCall sync = &::fdatasync;
  // What the file system has free, in bytes; empty: statvfs(3) is asked. For tests.
  std::function<uint64_t()> free_bytes;
  // It holds what is staged and nothing else. Then Sweep also clears it when nothing is named.
  bool can_be_sent_again = false;
};

class FileBlobStore : public UploadStaging, public ObjectStore, private FileBlobWriter::Owner {
 public:
  // One process a directory. It must outlive its writers.
  static absl::StatusOr<std::unique_ptr<FileBlobStore>> Open(const std::string& directory,
                                                             const FileBlobOptions& options = {});
  ~FileBlobStore() override;

  absl::StatusOr<std::unique_ptr<BlobWriter>> Create(uint64_t size,
                                                     uint64_t leave_free = 0) override;
  absl::StatusOr<std::unique_ptr<BlobWriter>> Resume(const BlobId& id) override;
  absl::Status Read(const BlobId& id, uint64_t offset, uint64_t size, std::string* out) override;
  // Waits for no writer: FAILED_PRECONDITION while there is one.
  absl::Status Remove(const BlobId& id) override;
  absl::StatusOr<uint64_t> FreeBytes() override;
  uint64_t BytesInMemory() const override { return pool_.bytes_in_use(); }

  absl::StatusOr<std::vector<BlobId>> Retire(const std::vector<BlobId>& ids) override;
  absl::StatusOr<uint64_t> Sweep(const NamedBlobs& named,
                                 const std::stop_token& stop = {}) override;
  // The runs of written bytes that `named` doesn't list, each as a blob with a name of its own; of
  // files in which nobody writes, which are all when the store was just opened.
  absl::StatusOr<std::vector<BlobId>> FindUnnamed(const NamedBlobs& named);

  ObjectKey KeyFor(const ObjectName&, const BlobId& staged) override { return staged; }
  absl::Status TakeOver(const StagedObject&, const ObjectKey&) override { return absl::OkStatus(); }
  absl::StatusOr<ObjectKey> Put(const ObjectName& name, std::string_view bytes) override;
  absl::Status CheckRoom(uint64_t bytes, uint64_t leave_free) override;
  absl::StatusOr<uint64_t> SizeOf(const ObjectKey& key) override;
  absl::StatusOr<Fd> OpenCopy(const ObjectKey& key) override;
  // Reads every byte that lies there.
  absl::Status FindDescriptions(
      const std::function<absl::Status(const ObjectKey& at, std::string_view bytes)>& each)
      override;

 private:
  FileBlobStore(std::string path, const FileBlobOptions& options)
      : path_(std::move(path)), options_(options) {}

  std::string PathOf(const std::string& segment) const { return path_ + "/" + segment; }
  // The segment that `id` lies in. NOT_FOUND also where none of its bytes are (any more).
  absl::StatusOr<Fd> OpenAt(const BlobId& id, BlobPlace* place) const;

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

// While it is held, by any process, nothing that a catalog has named is removed from
// `directory`: what a backup has read in a catalog it finds. Waits for a removal under way.
absl::StatusOr<Fd> HoldRemovals(const std::string& directory);

}  // namespace gleaner::cloud
