#include "cloud/model/worker/detections.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace gleaner::cloud::model {
namespace {

constexpr size_t kMaxCandidates = 400;  // of a class
constexpr float kSameThing = 0.5f;

float Area(const Detection& box) { return (box.right - box.left) * (box.bottom - box.top); }

float Overlap(const Detection& a, const Detection& b) {
  const float wide = std::min(a.right, b.right) - std::max(a.left, b.left);
  const float high = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (wide <= 0 || high <= 0) return 0;
  const float both = wide * high;
  return both / (Area(a) + Area(b) - both);
}

bool Surer(const Detection& a, const Detection& b) { return a.score > b.score; }

}  // namespace

absl::StatusOr<std::vector<Detection>> FindBoxes(const Answer& scores, const Answer& boxes,
                                                 uint32_t labels, float threshold) {
  const size_t anchors = boxes.values.size() / 4;
  if (anchors == 0 || boxes.shape.back() != 4 || scores.shape.back() != static_cast<int>(labels) ||
      scores.values.size() != anchors * labels) {
    return absl::FailedPreconditionError(
        fmt::format("the model answers with scores of {} and boxes of {}; for {} labels they must "
                    "be 1xNx{} and 1xNx4",
                    fmt::join(scores.shape, "x"), fmt::join(boxes.shape, "x"), labels, labels));
  }
  std::vector<Detection> found;
  for (uint32_t label = 0; label < labels; ++label) {
    std::vector<Detection> of_class;
    for (size_t n = 0; n < anchors; ++n) {
      const float score = scores.values[n * labels + label];
      if (score < threshold) continue;
      const float* box = &boxes.values[4 * n];
      const auto inside = [](float value) { return std::clamp(value, 0.0f, 1.0f); };
      const Detection one{.label = label,
                          .score = std::min(score, 1.0f),
                          .left = inside(box[0]),
                          .top = inside(box[1]),
                          .right = inside(box[2]),
                          .bottom = inside(box[3])};
      if (one.right > one.left && one.bottom > one.top) of_class.push_back(one);
    }
    std::stable_sort(of_class.begin(), of_class.end(), Surer);
    if (of_class.size() > kMaxCandidates) of_class.resize(kMaxCandidates);
    std::vector<Detection> kept;
    for (const Detection& one : of_class) {
      const bool seen = std::any_of(kept.begin(), kept.end(), [&](const Detection& other) {
        return Overlap(one, other) >= kSameThing;
      });
      if (!seen) kept.push_back(one);
    }
    found.insert(found.end(), kept.begin(), kept.end());
  }
  std::stable_sort(found.begin(), found.end(), Surer);
  if (found.size() > kMaxDetections) found.resize(kMaxDetections);
  return found;
}

}  // namespace gleaner::cloud::model
