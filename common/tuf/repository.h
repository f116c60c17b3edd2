// A repository of signed releases as its keepers see it: a plain folder that any web server can
// serve, and the drafts that wait in it for signatures.
//
//   N.root.json  N.targets.json  N.snapshot.json  timestamp.json    what clients read
//   targets/models/goods/<sha256>.2.onnx                             the released files
//   draft/root.json  draft/targets.json                              what is being signed
//
// Root and targets are changed as drafts: any change makes a new one without signatures, the
// holders of the offline keys sign it one after the other, each where its key is, and Refresh()
// publishes what has enough of them. Snapshot and timestamp are made by Refresh() alone, with keys
// that are at hand; it is run on a schedule, since they expire.
//
// Order of writes: a target's bytes before the draft that names them; in Refresh() root, targets,
// snapshot, timestamp, each replaced whole, and the draft removed after what it became. Whoever
// reads at any moment follows timestamp.json to files that are there. A Refresh() that was cut off
// is simply run again: a published version is never given other bytes.
//
// One process at a time works on a folder; another is refused (UNAVAILABLE).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/file.h"
#include "common/tuf/key.h"
#include "common/tuf/metadata.h"

namespace gleaner::tuf {

class Repository {
 public:
  // FAILED_PRECONDITION if there is no repository in `folder`.
  static absl::StatusOr<Repository> Open(const std::string& folder);
  // Makes the folder with drafts of root 1, as given, and of empty targets 1. ALREADY_EXISTS if
  // there is a repository.
  static absl::StatusOr<Repository> Create(const std::string& folder, Root root,
                                           int64_t targets_expire_unix_s);

  // What stands: the draft where there is one, else what is published.
  absl::StatusOr<Signed<Root>> NextRoot() const;
  absl::StatusOr<Signed<Targets>> NextTargets() const;
  // What is published; none before the first Refresh().
  absl::StatusOr<std::optional<Signed<Root>>> PublishedRoot() const;
  absl::StatusOr<std::optional<Signed<Targets>>> PublishedTargets() const;
  absl::StatusOr<std::optional<Signed<Snapshot>>> PublishedSnapshot() const;
  absl::StatusOr<std::optional<Signed<Timestamp>>> PublishedTimestamp() const;

  // Puts a draft in the place of the one there is, if any. The version is set here: that of what is
  // published, and one. A root whose targets keys are others drafts targets as well: they need
  // signatures of the new ones.
  absl::Status DraftRoot(Root root);
  absl::Status DraftTargets(Targets targets);
  // Copies `file` into the repository and drafts targets that have it under `path`, in the place of
  // what was there. `custom` is a JSON object or empty.
  absl::StatusOr<Target> AddTarget(const std::string& file, const std::string& path,
                                   const std::string& custom, int64_t targets_expire_unix_s);

  // A draft that Sign() found a use for a key's signature in.
  struct Signing {
    Role role = Role::kRoot;
    uint64_t version = 0;
    bool had_signed = false;  // before, so that nothing was written
  };
  // Signs every draft that has a use for the key's signature: a root by the keys that the published
  // or the drafted root names, targets by those of the root that stands. FAILED_PRECONDITION if
  // there is no draft for this key.
  absl::StatusOr<std::vector<Signing>> Sign(const PrivateKey& key);

  // Withdraws the draft of root or targets; NOT_FOUND if there is none. With a root go targets that
  // were drafted for its keys and say nothing else. Where a draft of targets has to be (nothing is
  // published yet, or the drafted root gives them other keys), it becomes one without changes; one
  // that is so already is FAILED_PRECONDITION, and so is the first root. The roles that have no
  // draft any more. The bytes of files that were drafted stay in the folder.
  absl::StatusOr<std::vector<Role>> Discard(Role role);

  // Who signed a draft, by the id of the key. A root has two counts: those that the root before
  // wants are none where there is no root before. A count is at most what is wanted.
  struct Waiting {
    Role role = Role::kRoot;
    uint64_t version = 0;
    size_t signatures = 0;
    size_t wanted = 0;
    size_t signatures_of_before = 0;
    size_t wanted_of_before = 0;
    std::vector<std::string> signed_by, may_sign;
    std::vector<std::string> signed_by_of_before, may_sign_of_before;
    bool complete() const {
      return signatures >= wanted && signatures_of_before >= wanted_of_before;
    }
  };
  absl::StatusOr<std::vector<Waiting>> Drafts() const;

  struct Lifetimes {
    int64_t snapshot_s = 7 * 86'400;
    int64_t timestamp_s = 86'400;
  };
  // Publishes the drafts that are complete, makes a snapshot if what it says has changed or half of
  // its lifetime is over, and a timestamp. The roles that were published. FAILED_PRECONDITION, with
  // nothing written, if what would stand then is not what a client takes: drafts that are missing
  // signatures for a first publication, targets that the new root's keys didn't sign, a key that
  // the root doesn't name.
  absl::StatusOr<std::vector<Role>> Refresh(const std::vector<PrivateKey>& keys,
                                            const Lifetimes& lifetimes, int64_t now_unix_s);

  const std::string& folder() const { return folder_; }

 private:
  Repository(std::string folder, Fd lock) : folder_(std::move(folder)), lock_(std::move(lock)) {}
  static absl::StatusOr<Repository> Lock(const std::string& folder);

  std::string PathOf(Role role, uint64_t version) const;
  std::string DraftPath(Role role) const;
  template <typename T>
  absl::StatusOr<std::optional<Signed<T>>> Read(const std::string& path) const;
  template <typename T>
  absl::StatusOr<std::optional<Signed<T>>> ReadDraft() const;
  // The newest published version of root or targets, 0 for none.
  absl::StatusOr<uint64_t> NewestVersion(Role role) const;
  template <typename T>
  absl::Status WriteDraft(const T& content, const std::vector<Signature>& signatures);
  absl::Status RemoveDraft(Role role);
  template <typename T>
  absl::Status SignDraft(const PrivateKey& key, const Signed<T>& draft, std::vector<Signing>* done);
  absl::Status Publish(Role role, uint64_t version, const std::string& bytes);

  std::string folder_;
  Fd lock_;
};

}  // namespace gleaner::tuf
