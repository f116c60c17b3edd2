// The blocks of one object on their way to the disk. SHA-256 takes longest of all that is done to
// them, so the rest goes on beside it: it is up to four blocks behind, and while it makes up for
// these the disk makes them all durable.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/digest.h"
#include "edge/spool/block_store.h"

namespace gleaner::edge {

// Belongs to one thread. Goes before the store does.
class ObjectBlocks {
 public:
  struct Digests {
    Sha256Digest sha256{};
    std::vector<uint64_t> xxh3;  // of each block in order
  };

  explicit ObjectBlocks(BlockStore& store) : store_(store) {}
  // Waits for what is under way: a block must not be free while it is being written, or the write
  // would land in the next owner's data.
  ~ObjectBlocks();

  // The next `size` bytes of the object go into `block`. Waits while four blocks are under way.
  // After an error the object is lost.
  absl::Status Write(uint32_t block, BlockBuffer buffer, size_t size);
  // On return everything is on stable storage. Call once.
  absl::StatusOr<Digests> Finish();

 private:
  struct Started {
    BlockBuffer buffer;  // until the write has ended
    size_t size;         // with the padding
    uint64_t offset;
    std::unique_ptr<PendingIo> write;
  };
  struct Unhashed {
    BlockBuffer buffer;
    size_t size;
  };
  absl::Status EndFirst();
  void HashFirst();

  BlockStore& store_;
  std::shared_ptr<BlockSession> session_;  // of all of them; null before the first
  std::deque<Started> under_way_;
  std::vector<uint64_t> xxh3_;
  std::deque<Unhashed> unhashed_;
  Sha256 sha256_;
};

}  // namespace gleaner::edge
