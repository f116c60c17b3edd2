// spool.blocks: 256 KiB blocks in one file that is allocated once. object_blocks.h writes them.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/limits.h"
#include "edge/spool/block_device.h"
#include "edge/spool/block_map.h"

namespace gleaner::edge {

// One block of memory, aligned for O_DIRECT. It goes back to the store that it is from, which
// outlives it.
using BlockBuffer = std::shared_ptr<uint8_t>;

constexpr size_t AlignToSector(size_t size) {
  return (size + kBlockAlignment - 1) / kBlockAlignment * kBlockAlignment;
}

// The time between two failures of the file: one open descriptor. What was written through a
// session and not yet synced is lost to us when the session fails, whatever the kernel says later.
struct BlockSession {
  std::unique_ptr<BlockFile> file;
  bool failed = false;  // guarded by the store's mutex
};

// Thread-safe.
class BlockStore {
 public:
  // Opens the file at `path`. A new or shorter file grows to `blocks`; if the disk has no room for
  // that, a shorter file stays as it is (and a new one is RESOURCE_EXHAUSTED). A longer one keeps
  // its length until Trim.
  static absl::StatusOr<std::unique_ptr<BlockStore>> Open(BlockDevice& device, std::string path,
                                                          uint32_t blocks);

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

  // The session to write an object through, from its first block to its last. Reopens the file
  // after a failure.
  absl::StatusOr<std::shared_ptr<BlockSession>> Session();
  // DATA_LOSS if the session has failed.
  absl::Status Check(const BlockSession& session);
  // A write through it failed: ends the session.
  void Fail(BlockSession& session, const absl::Status& why);
  // Makes what was written through `session` durable: it is when EndSync returns. An error ends the
  // session.
  absl::StatusOr<std::unique_ptr<PendingIo>> StartSync(BlockSession& session);
  absl::Status EndSync(BlockSession& session, PendingIo& sync);
  // The first `size` bytes of a block into `out`.
  absl::Status Read(uint32_t block, size_t size, std::string* out);

 private:
  BlockStore(BlockDevice& device, std::string path, std::unique_ptr<BlockFile> file,
             uint32_t blocks);
  void FailLocked(BlockSession& session, const absl::Status& why);  // mutex_ is held

  BlockDevice& device_;
  const std::string path_;
  mutable std::mutex mutex_;
  BlockMap map_;
  std::shared_ptr<BlockSession> session_;
  std::vector<std::unique_ptr<uint8_t, decltype(&std::free)>> spare_;
};

}  // namespace gleaner::edge
