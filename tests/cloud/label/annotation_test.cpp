#include "cloud/label/annotation.h"

#include <gtest/gtest.h>

namespace gleaner::cloud {
namespace {

TEST(AnnotationTest, AgreementCountsEachThingOnce) {
  v1::Annotation one, two;
  const auto add = [](v1::Annotation& annotation, double x, uint32_t id) {
    v1::LabelBox* box = annotation.add_boxes();
    box->set_x(x);
    box->set_width(0.2);
    box->set_height(1);
    box->set_class_id(id);
  };
  const auto kind = v1::LabelSchema::KIND_BOXES;
  EXPECT_EQ(Agreement(kind, one, two), 1) << "both say that there is nothing";
  add(one, 0.1, 1);
  EXPECT_EQ(Agreement(kind, one, two), 0);
  add(two, 0.12, 1);
  add(two, 0.11, 1);
  EXPECT_NEAR(Agreement(kind, one, two), 2.0 / 3, 1e-9) << "one thing, seen twice by the other";
  EXPECT_NEAR(Overlap(one.boxes(0), two.boxes(0)), 0.18 / 0.22, 1e-9);
  two.Clear();
  add(two, 0.1, 2);
  EXPECT_EQ(Agreement(kind, one, two), 0) << "another class";
}

}  // namespace
}  // namespace gleaner::cloud
