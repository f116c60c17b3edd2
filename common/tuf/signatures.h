// Whether enough of a role's keys signed.
#pragma once

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

// How many of them do, for those who show it.
size_t CountSignatures(const Root& root, Role role, std::string_view payload,
                       const std::vector<Signature>& signatures);

}  // namespace gleaner::tuf
