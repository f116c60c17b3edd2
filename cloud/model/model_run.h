// One run of gleaner-model: what a model says of some pictures.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/model/model_answer.h"
#include "cloud/model/model_config.h"

namespace gleaner::cloud {

// Of each picture (JPEG; at most model::kMaxPictures of model::kMaxPicturesBytes in all).
// FAILED_PRECONDITION with a sentence where the model can't be used or its worker crashed, took too
// long, was stopped by its sandbox or talked nonsense; UNAVAILABLE (the program can't be started,
// or the model's file opened), ABORTED (somebody else killed it), CANCELLED (`stop`).
absl::StatusOr<std::vector<model::Said>> RunModel(const ModelsConfig& config,
                                                  const ModelConfig& model,
                                                  const std::vector<std::string>& pictures,
                                                  const std::stop_token& stop);

}  // namespace gleaner::cloud
