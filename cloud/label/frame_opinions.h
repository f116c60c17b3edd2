// What models and people say of many frames at once, for other rooms, within their own
// transactions.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/database/sql.h"
#include "cloud/frames/frames.h"
#include "gleaner/v1/label.pb.h"

namespace gleaner::cloud {

struct FramePrediction {
  FrameName frame;
  std::string model, model_version;
  v1::Annotation annotation;
};
// Of each frame of these clips the newest prediction of a schema: `model`'s, or anybody's where it
// is empty. In no order; at most a thousand clips, so here and below. May throw SqlError.
void ReadPredictionsOf(Sql& sql, const std::vector<std::string>& clips, std::string_view schema,
                       std::string_view model,
                       const std::function<void(const FramePrediction&)>& each);

struct FrameLabel {
  FrameName frame;
  v1::Label::Verdict verdict = v1::Label::VERDICT_UNSPECIFIED;
  int64_t made_ns = 0;
  uint64_t human_ms = 0;  // that label alone
  bool counts = false;    // it is the newest
  // Of the prediction that it started from; empty where it started from none.
  std::string model;
  v1::Annotation annotation;
};
// All labels of these clips' frames, also those that no longer count. May throw SqlError.
void ReadLabelsOf(Sql& sql, const std::vector<std::string>& clips, std::string_view schema,
                  const std::function<void(const FrameLabel&)>& each);

}  // namespace gleaner::cloud
