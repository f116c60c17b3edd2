#include "cloud/label/annotation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/status.h"

namespace gleaner::cloud {
namespace {

// What rounding of numbers with a few digits may add up to.
constexpr double kRounding = 1e-6;

absl::Status Wrong(std::string_view where, std::string_view what, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("{}.{}: {}", where, what, why));
}

bool IsShare(double value) { return std::isfinite(value) && value >= 0 && value <= 1; }

absl::Status CheckConfidence(double confidence, SaidBy by, std::string_view where,
                             std::string_view what) {
  if (!IsShare(confidence)) return Wrong(where, what, "from 0 to 1");
  if (by == SaidBy::kPerson && confidence != 0) {
    return Wrong(where, what, "a person's label has none");
  }
  return absl::OkStatus();
}

template <typename Values>
absl::Status CheckAttributes(const v1::LabelSchema& schema, const Values& values,
                             std::string_view where) {
  if (values.size() > kMaxAttributes) {
    return Wrong(where, "attributes", fmt::format("at most {}", kMaxAttributes));
  }
  std::set<std::string_view> seen;
  for (int i = 0; i < values.size(); ++i) {
    const v1::AttributeValue& one = values.Get(i);
    const auto what = [&](std::string_view field) {
      return fmt::format("attributes[{}].{}", i, field);
    };
    const auto known = std::find_if(schema.attributes().begin(), schema.attributes().end(),
                                    [&](const auto& each) { return each.name() == one.name(); });
    if (known == schema.attributes().end()) {
      return Wrong(where, what("name"),
                   fmt::format("schema {} has no such attribute", schema.name()));
    }
    if (!seen.insert(one.name()).second) return Wrong(where, what("name"), "is there twice");
    const auto& may = known->values();
    if (may.empty() ? one.value().size() > kMaxAttributeBytes
                    : std::find(may.begin(), may.end(), one.value()) == may.end()) {
      return Wrong(where, what("value"),
                   may.empty() ? fmt::format("at most {} bytes", kMaxAttributeBytes)
                               : fmt::format("not one that {} may be", known->name()));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckBox(const v1::LabelSchema& schema, const v1::LabelBox& box, SaidBy by,
                      std::string_view where) {
  for (const auto& [name, value] : {std::pair{"x", box.x()}, {"y", box.y()}}) {
    if (!IsShare(value)) return Wrong(where, name, "from 0 to 1 of the picture");
  }
  for (const auto& [name, value, from] :
       {std::tuple{"width", box.width(), box.x()}, {"height", box.height(), box.y()}}) {
    if (!IsShare(value) || value < kLeastSide) {
      return Wrong(where, name, "a millionth of the picture at least, at most 1");
    }
    if (from + value > 1 + kRounding) return Wrong(where, name, "the box leaves the picture");
  }
  if (FindClass(schema, box.class_id()) == nullptr) {
    return Wrong(where, "class_id",
                 fmt::format("schema {} version {} has no class {}", schema.name(),
                             schema.version(), box.class_id()));
  }
  RETURN_IF_ERROR(CheckConfidence(box.confidence(), by, where, "confidence"));
  return CheckAttributes(schema, box.attributes(), where);
}

absl::Status CheckFrameClasses(const v1::LabelSchema& schema, const v1::Annotation& annotation,
                               SaidBy by, std::string_view where) {
  std::set<uint32_t> seen;
  if (annotation.classes_size() > kMaxClasses) {
    return Wrong(where, "classes", fmt::format("at most {}", kMaxClasses));
  }
  for (int i = 0; i < annotation.classes_size(); ++i) {
    const v1::FrameClass& one = annotation.classes(i);
    const std::string at = fmt::format("{}.classes[{}]", where, i);
    if (FindClass(schema, one.class_id()) == nullptr) {
      return Wrong(at, "class_id",
                   fmt::format("schema {} version {} has no class {}", schema.name(),
                               schema.version(), one.class_id()));
    }
    if (!seen.insert(one.class_id()).second) return Wrong(at, "class_id", "is there twice");
    RETURN_IF_ERROR(CheckConfidence(one.confidence(), by, at, "confidence"));
  }
  return absl::OkStatus();
}

double F1(int matched, int a, int b) { return a + b == 0 ? 1 : 2.0 * matched / (a + b); }

}  // namespace

absl::Status CheckAnnotation(const v1::LabelSchema& schema, const v1::Annotation& annotation,
                             SaidBy by, std::string_view where) {
  const bool boxes = schema.kind() == v1::LabelSchema::KIND_BOXES;
  const auto foreign = [&](std::string_view field) {
    return Wrong(where, field, fmt::format("schema {} isn't of that kind", schema.name()));
  };
  if (annotation.ByteSizeLong() > kMaxAnnotationBytes) {
    return absl::InvalidArgumentError(fmt::format("{}: of {} bytes, at most {} fit", where,
                                                  annotation.ByteSizeLong(), kMaxAnnotationBytes));
  }
  if (annotation.boxes_size() > kMaxBoxes) {
    return Wrong(where, "boxes", fmt::format("at most {}", kMaxBoxes));
  }
  if (!boxes && annotation.boxes_size() > 0) return foreign("boxes");
  if (schema.kind() != v1::LabelSchema::KIND_CLASSES && annotation.classes_size() > 0) {
    return foreign("classes");
  }
  if (schema.kind() != v1::LabelSchema::KIND_TRANSCRIPTION &&
      (!annotation.text().empty() || annotation.text_confidence() != 0)) {
    return foreign("text");
  }
  if (boxes && annotation.attributes_size() > 0) {
    return Wrong(where, "attributes", "of boxes they stand in the boxes");
  }
  for (int i = 0; i < annotation.boxes_size(); ++i) {
    RETURN_IF_ERROR(
        CheckBox(schema, annotation.boxes(i), by, fmt::format("{}.boxes[{}]", where, i)));
  }
  RETURN_IF_ERROR(CheckFrameClasses(schema, annotation, by, where));
  if (annotation.text().size() > kMaxTextBytes) {
    return Wrong(where, "text", fmt::format("at most {} bytes", kMaxTextBytes));
  }
  RETURN_IF_ERROR(CheckConfidence(annotation.text_confidence(), by, where, "text_confidence"));
  return CheckAttributes(schema, annotation.attributes(), where);
}

double Overlap(const v1::LabelBox& a, const v1::LabelBox& b) {
  const double width = std::min(a.x() + a.width(), b.x() + b.width()) - std::max(a.x(), b.x());
  const double height = std::min(a.y() + a.height(), b.y() + b.height()) - std::max(a.y(), b.y());
  if (width <= 0 || height <= 0) return 0;
  const double both = width * height;
  return both / (a.width() * a.height() + b.width() * b.height() - both);
}

std::vector<std::pair<int, int>> MatchBoxes(const v1::Annotation& a, const v1::Annotation& b,
                                            bool same_class) {
  std::vector<std::tuple<double, int, int>> pairs;
  for (int i = 0; i < a.boxes_size(); ++i) {
    for (int j = 0; j < b.boxes_size(); ++j) {
      if (same_class && a.boxes(i).class_id() != b.boxes(j).class_id()) continue;
      const double overlap = Overlap(a.boxes(i), b.boxes(j));
      if (overlap >= kSameThing) pairs.emplace_back(-overlap, i, j);
    }
  }
  std::sort(pairs.begin(), pairs.end());
  std::set<int> of_a, of_b;
  std::vector<std::pair<int, int>> matched;
  for (const auto& [overlap, i, j] : pairs) {
    if (of_a.contains(i) || of_b.contains(j)) continue;
    of_a.insert(i);
    of_b.insert(j);
    matched.emplace_back(i, j);
  }
  return matched;
}

const v1::LabelClass* FindClass(const v1::LabelSchema& schema, uint32_t id) {
  for (const v1::LabelClass& one : schema.classes()) {
    if (one.id() == id) return &one;
  }
  return nullptr;
}

double Agreement(v1::LabelSchema::Kind kind, const v1::Annotation& a, const v1::Annotation& b) {
  if (kind == v1::LabelSchema::KIND_TRANSCRIPTION) return a.text() == b.text() ? 1 : 0;
  if (kind == v1::LabelSchema::KIND_BOXES) {
    return F1(static_cast<int>(MatchBoxes(a, b, true).size()), a.boxes_size(), b.boxes_size());
  }
  int matched = 0;
  for (const v1::FrameClass& one : a.classes()) {
    matched += std::any_of(b.classes().begin(), b.classes().end(),
                           [&](const auto& other) { return other.class_id() == one.class_id(); });
  }
  return F1(matched, a.classes_size(), b.classes_size());
}

bool SaySame(const v1::Annotation& a, const v1::Annotation& b) {
  return WithoutConfidence(a).SerializeAsString() == WithoutConfidence(b).SerializeAsString();
}

v1::Annotation WithoutConfidence(v1::Annotation annotation) {
  for (v1::LabelBox& box : *annotation.mutable_boxes()) box.clear_confidence();
  for (v1::FrameClass& one : *annotation.mutable_classes()) one.clear_confidence();
  annotation.clear_text_confidence();
  return annotation;
}

}  // namespace gleaner::cloud
