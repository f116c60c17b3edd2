// Clips whose bytes follow from their sequence number, a journal of what a spool has promised, and
// the check of the one against the other.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "edge/spool/spool.h"
#include "edge/spool/spool_impl.h"

namespace gleaner::edge {

inline constexpr char kTestBoot[] = "3b1c0f2e-0000-4000-8000-000000000001";

// A folder of its own below the system's temporary one; removed with its contents at the end.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// `size` bytes that only (sequence, object) decide.
std::string TestBytes(uint64_t sequence, size_t object, uint64_t size);

struct TestClip {
  ClipKey key;
  std::string manifest;
  std::vector<uint64_t> sizes;
};
// Writes and commits a clip of objects of `sizes` bytes, under `key`. Its manifest is a true one.
absl::StatusOr<TestClip> WriteTestClip(Spool& spool, const ClipKey& key,
                                       const std::vector<uint64_t>& sizes);
// Takes a number as well.
absl::StatusOr<TestClip> AddTestClip(Spool& spool, const std::vector<uint64_t>& sizes,
                                     uint32_t priority = 5);
// The whole object, each block checked.
absl::StatusOr<std::string> ReadObject(Spool& spool, const StoredClip& clip, size_t object);

// What a process that is going to be killed has done: one line an event, written before the next
// step begins.
struct Journal {
  uint64_t taken = 0;            // the highest number given out
  std::set<uint64_t> writing;    // its clip was begun
  std::set<uint64_t> committed;  // Commit returned
  std::set<uint64_t> ending;     // Release, Quarantine, Fail or AcknowledgeTombstones was called
  std::set<uint64_t> released;   // Release returned

  static Journal Read(const std::string& path);
};

// Opens the spool as the next start would and compares. The invariant: every number given out is
// exactly one of waiting with every checksum right, tombstoned, or released; what was committed is
// there unless it was evicted or ended on purpose; no block has two owners. What is wrong, or
// nothing.
std::vector<std::string> CheckSpool(const SpoolOptions& options, const Journal& journal);

}  // namespace gleaner::edge
