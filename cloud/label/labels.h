// Labels: what people said of frames. They only ever come; of a frame and schema the newest one
// counts, whatever the version of the schema.
//
// Whoever needs all that is known of all frames walks them here:
//
//   Labels labels(database);
//   RETURN_IF_ERROR(labels.Walk("carts", [&](const LabelledFrame& frame) { … }));
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/frames/frames.h"
#include "cloud/rpc/principal.h"
#include "gleaner/v1/label.pb.h"

namespace gleaner::cloud {

// From 0 to 1 of the upright picture, from its top left corner.
struct LabelledBox {
  double x = 0, y = 0, width = 0, height = 0;
  uint32_t class_id = 0;
  std::vector<std::pair<std::string, std::string>> attributes;
};

// A frame with the label of it that counts.
struct LabelledFrame {
  FrameName id;
  uint32_t width = 0, height = 0;  // of the upright picture, in pixels
  std::vector<LabelledBox> boxes;
  std::vector<uint32_t> classes;  // of the whole frame
  std::string text;
  std::vector<std::pair<std::string, std::string>> attributes;  // of the whole frame

  uint64_t label = 0;  // its number: the same one reads the same for good
  uint32_t schema_version = 0;
  v1::Label::Verdict verdict = v1::Label::VERDICT_UNSPECIFIED;
  v1::Role reviewer_role = v1::ROLE_UNSPECIFIED;
  int64_t labelled_unix_ns = 0;
  // Of the prediction that the label started from; empty where it started from none.
  std::string model, model_version;

  std::string device, site, rule;  // of the clip, which is id.clip
  int64_t taken_unix_ns = 0;
};

// A label that is to be written.
struct NewLabel {
  uint64_t frame = 0;  // of label_frame
  std::string_view schema;
  uint32_t version = 0;
  const v1::Annotation& annotation;
  v1::Label::Verdict verdict = v1::Label::VERDICT_UNSPECIFIED;
  const Principal& reviewer;
  uint64_t task = 0, prediction = 0;
  uint32_t human_ms = 0;
  int64_t made_ns = 0;
  bool counts = true;  // not one that is known to be wrong
};

inline constexpr uint32_t kMaxHumanMs = 3'600'000;

// Within a transaction; what it says was checked. May throw SqlError.
v1::Label WriteLabel(Sql& sql, const NewLabel& label);
// What a task of that frame and schema came to. May throw SqlError.
std::optional<v1::Label> LabelOfTask(Sql& sql, uint64_t task, uint64_t frame,
                                     std::string_view schema);

// Thread-safe; blocks. Errors as Database.
class Labels {
 public:
  static constexpr size_t kMaxPage = 500;

  // `database` must outlive it.
  explicit Labels(Database& database) : database_(database) {}

  // Those of a schema in the order of their ids (clip, camera, PTS, compared byte by byte), at most
  // kMaxPage of them, from the first one after `after` (null: from the beginning).
  absl::StatusOr<std::vector<LabelledFrame>> Page(std::string_view schema, const FrameName* after,
                                                  size_t size = kMaxPage);
  // All of them in that order, a page in memory at a time, until `each` returns an error, which it
  // returns. A label that comes meanwhile may or may not be seen.
  absl::Status Walk(std::string_view schema,
                    const std::function<absl::Status(const LabelledFrame&)>& each);

  // A label of a frame that is nobody's task. `with`: in the same transaction, before.
  absl::StatusOr<v1::Label> Create(const v1::SaveLabelRequest& request, const Principal& who,
                                   int64_t now_ns, const Database::Operation& with = {});
  absl::StatusOr<v1::ListLabelsResponse> List(const v1::ListLabelsRequest& request);

 private:
  Database& database_;
};

}  // namespace gleaner::cloud
