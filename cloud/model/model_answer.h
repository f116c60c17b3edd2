// Reads what gleaner-model answered, as hostile input.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/model/worker_protocol.h"

namespace gleaner::cloud::model {

// What a model says of one picture.
struct Said {
  std::string refused;                // why the picture couldn't be read; then nothing else is here
  std::vector<Detection> detections;  // inside the picture, the surest first
  std::vector<float> embedding;       // finite; empty where none was asked for
};

struct Wanted {
  size_t pictures = 0;
  uint32_t labels = 0;  // 0: no detections
  bool embedding = false;
};

// One for each picture. INVALID_ARGUMENT if the answer breaks any rule of worker_protocol.h or
// isn't what was asked for; FAILED_PRECONDITION with a sentence if the worker says that the model
// can't be used; UNAVAILABLE if it says that it could not begin.
absl::StatusOr<std::vector<Said>> ParseAnswer(std::string_view bytes, const Wanted& wanted);

// The longest that an answer can be.
size_t MaxAnswerBytes(const Wanted& wanted);

}  // namespace gleaner::cloud::model
