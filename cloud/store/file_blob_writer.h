// Writes one blob into its segment: see BlobWriter.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cloud/store/blob_place.h"
#include "cloud/store/buffer_pool.h"
#include "cloud/store/segment.h"
#include "cloud/store/upload_staging.h"

namespace gleaner::cloud {

// Holds what was written since the last sync, from the disk block in which it begins.
class FileBlobWriter : public BlobWriter {
 public:
  // Who made it; outlives it.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnFailedSync(const std::shared_ptr<Segment>& segment) = 0;
    virtual void OnWriterGone(const BlobId& id) = 0;
  };

  // `pool` outlives it.
  FileBlobWriter(BlobPlace place, std::shared_ptr<Segment> segment, BufferPool& pool, Owner& owner);
  ~FileBlobWriter() override { owner_.OnWriterGone(id_); }

  const BlobId& id() const override { return id_; }
  absl::Status WriteAt(uint64_t offset, const struct iovec* parts, int count) override;
  std::vector<iovec> Held(uint64_t offset) const override;
  absl::Status Flush() override;
  absl::Status Sync() override;

 private:
  // The next byte that is held is that at `offset`.
  absl::Status GoTo(uint64_t offset);
  absl::Status TakeBuffer();
  absl::Status Append(const char* data, size_t size);
  absl::Status WriteHeld();

  const BlobPlace place_;
  const BlobId id_;
  const std::shared_ptr<Segment> segment_;
  BufferPool& pool_;
  Owner& owner_;
  // The blob's bytes [start_, end_), start_ at a disk block; empty or as many as these need.
  std::vector<BufferPool::Buffer> buffers_;
  uint64_t start_ = 0, end_ = 0;
  absl::Status failed_;
};

}  // namespace gleaner::cloud
