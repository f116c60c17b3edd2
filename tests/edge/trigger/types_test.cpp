#include "edge/trigger/types.h"

#include <gtest/gtest.h>

#include <string>

#include "common/status.h"

namespace gleaner::edge {
namespace {

std::string Error(std::string_view text) {
  const absl::Status status = CheckTypes(*ParseExpression(text), [](std::string_view signal) {
    const std::string_view name = ShortSignalName(signal);
    return name == "barcode" || name == "label" ? SampleType::kText
           : name == "blocked"                  ? SampleType::kTruth
           : name == "hands"                    ? SampleType::kBoxes
                                                : SampleType::kNumber;
  });
  return std::string(Message(status));
}

TEST(Types, ComparesLikeWithLike) {
  for (const char* fine :
       {"motion > 0.1", "blocked == 1", "motion > weight", "barcode == \"4\"", "\"4\" != barcode",
        "barcode == label", "barcode in (\"4\", \"5\") and not label == \"a\"",
        "delta(weight, 2s) < -5", "rising(within(2s, barcode != \"\"))"}) {
    EXPECT_EQ(Error(fine), "") << fine;
  }
}

TEST(Types, SaysWhereUnlikeThingsAreCompared) {
  EXPECT_EQ(Error("motion > 1 and barcode > 3"),
            "column 16: barcode is a text; compare it with == or != and a text in quotes, or with "
            "in (…)");
  EXPECT_EQ(Error("camera.till.barcode < \"4\""),
            "column 1: camera.till.barcode is a text; compare it with == or != and a text in "
            "quotes, or with in (…)");
  EXPECT_EQ(Error("motion == \"4\""), "column 1: motion is a number; compare it with one");
  EXPECT_EQ(Error("\"4\" == motion"), "column 8: motion is a number; compare it with one");
  EXPECT_EQ(Error("motion == barcode"),
            "column 11: barcode is a text; compare it with == or != and a text in quotes, or with "
            "in (…)");
  EXPECT_EQ(Error("motion in (\"4\")"), "column 1: motion is a number; in (…) is for texts");
  EXPECT_EQ(Error("delta(barcode, 2s) > 1"),
            "column 7: barcode is a text; delta(…) is for numbers");
  EXPECT_EQ(Error("rising(hands > 1)"),
            "column 8: hands is a set of boxes, which rules don't read");
  EXPECT_EQ(Error("delta(motion, 2s) == \"4\""), "column 22: a text is compared with a number");
}

}  // namespace
}  // namespace gleaner::edge
