#include "cloud/label/shares.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "cloud/label/annotation.h"

namespace gleaner::cloud {
namespace {

using v1::Task;

v1::FrameId FrameAt(int64_t pts) {
  v1::FrameId frame;
  frame.set_clip("0123456789abcdef0123");
  frame.set_camera("front");
  frame.set_pts(pts);
  return frame;
}

TEST(SharesTest, SharesAreWhatWasAskedForAndTheSameForASeed) {
  const Shares shares{.control = 0.2, .known_wrong = 0.1, .pair = 0.3};
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    std::map<Task::Kind, int> kinds;
    int pairs = 0, pairs_of_control = 0;
    constexpr int kFrames = 5'000;
    for (int i = 0; i < kFrames; ++i) {
      const Chosen chosen = Choose(shares, seed, FrameAt(i), true);
      const Chosen again = Choose(shares, seed, FrameAt(i), true);
      EXPECT_EQ(chosen.kind, again.kind);
      EXPECT_EQ(chosen.pair, again.pair);
      ++kinds[chosen.kind];
      pairs += chosen.pair;
      pairs_of_control += chosen.pair && chosen.kind == Task::KIND_CONTROL;
      EXPECT_EQ(Choose(shares, seed, FrameAt(i), false).kind, Task::KIND_BARE);
    }
    // Four standard deviations.
    EXPECT_NEAR(kinds[Task::KIND_CONTROL], 1'000, 113);
    EXPECT_NEAR(kinds[Task::KIND_KNOWN_WRONG], 500, 85);
    EXPECT_NEAR(pairs, 1'500, 130);
    EXPECT_NEAR(pairs_of_control, 300, 68) << "the one doesn't depend on the other";
  }
}

TEST(SharesTest, WhatIsMadeWrongIsAnotherThingThatTheSchemaAllows) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> share(0, 1);
  for (const auto kind : {v1::LabelSchema::KIND_BOXES, v1::LabelSchema::KIND_CLASSES,
                          v1::LabelSchema::KIND_TRANSCRIPTION}) {
    for (int i = 0; i < 2'000; ++i) {
      v1::LabelSchema schema;
      schema.set_name("carts");
      schema.set_kind(kind);
      const int classes = kind == v1::LabelSchema::KIND_TRANSCRIPTION ? 0 : 1 + i % 4;
      for (int c = 0; c < classes; ++c) schema.add_classes()->set_id(static_cast<uint32_t>(c) + 1);
      v1::Annotation annotation;
      for (int b = 0; kind == v1::LabelSchema::KIND_BOXES && b < i % 3; ++b) {
        v1::LabelBox* box = annotation.add_boxes();
        box->set_width(0.01 + 0.98 * share(random));
        box->set_height(0.01 + 0.98 * share(random));
        box->set_x(share(random) * (1 - box->width()));
        box->set_y(share(random) * (1 - box->height()));
        box->set_class_id(1 + random() % static_cast<uint32_t>(classes));
        box->set_confidence(share(random));
      }
      for (int c = 0; kind == v1::LabelSchema::KIND_CLASSES && c < std::min(classes, i % 3); ++c) {
        annotation.add_classes()->set_class_id(static_cast<uint32_t>(c) + 1);
      }
      if (kind == v1::LabelSchema::KIND_TRANSCRIPTION) {
        annotation.set_text(std::vector<std::string>{"", "4006381333931", "Äpfel", "ÄÖ"}[i % 4]);
      }
      const v1::Annotation wrong = MadeWrong(schema, annotation, share(random));
      EXPECT_FALSE(SaySame(wrong, annotation)) << annotation.ShortDebugString();
      EXPECT_LT(Agreement(kind, wrong, annotation), 1) << annotation.ShortDebugString();
      const auto allowed = CheckAnnotation(schema, wrong, SaidBy::kModel, "annotation");
      EXPECT_TRUE(allowed.ok()) << allowed << wrong.ShortDebugString();
    }
  }
}

v1::Annotation Boxes(const std::vector<std::pair<double, uint32_t>>& boxes) {
  v1::Annotation annotation;
  for (const auto& [x, class_id] : boxes) {
    v1::LabelBox* box = annotation.add_boxes();
    box->set_x(x);
    box->set_y(0.25);
    box->set_width(0.125);
    box->set_height(0.5);
    box->set_class_id(class_id);
  }
  return annotation;
}

TEST(SharesTest, AMistakeIsKeptWhereAllOfItIsStillThereWhateverElseWasChanged) {
  const auto kind = v1::LabelSchema::KIND_BOXES;
  const v1::Annotation predicted = Boxes({{0.2, 1}, {0.6, 2}});
  const v1::Annotation moved = Boxes({{0.4, 1}, {0.6, 2}});
  EXPECT_TRUE(KeepsMistake(kind, predicted, moved, moved));
  EXPECT_TRUE(KeepsMistake(kind, predicted, moved, Boxes({{0.4, 1}, {0.6, 2}, {0.8, 3}})))
      << "something else was added";
  EXPECT_FALSE(KeepsMistake(kind, predicted, moved, predicted));
  EXPECT_FALSE(KeepsMistake(kind, predicted, moved, Boxes({{0.6, 2}}))) << "it was taken away";
  EXPECT_FALSE(KeepsMistake(kind, predicted, moved, Boxes({{0.2, 1}, {0.4, 1}, {0.6, 2}})))
      << "what was missing was drawn";
  const v1::Annotation other_class = Boxes({{0.2, 3}, {0.6, 2}});
  EXPECT_TRUE(KeepsMistake(kind, predicted, other_class, other_class));
  EXPECT_FALSE(KeepsMistake(kind, predicted, other_class, predicted));
  const v1::Annotation missing = Boxes({{0.6, 2}});
  EXPECT_TRUE(KeepsMistake(kind, predicted, missing, Boxes({})));
  EXPECT_FALSE(KeepsMistake(kind, predicted, missing, predicted));

  v1::Annotation day, night;
  day.add_classes()->set_class_id(1);
  night.add_classes()->set_class_id(2);
  EXPECT_TRUE(KeepsMistake(v1::LabelSchema::KIND_CLASSES, day, night, night));
  EXPECT_FALSE(KeepsMistake(v1::LabelSchema::KIND_CLASSES, day, night, day));
  EXPECT_FALSE(KeepsMistake(v1::LabelSchema::KIND_CLASSES, day, night, {}));
  v1::Annotation right, wrong;
  right.set_text("AB12");
  wrong.set_text("AB13");
  EXPECT_TRUE(KeepsMistake(v1::LabelSchema::KIND_TRANSCRIPTION, right, wrong, wrong));
  EXPECT_FALSE(KeepsMistake(v1::LabelSchema::KIND_TRANSCRIPTION, right, wrong, right));
}

}  // namespace
}  // namespace gleaner::cloud
