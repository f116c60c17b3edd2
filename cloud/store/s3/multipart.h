// Large objects, sent in parts.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "cloud/store/s3/client.h"
#include "common/digest.h"

namespace gleaner::cloud::s3 {

// The object is there, and whole, when this returns OK. After an error its parts are given up;
// those that a crash or a lost connection leaves in the store are for the bucket's own rule to
// remove (AbortIncompleteMultipartUpload). DATA_LOSS if the whole of what was read has not
// `sha256`.
absl::Status PutInParts(Client& client, const std::string& key, std::string_view content_type,
                        const Body& body, const Sha256Digest& sha256);

}  // namespace gleaner::cloud::s3
