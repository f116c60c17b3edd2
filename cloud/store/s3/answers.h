// What an S3 store says in XML.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace gleaner::cloud::s3 {

// Empty where there is none.
struct ErrorAnswer {
  std::string code, message;
};
ErrorAnswer ParseError(std::string_view xml);

// A page of ListObjectsV2.
struct ListAnswer {
  struct Object {
    std::string key;
    uint64_t size = 0;
  };
  std::vector<Object> objects;
  std::string next;  // the token of the page after it; empty: it is the last
};
absl::StatusOr<ListAnswer> ParseList(std::string_view xml);

// Of CreateMultipartUpload.
absl::StatusOr<std::string> ParseUploadId(std::string_view xml);

}  // namespace gleaner::cloud::s3
