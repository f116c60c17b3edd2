// What may be said of a frame in the terms of a schema, and how alike two such things are.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gleaner/v1/annotation.pb.h"

namespace gleaner::cloud {

inline constexpr int kMaxBoxes = 500;
// Of all that is said of a frame, serialized.
inline constexpr size_t kMaxAnnotationBytes = 64 << 10;
// A side of a box is larger than what frozen lists can tell.
inline constexpr double kLeastSide = 1e-6;
inline constexpr int kMaxClasses = 1'000;
inline constexpr uint32_t kMaxClassId = 1'000'000;
inline constexpr int kMaxAttributes = 50;
inline constexpr int kMaxAttributeValues = 100;
inline constexpr size_t kMaxTextBytes = 2'000;
inline constexpr size_t kMaxAttributeBytes = 200;
// Boxes that overlap by so much are of the same thing.
inline constexpr double kSameThing = 0.5;

enum class SaidBy { kModel, kPerson };

// INVALID_ARGUMENT names what doesn't fit, from `where` on ("annotation.boxes[3].class_id: …").
// What a person says has no confidence.
absl::Status CheckAnnotation(const v1::LabelSchema& schema, const v1::Annotation& annotation,
                             SaidBy by, std::string_view where);

// What both cover, as a share of what either does.
double Overlap(const v1::LabelBox& a, const v1::LabelBox& b);

// Which boxes of the two are of the same thing, by position: those that overlap by kSameThing or
// more, the best overlap first, each box once. `same_class`: only those of one class.
std::vector<std::pair<int, int>> MatchBoxes(const v1::Annotation& a, const v1::Annotation& b,
                                            bool same_class);

// Null for an id that the schema doesn't have.
const v1::LabelClass* FindClass(const v1::LabelSchema& schema, uint32_t id);

// How alike two are, from 0 to 1. Boxes of the same thing and class, or classes, as F1; texts are
// the same or not. Two that say nothing are the same.
double Agreement(v1::LabelSchema::Kind kind, const v1::Annotation& a, const v1::Annotation& b);

// Whether they say the same, whatever their confidences.
bool SaySame(const v1::Annotation& a, const v1::Annotation& b);

// Without confidences: what a person makes his own.
v1::Annotation WithoutConfidence(v1::Annotation annotation);

}  // namespace gleaner::cloud
