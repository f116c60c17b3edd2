// Whether enough of a role's keys signed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/tuf/metadata.h"

namespace gleaner::tuf {

// OK if at least the threshold of different keys that `root` names for `role` signed `payload`.
// A key counts once, under however many names it stands. Else kTooFewSignatures if some did,
// kBadSignature if a named key's signature is wrong, kWrongKey if no named key signed at all; the
// sentence begins with `what`.
absl::Status CheckSignatures(const Root& root, Role role, std::string_view payload,
                             const std::vector<Signature>& signatures, std::string_view what);

// The ids of the keys that do, one for each different key, for those who show them.
std::vector<std::string> Signers(const Root& root, Role role, std::string_view payload,
                                 const std::vector<Signature>& signatures);

// Whether `root` names the key for `role`.
bool Names(const Root& root, Role role, const std::string& key_id);

// Puts the key's signature of `payload` in the place of one that it may have among them.
absl::Status AddSignature(const PrivateKey& key, std::string_view payload,
                          std::vector<Signature>* signatures);

}  // namespace gleaner::tuf
