#include "cloud/curate/guesses.h"

#include <algorithm>
#include <map>
#include <vector>

#include "cloud/label/annotation.h"

namespace gleaner::cloud {
namespace {

constexpr std::string_view kNothing = "nothing";

std::string ClassName(const v1::LabelSchema& schema, uint32_t id) {
  const v1::LabelClass* found = FindClass(schema, id);
  return found == nullptr ? "class " + std::to_string(id) : found->name();
}

Guess Of(Words& words, std::string_view first, double first_confidence, std::string_view second,
         double second_confidence) {
  Guess guess;
  guess.first = words.Add(first);
  guess.first_confidence = static_cast<float>(first_confidence);
  guess.second = words.Add(second);
  guess.second_confidence = static_cast<float>(second_confidence);
  return guess;
}

Guess OfBoxes(const v1::LabelSchema& schema, const v1::Annotation& annotation, Words& words) {
  std::vector<const v1::LabelBox*> boxes;
  for (const v1::LabelBox& box : annotation.boxes()) {
    if (box.confidence() >= kLeastConfidence) boxes.push_back(&box);
  }
  std::stable_sort(boxes.begin(), boxes.end(),
                   [](const auto* a, const auto* b) { return a->confidence() > b->confidence(); });
  if (boxes.empty()) return Of(words, kNothing, 1, "", 0);
  Guess worst;
  std::vector<bool> answered(boxes.size(), false);
  for (size_t i = 0; i < boxes.size(); ++i) {
    if (answered[i]) continue;
    const double confidence = boxes[i]->confidence();
    std::string_view second = kNothing;
    double second_confidence = 1 - confidence;
    std::string other;
    for (size_t k = i + 1; k < boxes.size(); ++k) {
      if (answered[k] || Overlap(*boxes[i], *boxes[k]) < kSameThing) continue;
      answered[k] = true;
      if (boxes[k]->class_id() == boxes[i]->class_id() ||
          boxes[k]->confidence() <= second_confidence) {
        continue;
      }
      other = ClassName(schema, boxes[k]->class_id());
      second = other;
      second_confidence = boxes[k]->confidence();
    }
    const std::string own = ClassName(schema, boxes[i]->class_id());
    // The likelier of the two is named first.
    const Guess guess = second_confidence > confidence
                            ? Of(words, second, second_confidence, own, confidence)
                            : Of(words, own, confidence, second, second_confidence);
    if (!worst.known() || guess.margin() < worst.margin()) worst = guess;
  }
  return worst;
}

Guess OfClasses(const v1::LabelSchema& schema, const v1::Annotation& annotation, Words& words) {
  std::vector<const v1::FrameClass*> classes;
  for (const v1::FrameClass& one : annotation.classes()) classes.push_back(&one);
  std::stable_sort(classes.begin(), classes.end(),
                   [](const auto* a, const auto* b) { return a->confidence() > b->confidence(); });
  if (classes.empty()) return Of(words, kNothing, 1, "", 0);
  const double first = classes[0]->confidence();
  const double rest = std::max(0.0, 1 - first);
  const bool two = classes.size() > 1;
  return Of(words, ClassName(schema, classes[0]->class_id()), first,
            two ? ClassName(schema, classes[1]->class_id()) : "",
            two ? classes[1]->confidence() : std::min(rest, first));
}

}  // namespace

Guess GuessOf(const v1::LabelSchema& schema, const v1::Annotation& annotation, Words& words) {
  switch (schema.kind()) {
    case v1::LabelSchema::KIND_BOXES:
      return OfBoxes(schema, annotation, words);
    case v1::LabelSchema::KIND_CLASSES:
      return OfClasses(schema, annotation, words);
    default: {
      const double confidence = annotation.text_confidence();
      return Of(words, "what it reads", confidence, "", std::min(confidence, 1 - confidence));
    }
  }
}

std::string ClassOf(const v1::LabelSchema& schema, const v1::Annotation& annotation) {
  if (schema.kind() == v1::LabelSchema::KIND_TRANSCRIPTION) return "";
  std::map<uint32_t, size_t> counts;
  for (const v1::LabelBox& box : annotation.boxes()) ++counts[box.class_id()];
  for (const v1::FrameClass& one : annotation.classes()) ++counts[one.class_id()];
  const auto most =
      std::max_element(counts.begin(), counts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() ? std::string(kNothing) : ClassName(schema, most->first);
}

}  // namespace gleaner::cloud
