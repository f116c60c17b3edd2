// What a client trusts from one start to the next: the four files of metadata, as they came.
//
// They lie in one file that is replaced whole (WriteFileDurably), so that after a power cut at any
// step the client has what it trusted before or what it trusts now, never a mixture. A client
// writes it after each role that it has checked, in the order root, timestamp, snapshot, targets:
// what refuses a rollback is on the disk before anything that follows from it is used.
//
// Owner and format: a JSON object {"root", "timestamp", "snapshot", "targets"} of texts. It needs
// no signature of its own: whoever can write it can replace the root in the device's package, too.
#pragma once

#include <array>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tuf/metadata.h"

namespace gleaner::tuf {

struct Trusted {
  std::array<std::string, 4> bytes;  // by Role; empty for none

  std::string& Of(Role role) { return bytes.at(static_cast<size_t>(role)); }
  const std::string& Of(Role role) const { return bytes.at(static_cast<size_t>(role)); }
};

// Nothing at all if there is no such file; DATA_LOSS if it is none of ours.
absl::StatusOr<Trusted> LoadTrusted(const std::string& path);
absl::Status SaveTrusted(const std::string& path, const Trusted& trusted);

}  // namespace gleaner::tuf
