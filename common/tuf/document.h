// JSON as signed metadata has it: read within bounds, and written in the one form that is signed.
//
// The form is OLPC's Canonical JSON (http://wiki.laptop.org/go/Canonical_JSON), as the TUF
// specification wants: members sorted by name, no blanks, only \ and " escaped, every other
// character as it is, whole numbers only.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace gleaner::tuf {

// Reads one document. Refused (kMalformed, with `what` before the reason) is all that two readers
// could take for different things: numbers that are not whole or beyond ±(2^53 − 1), a member that
// is there twice, bytes that are not UTF-8, names that sort differently by UTF-8 and by UTF-16; and
// what is nested or long beyond bounds.h.
absl::StatusOr<nlohmann::json> ParseDocument(std::string_view bytes, std::string_view what);

// The signed form of what ParseDocument let through, or of what was put together from such values.
std::string Canonical(const nlohmann::json& document);

}  // namespace gleaner::tuf
