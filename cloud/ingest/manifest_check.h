// Whether an offer keeps the rules of the contract. Nothing of a manifest is used before this.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gleaner/v1/clip.pb.h"
#include "gleaner/v1/ingest.pb.h"
#include "google/protobuf/io/zero_copy_stream.h"

namespace gleaner::cloud {

// Bounds that proto/ leaves to the receiver, in bytes.
inline constexpr size_t kMaxTextBytes = 4096;  // expression, shortfall, version strings, …
inline constexpr size_t kMaxSignalNameBytes = 256;
inline constexpr size_t kMaxFirings = 256;
inline constexpr size_t kMaxSignalPoints = 4096;

// The key of a manifest that may otherwise be nonsense, so that its refusal can say which clip.
// False if none can be found.
bool FindKey(std::string_view manifest, v1::ClipKey* key);

// The manifest, parsed, if it is one that `device` may offer. INVALID_ARGUMENT names the field and
// the bound; PERMISSION_DENIED if it names another device.
absl::StatusOr<v1::ClipManifest> CheckOffer(const v1::Offer& offer, std::string_view device);

// Whether a ledger report that has yet to be parsed has no more boots, ranges and tombstones than
// an honest one: on the wire an empty one takes two bytes, parsed a hundred. True as well for bytes
// that are no report: parsing them will say so.
bool HasFewLedgerEntries(google::protobuf::io::ZeroCopyInputStream* report);

// INVALID_ARGUMENT names the field of a ledger report that breaks a bound.
absl::Status CheckLedgerReport(const v1::ReportLedgerRequest& report);

}  // namespace gleaner::cloud
