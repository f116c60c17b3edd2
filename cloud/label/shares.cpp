#include "cloud/label/shares.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

#include "cloud/label/annotation.h"
#include "common/digest.h"

namespace gleaner::cloud {
namespace {

constexpr double kMadeUpConfidence = 0.7;

bool Moves(const v1::LabelSchema& schema, double chance) {
  return schema.classes_size() < 2 || chance >= 0.5;
}

// A class that isn't `id`; there are two at least.
uint32_t Another(const v1::LabelSchema& schema, uint32_t id, double chance) {
  const int count = schema.classes_size();
  int at = static_cast<int>(chance * count);
  if (schema.classes(at).id() == id) at = (at + 1) % count;
  return schema.classes(at).id();
}

void AddBox(const v1::LabelSchema& schema, v1::Annotation& annotation, double chance) {
  v1::LabelBox* box = annotation.add_boxes();
  box->set_x(0.1 + 0.5 * chance);
  box->set_y(0.4);
  box->set_width(0.15);
  box->set_height(0.2);
  box->set_class_id(schema.classes(static_cast<int>(chance * schema.classes_size())).id());
  box->set_confidence(kMadeUpConfidence);
}

void SpoilBoxes(const v1::LabelSchema& schema, v1::Annotation& annotation, double chance) {
  if (annotation.boxes_size() == 0) return AddBox(schema, annotation, chance);
  auto* boxes = annotation.mutable_boxes();
  const auto best = std::max_element(
      boxes->begin(), boxes->end(),
      [](const auto& a, const auto& b) { return a.confidence() < b.confidence(); });
  if (!Moves(schema, chance)) {
    best->set_class_id(Another(schema, best->class_id(), 2 * chance));
  } else if (best->x() + 2 * best->width() <= 1) {
    best->set_x(best->x() + best->width());
  } else if (best->x() >= best->width()) {
    best->set_x(best->x() - best->width());
  } else {
    boxes->erase(best);  // too wide to stand beside its thing
  }
}

void SpoilClasses(const v1::LabelSchema& schema, v1::Annotation& annotation, double chance) {
  auto* classes = annotation.mutable_classes();
  if (classes->empty()) {
    v1::FrameClass* made = classes->Add();
    made->set_class_id(schema.classes(static_cast<int>(chance * schema.classes_size())).id());
    made->set_confidence(kMadeUpConfidence);
    return;
  }
  const auto best = std::max_element(
      classes->begin(), classes->end(),
      [](const auto& a, const auto& b) { return a.confidence() < b.confidence(); });
  const auto taken = [&](uint32_t id) {
    return std::any_of(classes->begin(), classes->end(),
                       [&](const auto& one) { return one.class_id() == id; });
  };
  const int count = schema.classes_size();
  const int from = static_cast<int>(chance * count);
  for (int i = 0; i < count; ++i) {
    const uint32_t id = schema.classes((from + i) % count).id();
    if (taken(id)) continue;
    best->set_class_id(id);
    return;
  }
  classes->erase(best);
}

void SpoilText(v1::Annotation& annotation, double chance) {
  std::string& text = *annotation.mutable_text();
  const size_t from = static_cast<size_t>(chance * static_cast<double>(text.size()));
  for (size_t i = 0; i < text.size(); ++i) {
    char& c = text[(from + i) % text.size()];
    if (c >= '0' && c <= '9') {
      c = c == '9' ? '0' : static_cast<char>(c + 1);
      return;
    }
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      c = c == 'z' ? 'a' : c == 'Z' ? 'A' : static_cast<char>(c + 1);
      return;
    }
  }
  // A text that can take no more loses its end, which may be part of a character: then all of it.
  if (text.empty()) {
    text.assign(1, '0');
  } else {
    text.clear();
  }
}

// Boxes of `of` that `other` has none of the same class for.
v1::Annotation BoxesBeyond(const v1::Annotation& of, const v1::Annotation& other) {
  std::set<int> in_both;
  for (const auto& [i, j] : MatchBoxes(of, other, true)) in_both.insert(i);
  v1::Annotation beyond;
  for (int i = 0; i < of.boxes_size(); ++i) {
    if (!in_both.contains(i)) *beyond.add_boxes() = of.boxes(i);
  }
  return beyond;
}

std::set<uint32_t> ClassesBeyond(const v1::Annotation& of, const v1::Annotation& other) {
  std::set<uint32_t> ids;
  for (const v1::FrameClass& one : of.classes()) ids.insert(one.class_id());
  for (const v1::FrameClass& one : other.classes()) ids.erase(one.class_id());
  return ids;
}

}  // namespace

double Chance(uint64_t seed, std::string_view of, const v1::FrameId& frame) {
  const uint64_t hash =
      Xxh3(fmt::format("{} {} {} {} {}", seed, of, frame.clip(), frame.camera(), frame.pts()));
  return static_cast<double>(hash >> 11) * 0x1p-53;
}

Chosen Choose(const Shares& shares, uint64_t seed, const v1::FrameId& frame, bool predicted) {
  Chosen chosen{.kind = v1::Task::KIND_BARE, .pair = Chance(seed, "pair", frame) < shares.pair};
  if (!predicted) return chosen;
  const double arm = Chance(seed, "arm", frame);
  chosen.kind = arm < shares.control                        ? v1::Task::KIND_CONTROL
                : arm < shares.control + shares.known_wrong ? v1::Task::KIND_KNOWN_WRONG
                                                            : v1::Task::KIND_SHOWN;
  return chosen;
}

v1::Annotation MadeWrong(const v1::LabelSchema& schema, v1::Annotation annotation, double chance) {
  switch (schema.kind()) {
    case v1::LabelSchema::KIND_BOXES:
      SpoilBoxes(schema, annotation, chance);
      break;
    case v1::LabelSchema::KIND_CLASSES:
      SpoilClasses(schema, annotation, chance);
      break;
    default:
      SpoilText(annotation, chance);
  }
  return annotation;
}

bool KeepsMistake(v1::LabelSchema::Kind kind, const v1::Annotation& predicted,
                  const v1::Annotation& shown, const v1::Annotation& said) {
  if (kind == v1::LabelSchema::KIND_TRANSCRIPTION) return said.text() == shown.text();
  if (kind == v1::LabelSchema::KIND_CLASSES) {
    const std::set<uint32_t> of_said = ClassesBeyond(said, {});
    const std::set<uint32_t> added = ClassesBeyond(shown, predicted);
    const std::set<uint32_t> gone = ClassesBeyond(predicted, shown);
    const auto has = [&](uint32_t id) { return of_said.contains(id); };
    return std::all_of(added.begin(), added.end(), has) &&
           std::none_of(gone.begin(), gone.end(), has);
  }
  const v1::Annotation added = BoxesBeyond(shown, predicted), gone = BoxesBeyond(predicted, shown);
  return BoxesBeyond(added, said).boxes().empty() &&
         BoxesBeyond(gone, said).boxes_size() == gone.boxes_size();
}

}  // namespace gleaner::cloud
