// Disks that fail on command.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "edge/spool/block_device.h"

namespace gleaner::edge {

// A real file whose calls can be made to fail. Thread-safe.
class FaultDevice : public BlockDevice {
 public:
  struct Faults {
    // Counts down with each call; that call fails with the status (or, for `short_write`, does only
    // so many bytes). 0: never.
    int write_in = 0;
    absl::Status write_error;
    size_t short_write_bytes = 0;
    int sync_in = 0;
    absl::Status sync_error;
    int read_in = 0;
    absl::Status read_error;
    absl::Status open_error;
    absl::Status resize_error;
  };

  absl::StatusOr<std::unique_ptr<BlockFile>> Open(const std::string& path) override;

  void Set(Faults faults);
  int opens() const;
  // Syncs of a file after one of its writes or syncs has failed: there must be none, for they may
  // succeed without the bytes. (A write may follow: another thread had it in hand already.)
  int syncs_after_error() const;

 private:
  class File;
  mutable std::mutex mutex_;
  Faults faults_;
  int opens_ = 0;
  int syncs_after_error_ = 0;
};

// The negative control of the durability tests: says that it has written, and writes a few calls
// later. It stands for every way of committing the ledger before the blocks are on the disk.
class LateDevice : public BlockDevice {
 public:
  absl::StatusOr<std::unique_ptr<BlockFile>> Open(const std::string& path) override;
};

}  // namespace gleaner::edge
