// Brings the blobs that a catalog names from one folder to another, and makes sure of them: what
// a backup and a restore have in common.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/store/blob_names.h"

namespace gleaner::cloud {

struct TransferProgress {
  uint64_t blobs = 0, bytes = 0;              // brought so far
  uint64_t total_blobs = 0, total_bytes = 0;  // to bring
};

struct TransferOptions {
  std::string catalog;                  // the file that names the blobs; nobody writes it meanwhile
  std::span<const NamingTable> naming;  // of the rooms that it has tables of
  std::string from, to;                 // folders of blobs
  // Whether `to` has the blob already, and has it right.
  std::function<absl::StatusOr<bool>(const NamedBlob&)> is_there;
  std::function<void(const TransferProgress&)> on_progress;  // may be empty
};

struct TransferResult {
  uint64_t named = 0;  // blobs that the catalog names
  TransferProgress done;
  // Of what `from` has no sound copy of, a sentence each; `to` then has none at all.
  std::vector<std::string> damaged;
};

// Everything that was brought is durable on return, and was read back from the disk and found to
// have the digest that its manifest says. RESOURCE_EXHAUSTED, before anything is brought, if `to`
// hasn't the room.
absl::StatusOr<TransferResult> TransferBlobs(const TransferOptions& options);

}  // namespace gleaner::cloud
