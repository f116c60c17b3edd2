// Predictions: what models say of frames, brought as JSON lines by whatever ran the model. They
// only ever come: another answer of the same model is another version of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/rpc/principal.h"
#include "gleaner/v1/label.pb.h"

namespace gleaner::cloud {

inline constexpr int kMaxPredictionLines = 1'000;
inline constexpr size_t kMaxModelBytes = 100;

// INVALID_ARGUMENT, naming `field`, for what can't be the name of a model or of its version.
absl::Status CheckModelName(std::string_view text, std::string_view field);

// The newest prediction of a frame, by any model where `model` is empty. May throw SqlError.
std::optional<v1::Prediction> NewestPrediction(Sql& sql, uint64_t frame, std::string_view schema,
                                               std::string_view model);

// Thread-safe; blocks. Errors as Database.
class Predictions {
 public:
  // `database` must outlive it.
  explicit Predictions(Database& database) : database_(database) {}

  // All or none; errors name the line. `with`: in the same transaction, before.
  absl::StatusOr<v1::ImportPredictionsResponse> Import(const v1::ImportPredictionsRequest& request,
                                                       const Principal& who, int64_t now_ns,
                                                       const Database::Operation& with = {});
  absl::StatusOr<v1::ListPredictionsResponse> List(const v1::ListPredictionsRequest& request);

 private:
  Database& database_;
};

}  // namespace gleaner::cloud
