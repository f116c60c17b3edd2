// Why metadata or a target is not taken: each way has a name, so that a device can say which attack
// or mistake it met, and a test can ask for exactly that one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace gleaner::tuf {

enum class Refusal {
  kMalformed,     // no metadata of this kind, or beyond its bounds
  kEndlessData,   // longer than it may be, or than the metadata above it says
  kWrongKey,      // signed, but by no key that the root names for this role: also one rotated out
  kBadSignature,  // a key of the role is named, and its signature is not of these bytes
  kTooFewSignatures,  // good signatures, fewer than the threshold
  kExpired,           // root or targets: people have to sign again
  kFreeze,            // snapshot or timestamp expired: someone holds news back, or no one refreshes
  kRollback,          // older than what was trusted before
  kMixAndMatch,       // not the file that the metadata above it speaks of
  kAltered,           // a target's bytes are not those that were signed
  kMissing,           // what the metadata names is not there
};

// "endless_data": for logs, metrics and programs.
std::string_view NameOf(Refusal refusal);

// A status whose message begins with the name: "rollback: timestamp.json is version 1, …".
absl::Status Refuse(Refusal refusal, std::string_view sentence);

// Which one `status` is; none for errors that are no refusal, such as a server out of reach.
std::optional<Refusal> RefusalOf(const absl::Status& status);

}  // namespace gleaner::tuf
