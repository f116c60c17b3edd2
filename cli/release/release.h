// What `gleaner release` can do: signed releases in a plain folder (common/tuf/). Nothing here
// speaks to a Gleaner server. Each command prints to standard output and returns an error that is a
// sentence for people: INVALID_ARGUMENT if what was asked can't be right.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/clock.h"

namespace gleaner::cli {

inline constexpr uint32_t kRootDays = 365;
inline constexpr uint32_t kTargetsDays = 90;
inline constexpr uint32_t kMaxDays = 3650;

// A key pair each: the private key in the file that is named, readable by its owner alone, and the
// public one beside it in FILE.pub. ALREADY_EXISTS before anything is overwritten.
absl::Status GenerateKeys(const std::vector<std::string>& files, bool json);

struct DraftRootOptions {
  std::string repository;
  std::vector<std::string> keys;        // "ROLE=FILE.pub"
  std::vector<std::string> retire;      // "ROLE=ID", or how the id begins
  std::vector<std::string> thresholds;  // "ROLE=N"
  uint32_t days = kRootDays;
  bool json = false;
};
// A new repository, with drafts of its first root and of empty targets.
absl::Status InitRepository(const DraftRootOptions& options, const Clock& clock);
// A draft of the next root: other keys, thresholds, or only another expiry.
absl::Status RotateRoot(const DraftRootOptions& options, const Clock& clock);

struct AddTargetsOptions {
  std::string repository;
  std::vector<std::string> files;  // without any, the draft only expires later
  std::string path;                // of a single file; else each has its own name
  std::string custom;              // a JSON object
  uint32_t days = kTargetsDays;
  bool json = false;
};
// Copies files into the repository and drafts targets that have them.
absl::Status AddTargets(const AddTargetsOptions& options, const Clock& clock);
// Drafts targets without these. What was released stays in the folder: devices may be at it.
absl::Status RemoveTargets(const std::string& repository, const std::vector<std::string>& paths,
                           bool json);

// Signs the drafts that have a use for the keys; `keys` are files of private keys. Says which of
// them had signed already.
absl::Status SignDrafts(const std::string& repository, const std::vector<std::string>& keys,
                        bool json);

// Withdraws the draft of `role`, root or targets; what is published stands
// (tuf::Repository::Discard).
absl::Status DiscardDraft(const std::string& repository, const std::string& role, bool json);

struct RefreshOptions {
  std::string repository;
  std::vector<std::string> keys;
  uint32_t timestamp_hours = 24;
  uint32_t snapshot_days = 7;
  bool json = false;
};
// Publishes what is signed, and makes a new snapshot and timestamp.
absl::Status RefreshRepository(const RefreshOptions& options, const Clock& clock);

struct VerifyOptions {
  std::string repository;  // a folder, or the address that it is served at
  std::string root;        // the root to trust; empty for the folder's first
  std::string state;       // where a client keeps its trust; empty for none
  std::string ca;          // as ClientOptions::ca
  bool json = false;
};
// Takes the repository as a device does, with every byte of every target.
absl::Status VerifyRepository(const VerifyOptions& options, const Clock& clock);

// What is published, by whose keys and until when, and what the drafts change of it: who signed
// them and who else may.
absl::Status ShowRepository(const std::string& repository, bool json);

}  // namespace gleaner::cli
