// What can look at a picture: a model that a room brings, so that a picture which is no frame can
// be looked for (SimilarFrames).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace gleaner::cloud {

struct Embedder {
  // As its embeddings of frames are named (embeddings.h).
  std::string model;
  // Of a JPEG that a person gave: hostile until a sandbox has decoded it. Blocks; any thread.
  // INVALID_ARGUMENT with a sentence if it is no picture.
  std::function<absl::StatusOr<std::vector<float>>(std::string_view jpeg)> embed;
};

}  // namespace gleaner::cloud
