// `gleaner-edge fsck`: reads everything that a spool holds and says what is wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clip_key.h"

namespace gleaner::edge {

struct FsckProblem {
  ClipKey key;       // all zero when the problem is not one clip's
  std::string what;  // for people: "object 0, block 3 fails its checksum"
  bool repaired = false;
};

struct FsckReport {
  std::string directory;
  uint64_t clips = 0;        // waiting, read whole
  uint64_t quarantined = 0;  // known to be wrong: looked at for block ownership only
  uint64_t blocks = 0;       // read and checked
  uint64_t bytes = 0;
  std::vector<FsckProblem> problems;

  bool ok() const { return problems.empty(); }
  // A line a problem and a summary, for people.
  std::string ToText() const;
  // A SpoolCheck, as proto/gleaner/v1/status.proto has it.
  std::string ToJson() const;
};

// Checks the ledger (integrity_check), that no block has two owners, each object's XXH3 block by
// block and its SHA-256 as a whole, and each manifest against its own digest and against the
// objects that it describes.
//
// Without `repair` it reads only, and the daemon may be at work: a clip that ends meanwhile is
// passed over. Memory: one block and one clip's rows at a time. With `repair` the daemon must be
// stopped (FAILED_PRECONDITION otherwise): the spool is opened as a start would open it (torn clips
// are quarantined, an unreadable ledger is set aside), and clips that fail the check are
// quarantined, so that the daemon doesn't try to upload them. Files that it makes belong to the
// folder's owner, whoever runs it.
//
// NOT_FOUND if the directory holds no spool.
absl::StatusOr<FsckReport> Fsck(const std::string& directory, bool repair = false);

}  // namespace gleaner::edge
