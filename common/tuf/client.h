// A client of a repository: the workflow of the TUF specification 1.0, section 5, from bytes that
// anyone may have touched to targets that the holders of the keys released.
//
//   root       from the one trusted so far, version by version, each signed by the keys of the one
//              before and by its own; the last must not have expired
//   timestamp  signed, not older than the one trusted before, not expired
//   snapshot   the one that timestamp names; no targets metadata older than before; not expired
//   targets    the one that snapshot names; not expired
//
// Nothing is parsed beyond its bound, nothing is believed before its signatures are checked, and a
// refusal has a name (refusal.h). A refresh that fails leaves the targets of the last good one in
// use; what it had proven by then (a newer root, a newer timestamp) is kept, as trusted.h says.
//
// Left out, since nothing here needs it: delegations (targets in other metadata than the top one),
// hashes other than SHA-256, keys other than Ed25519, repositories without consistent snapshots.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/tuf/fetch.h"
#include "common/tuf/metadata.h"
#include "common/tuf/trusted.h"

namespace gleaner::tuf {

// One thread at a time. `clock` must outlive it: its wall time decides what has expired, so a clock
// that is behind believes old metadata longer (and still takes nothing that wasn't signed).
class Client {
 public:
  struct Options {
    std::string packaged_root;  // the root to begin with, as the device's package brought it
    std::string state_path;     // where trust is kept; empty keeps it in memory
  };
  // Trusts the newer one of the root that was kept and the one of the package. A state that can't
  // be read is told by note() and begun anew; an unreadable packaged root is an error only where
  // nothing was kept.
  static absl::StatusOr<Client> Open(Options options, const Clock& clock);

  // Walks through the whole workflow. Refusals, and the fetcher's errors as they are.
  absl::Status Refresh(Fetcher& fetcher);

  const Root& root() const { return root_; }
  // Of the last good refresh since Open(); none before the first.
  const std::optional<Timestamp>& timestamp() const { return timestamp_; }
  const std::optional<Snapshot>& snapshot() const { return snapshot_; }
  const std::optional<Targets>& targets() const { return targets_; }
  // kMissing if there is no such target, or no good refresh yet.
  absl::StatusOr<Target> Find(const std::string& path) const;

  // A sentence if the kept state was unusable; empty otherwise.
  const std::string& note() const { return note_; }

 private:
  Client(Options options, const Clock& clock, Root root, Trusted trusted, std::string note)
      : options_(std::move(options)),
        clock_(&clock),
        root_(std::move(root)),
        trusted_(std::move(trusted)),
        note_(std::move(note)) {}

  absl::Status RefreshRoot(Fetcher& fetcher, int64_t now_unix_s);
  absl::StatusOr<Timestamp> RefreshTimestamp(Fetcher& fetcher, int64_t now_unix_s);
  absl::StatusOr<Snapshot> RefreshSnapshot(Fetcher& fetcher, const Timestamp& timestamp,
                                           int64_t now_unix_s);
  absl::StatusOr<Targets> RefreshTargets(Fetcher& fetcher, const Snapshot& snapshot,
                                         int64_t now_unix_s);
  // What was kept of this role, if today's root still names who signed it.
  template <typename T>
  std::optional<T> Kept() const;
  // Bytes, checked against what names them.
  template <typename T>
  absl::StatusOr<T> Named(std::string_view bytes, const MetaFile& file,
                          const std::string& what) const;
  absl::Status Keep();

  Options options_;
  const Clock* clock_;
  Root root_;
  Trusted trusted_;
  std::string note_;
  std::optional<Timestamp> timestamp_;
  std::optional<Snapshot> snapshot_;
  std::optional<Targets> targets_;
};

// Checks a target's bytes as they come, in order; for a transfer that was resumed, they are fed
// anew from what lies on the disk.
class TargetCheck {
 public:
  explicit TargetCheck(Target target) : target_(std::move(target)) {}
  // kEndlessData at the first byte beyond the length.
  absl::Status Add(std::string_view piece);
  // kAltered unless they were all there and have the digest.
  absl::Status Finish();

 private:
  Target target_;
  Sha256 hash_;
  uint64_t seen_bytes_ = 0;
};

// Hands a target's bytes to `sink`, which must not use them before this returned OK.
absl::Status FetchTarget(Fetcher& fetcher, const Target& target, const Sink& sink);

}  // namespace gleaner::tuf
