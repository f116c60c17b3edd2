// spool.blocks: 256 KiB blocks in one file that is allocated once, and the threads that write them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/limits.h"
#include "edge/spool/block_device.h"
#include "edge/spool/block_map.h"

namespace gleaner::edge {

// One block of memory, aligned for O_DIRECT.
struct BufferDeleter {
  void operator()(uint8_t* bytes) const;
};
using BlockBuffer = std::unique_ptr<uint8_t, BufferDeleter>;

// The time between two failures of the file: one open descriptor. What was written through a
// session and not yet synced is lost to us when the session fails, whatever the kernel says later.
struct BlockSession {
  std::unique_ptr<BlockFile> file;
  bool failed = false;  // guarded by the store's mutex
};

// The writes of one object that are under way. Belongs to one thread; must be waited for before it
// goes.
class WriteBatch {
 private:
  friend class BlockStore;
  int in_flight_ = 0;  // all guarded by the store's mutex
  std::vector<uint64_t> xxh3_;
  absl::Status error_;
};

// Thread-safe.
class BlockStore {
 public:
  // Opens the file at `path`. A new or shorter file grows to `blocks`; if the disk has no room for
  // that, a shorter file stays as it is (and a new one is RESOURCE_EXHAUSTED). A longer one keeps
  // its length until Trim.
  static absl::StatusOr<std::unique_ptr<BlockStore>> Open(BlockDevice& device, std::string path,
                                                          uint32_t blocks);
  // Ends after the writes that are under way.
  ~BlockStore();

  uint32_t blocks() const;
  uint32_t used() const;
  std::optional<uint32_t> Allocate();
  bool Claim(const BlockRun& run);
  // The caller has made sure that no row on stable storage names them and that no write of them is
  // under way.
  void Free(std::span<const BlockRun> runs);
  // Cuts the file to `blocks` if what lies above is free; else FAILED_PRECONDITION.
  absl::Status Trim(uint32_t blocks);

  // A block of memory: a used one where there is one.
  BlockBuffer TakeBuffer();
  void GiveBuffer(BlockBuffer buffer);

  // The session to write an object through, from its first block to its commit. Reopens the file
  // after a failure.
  absl::StatusOr<std::shared_ptr<BlockSession>> Session();
  // Queues `size` bytes for `block`; a thread hashes and writes them and takes the buffer back.
  // Waits while four blocks are queued.
  void Write(std::shared_ptr<BlockSession> session, uint32_t block, BlockBuffer buffer, size_t size,
             WriteBatch& batch);
  // Waits for the batch's writes: the XXH3-64 of each block in order, or the first error of any.
  absl::StatusOr<std::vector<uint64_t>> Wait(WriteBatch& batch);
  // Makes what was written through `session` durable. An error ends the session.
  absl::Status Sync(BlockSession& session);
  // The first `size` bytes of a block into `out`.
  absl::Status Read(uint32_t block, size_t size, std::string* out);

 private:
  struct Job {
    std::shared_ptr<BlockSession> session;
    uint32_t block;
    BlockBuffer buffer;
    size_t size;  // without the padding
    WriteBatch* batch;
    size_t index;  // of the block in its batch
  };

  BlockStore(BlockDevice& device, std::string path, std::unique_ptr<BlockFile> file,
             uint32_t blocks);
  void WriteLoop();
  void EndSession(BlockSession& session, const absl::Status& why);  // mutex_ is held

  BlockDevice& device_;
  const std::string path_;
  mutable std::mutex mutex_;
  std::condition_variable queued_;  // there is work, or it is time to stop
  std::condition_variable done_;    // the queue got shorter, a write ended
  BlockMap map_;
  std::shared_ptr<BlockSession> session_;
  std::vector<BlockBuffer> spare_;
  std::deque<Job> queue_;
  bool stopping_ = false;
  std::vector<std::thread> writers_;
};

}  // namespace gleaner::edge
