#include "cloud/curate/guesses.h"

#include <gtest/gtest.h>

namespace gleaner::cloud {
namespace {

class GuessTest : public testing::Test {
 protected:
  GuessTest() {
    schema_.set_kind(v1::LabelSchema::KIND_BOXES);
    for (const char* name : {"bottle", "mug"}) {
      v1::LabelClass* one = schema_.add_classes();
      one->set_id(static_cast<uint32_t>(schema_.classes_size()));
      one->set_name(name);
    }
  }
  void Box(double x, uint32_t class_id, double confidence) {
    v1::LabelBox* box = said_.add_boxes();
    box->set_x(x);
    box->set_width(.2);
    box->set_height(.2);
    box->set_class_id(class_id);
    box->set_confidence(confidence);
  }
  std::string Say() {
    const Guess guess = GuessOf(schema_, said_, words_);
    char text[100];
    std::snprintf(text, sizeof(text), "%s %.2f %s %.2f", words_[guess.first].c_str(),
                  guess.first_confidence, words_[guess.second].c_str(), guess.second_confidence);
    return text;
  }

  v1::LabelSchema schema_;
  v1::Annotation said_;
  Words words_;
};

TEST_F(GuessTest, OfNoBoxesIsNothing) { EXPECT_EQ(Say(), "nothing 1.00  0.00"); }

TEST_F(GuessTest, OfABoxIsThatItMayBeNothing) {
  Box(0, 1, .7);
  EXPECT_EQ(Say(), "bottle 0.70 nothing 0.30");
}

TEST_F(GuessTest, OfABoxThatIsHardlyBelievedIsMostlyNothing) {
  Box(0, 1, .2);
  EXPECT_EQ(Say(), "nothing 0.80 bottle 0.20");
}

TEST_F(GuessTest, OfTwoBoxesOnOneThingIsWhichOfTheTwo) {
  Box(0, 1, .6);
  Box(.02, 2, .55);
  EXPECT_EQ(Say(), "bottle 0.60 mug 0.55");
}

TEST_F(GuessTest, OfAFrameIsThatOfItsMostDoubtfulBox) {
  Box(0, 1, .99);
  Box(.5, 2, .6);
  EXPECT_EQ(Say(), "mug 0.60 nothing 0.40");
}

TEST_F(GuessTest, OfClassesIsTheTwoLikeliest) {
  schema_.set_kind(v1::LabelSchema::KIND_CLASSES);
  for (const auto& [id, confidence] : {std::pair{1U, .3}, {2U, .6}}) {
    said_.add_classes()->set_class_id(id);
    said_.mutable_classes(said_.classes_size() - 1)->set_confidence(confidence);
  }
  EXPECT_EQ(Say(), "mug 0.60 bottle 0.30");
}

TEST_F(GuessTest, ALabelIsOfTheClassThatItHasMostOf) {
  EXPECT_EQ(ClassOf(schema_, said_), "nothing");
  Box(0, 2, 0);
  Box(.5, 1, 0);
  Box(.7, 1, 0);
  EXPECT_EQ(ClassOf(schema_, said_), "bottle");
}

}  // namespace
}  // namespace gleaner::cloud
