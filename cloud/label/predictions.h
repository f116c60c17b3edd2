// Predictions: what models say of frames, brought as JSON lines by whatever ran the model. They
// only ever come: another answer of the same model is another version of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/rpc/principal.h"
#include "gleaner/v1/label.pb.h"

namespace gleaner::cloud {

inline constexpr int kMaxPredictionLines = 1'000;
inline constexpr size_t kMaxModelBytes = 100;

// INVALID_ARGUMENT, naming `field`, for what can't be the name of a model or of its version.
absl::Status CheckModelName(std::string_view text, std::string_view field);

// What a model says of one frame.
struct ModelSaid {
  v1::FrameId frame;
  v1::Annotation annotation;
};

// Writes what a model that the server ran says, within a transaction; may throw SqlError. What that
// version of it said of a frame before stays as it is. How many came. INVALID_ARGUMENT for what
// doesn't fit the schema, NOT_FOUND for a frame that isn't there: then nothing was written.
absl::StatusOr<uint32_t> WritePredictions(Sql& sql, const v1::LabelSchema& schema,
                                          std::string_view model, std::string_view model_version,
                                          const std::vector<ModelSaid>& said, std::string_view by,
                                          int64_t now_ns);

// Whether that version of a model has said something of a frame, in terms of any version of the
// schema. May throw SqlError.
bool HasPrediction(Sql& sql, const v1::FrameId& frame, std::string_view schema,
                   std::string_view model, std::string_view model_version);

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
