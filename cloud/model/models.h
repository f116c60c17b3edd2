// The models of this server, for people: which there are, and having one look at older clips.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "cloud/clips/clips.h"
#include "cloud/database/database.h"
#include "cloud/model/model_config.h"
#include "cloud/model/model_metrics.h"
#include "cloud/search/filter.h"
#include "common/clock.h"
#include "gleaner/v1/model.pb.h"

namespace gleaner::cloud {

// Thread-safe; blocks. Errors as Database.
class Models {
 public:
  // All must outlive it.
  Models(const ModelsConfig& config, Database& database, ModelMetrics& metrics, Clock& clock)
      : config_(config), database_(database), clips_(database), metrics_(metrics), clock_(clock) {}

  v1::ListModelsResponse List() const;
  // See model.proto. `with`: in the same transaction, before.
  absl::StatusOr<v1::RunModelResponse> Run(const v1::RunModelRequest& request, const Filter& filter,
                                           const Database::Operation& with);

 private:
  const ModelsConfig& config_;
  Database& database_;
  Clips clips_;
  ModelMetrics& metrics_;
  Clock& clock_;
};

}  // namespace gleaner::cloud
