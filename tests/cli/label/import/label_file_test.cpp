// What labelling tools hand back, good and bad.
#include "cli/label/import/label_file.h"

#include <gmock/gmock.h>

#include <sstream>

#include "common/status.h"
#include "tests/cli/label/import/tool_files.h"

namespace gleaner::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

absl::StatusOr<std::vector<FileLabel>> Read(const std::string& format, const std::string& text,
                                            uint64_t* passed_over = nullptr) {
  std::istringstream file(text);
  std::vector<FileLabel> labels;
  const absl::Status read = FindLabelFileFormat(format).value()->Read(
      file,
      [&](const FileLabel& label) {
        labels.push_back(label);
        return absl::OkStatus();
      },
      passed_over);
  if (!read.ok()) return read;
  return labels;
}
std::string Mistake(const std::string& format, const std::string& text) {
  const auto read = Read(format, text);
  EXPECT_TRUE(absl::IsInvalidArgument(read.status())) << read.status();
  return std::string(Message(read.status()));
}

TEST(CvatLabels, FramesAreThoseOfTheTaskWhateverBoxesSay) {
  // Copied from frame 0 to frame 1, with all its attributes; nothing is in frame 2.
  const std::string id =
      "<attribute name=\"gleaner_frame\">ab12/front/0</attribute>"
      "<attribute name=\"colour\">red</attribute>";
  const auto labels = Read("cvat", Task(Track(Box(0, "", id) + Box(1, "", id) +
                                              "<box frame=\"2\" outside=\"1\" xtl=\"1\" ytl=\"1\" "
                                              "xbr=\"2\" ybr=\"2\"/>") +
                                        Track(Box(1), "mug")));
  ASSERT_TRUE(labels.ok()) << labels.status();
  ASSERT_EQ(labels->size(), 3u);
  EXPECT_EQ((*labels)[1].clip, "ab12");
  EXPECT_EQ((*labels)[1].camera, "front");
  EXPECT_EQ((*labels)[1].pts, 100);
  ASSERT_EQ((*labels)[1].boxes.size(), 2u);
  const FileBox& box = (*labels)[1].boxes[0];
  EXPECT_EQ(box.class_name, "bottle");
  EXPECT_NEAR(box.x, 0.1, 1e-9);
  EXPECT_NEAR(box.width, 0.5, 1e-9);
  EXPECT_NEAR(box.y, 0.1, 1e-9);
  EXPECT_NEAR(box.height, 0.5, 1e-9);
  ASSERT_EQ(box.attributes.size(), 1u) << "our own attribute is not the label's";
  EXPECT_EQ(box.attributes[0].second, "red");
  EXPECT_EQ((*labels)[1].boxes[1].class_name, "mug");
  EXPECT_EQ((*labels)[2].pts, 200);
  EXPECT_TRUE((*labels)[2].boxes.empty());
}

TEST(CvatLabels, WithoutTheTasksLabelsTheBoxesTell) {
  const auto id = [](int pts) {
    return fmt::format("<attribute name=\"gleaner_frame\">ab12/front/{}</attribute>", pts);
  };
  const auto labels =
      Read("cvat", Task(Track(Box(0, "", id(7)) + Box(5, "", id(9))) + Track(Box(5)), ""));
  ASSERT_TRUE(labels.ok()) << labels.status();
  ASSERT_EQ(labels->size(), 2u);
  EXPECT_EQ((*labels)[1].pts, 9);
  EXPECT_EQ((*labels)[1].boxes.size(), 2u);
  EXPECT_THAT(Mistake("cvat", Task(Track(Box(0, "", id(7)) + Box(1, "", id(7))), "")),
              HasSubstr("two frames of the task are ab12/front/7"));
  EXPECT_THAT(Mistake("cvat", Task(Track(Box(0, "", id(7))) + Track(Box(0, "", id(8))), "")),
              HasSubstr("is frame 0 of the task ab12/front/7 or ab12/front/8?"));
  EXPECT_THAT(Mistake("cvat", Task(Track(Box(4)), "")),
              AllOf(HasSubstr("line 4, column 30"), HasSubstr("which frame is number 4")));
}

TEST(CvatLabels, AMistakeIsToldWithItsLineAndColumn) {
  const struct {
    std::string text, said;
  } cases[] = {
      {"", "line 1, column 1: not XML: no element found"},
      {"{}", "line 1, column 1: not XML"},
      {"<html/>", "line 1, column 1: no <annotations>"},
      {"<annotations/>", "no original_size"},
      {"<annotations><version>2.0</version></annotations>", "version 2.0: 1.1 is read"},
      {"<annotations>\n <image id=\"0\"/></annotations>",
       "line 2, column 2: this is CVAT for images"},
      {"<annotations><meta><project/></meta></annotations>", "export its tasks one by one"},
      {"<annotations>\n<track></track></annotations>", "line 2, column 1: a track without a label"},
      {Task(Track("<polygon frame=\"0\"/>")), "line 5, column 30: a polygon of bottle"},
      {Task(Track(Box(3))), "line 5, column 30: frame 3 of a task that has 3"},
      {Task(Track(Box(-1))), "frame=\"-1\" is not 0 to"},
      {Task(Track(Box(0, "rotation=\"12.5\""))), "the box is turned"},
      {Task(Track(Box(0, "", "", "xtl=\"x\" ytl=\"0\" xbr=\"1\" ybr=\"1\""))),
       "xtl=\"x\" is no number"},
      {Task(Track(Box(0, "", "", "xtl=\"nan\" ytl=\"0\" xbr=\"1\" ybr=\"1\""))),
       "xtl=\"nan\" is no number"},
      {Task(Track(Box(0, "", "", "xtl=\"90\" ytl=\"0\" xbr=\"101\" ybr=\"1\""))),
       "a box from (90, 0) to (101, 1) is not within a picture of 100x50"},
      {Task(Track(Box(0, "", "", "xtl=\"9\" ytl=\"0\" xbr=\"9\" ybr=\"1\""))), "is not within"},
      {Task("").substr(0, 80), "not XML"},
  };
  for (const auto& [text, said] : cases)
    EXPECT_THAT(Mistake("cvat", text), HasSubstr(said)) << text;
}

TEST(CvatLabels, NothingIsExpandedAndNothingGrowsWithoutEnd) {
  EXPECT_THAT(Mistake("cvat",
                      "<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY a \"aa\"><!ENTITY b "
                      "\"&a;&a;\">]><annotations>&b;</annotations>"),
              AllOf(HasSubstr("line 2"), HasSubstr("a document type is not read")));
  EXPECT_THAT(Mistake("cvat", "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><annotations/>"),
              HasSubstr("a document type is not read"));
  EXPECT_THAT(Mistake("cvat", "<annotations>&nbsp;</annotations>"), HasSubstr("undefined entity"));
  std::string deep = "<annotations>";
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  EXPECT_THAT(Mistake("cvat", deep), HasSubstr("elements within elements"));
  EXPECT_THAT(Mistake("cvat", "<annotations><version>" + std::string(2 << 20, '1')),
              HasSubstr("a text is too long"));
  std::string frames;
  for (int i = 0; i < 120'000; ++i) frames += "1\n";
  EXPECT_THAT(Mistake("cvat", Task("",
                                   "<label><name>gleaner:frames</name><attributes><attribute><name>"
                                   "frames-0</name><values>" +
                                       frames + "</values></attribute></attributes></label>")),
              HasSubstr("more than 100000 frames"));
}

TEST(LabelStudioLabels, TheNewestAnnotationOfATaskCounts) {
  uint64_t passed_over = 0;
  const auto labels = Read("label-studio",
                           R"([{"data":{"gleaner_frame":"ab12/front/0"},"annotations":[
           {"updated_at":"2026-01-02","result":[)" +
                               Rectangle() + R"(,
             {"id":"r","from_name":"attribute-colour","type":"textarea","value":{"text":["red"]}}]},
           {"updated_at":"2026-01-01","result":[]},
           {"updated_at":"2026-01-03","was_cancelled":true,"result":[]}]},
          {"data":{"gleaner_frame":"ab12/front/1"},"annotations":[]},
          {"data":{"gleaner_frame":"ab12/front/2"},"annotations":[{"result":[]}]}])",
                           &passed_over);
  ASSERT_TRUE(labels.ok()) << labels.status();
  ASSERT_EQ(labels->size(), 2u);
  EXPECT_EQ(passed_over, 1u);
  ASSERT_EQ((*labels)[0].boxes.size(), 1u);
  EXPECT_NEAR((*labels)[0].boxes[0].width, 0.5, 1e-9);
  ASSERT_EQ((*labels)[0].boxes[0].attributes.size(), 1u);
  EXPECT_EQ((*labels)[0].boxes[0].attributes[0],
            std::make_pair(std::string("colour"), std::string("red")));
  EXPECT_TRUE((*labels)[1].boxes.empty());
}

TEST(LabelStudioLabels, AMistakeIsToldWithItsPlace) {
  const auto task = [](const std::string& results) { return "[" + StudioTask(0, results) + "]"; };
  const struct {
    std::string text, said;
  } cases[] = {
      {"", "not JSON"},
      {"[\n {\"a\":}]", "line 2, column 7: not JSON"},
      {"{}", "an object where the list of tasks belongs"},
      {"7", "no list of tasks"},
      {"[\n7]", "task 1, which ends at line 2"},
      {"[{\"annotations\":[]}]", "which frame is it?"},
      {R"([{"data":{"gleaner_frame":"../../etc"},"annotations":[]}])", "\"../../etc\" is no frame"},
      {R"([{"meta":{"gleaner":{"clip":"a","camera":"b","pts":"0"}}}])", "pts is no number"},
      {R"([{"id":1,"data":{"gleaner_frame":"ab/front/0"},"label":[]}])", "not as JSON-MIN"},
      {task(R"({"type":"polygonlabels","value":{}})"), "result 1: \"polygonlabels\" is nothing"},
      {task(Rectangle(R"("x":90,"y":0,"width":11,"height":5)")), "not within the picture"},
      {task(Rectangle(R"("x":"1","y":0,"width":1,"height":5)")), "result 1: x is no number"},
      {task(Rectangle(R"("x":1,"y":1,"width":5,"height":5)", R"(["a","b"])")),
       "a box has one class"},
      {task(R"({"type":"rectanglelabels","image_rotation":90,"value":{}})"),
       "image_rotation is not 0"},
      {task(R"({"id":"q","from_name":"attribute-x","type":"textarea","value":{"text":["a"]}})"),
       "no box has the id \"q\""},
      {"[" + StudioTask(0, "") + "," + StudioTask(0, "") + "]",
       "a second task of frame ab12/front/0"},
  };
  for (const auto& [text, said] : cases) {
    EXPECT_THAT(Mistake("label-studio", text), HasSubstr(said)) << text;
  }
}

TEST(LabelStudioLabels, NothingGrowsWithoutEnd) {
  EXPECT_THAT(Mistake("label-studio", std::string(100'000, '[')), HasSubstr("lists within lists"));
  std::string many = "[[";
  for (int i = 0; i < 300'000; ++i) many += "1,";
  EXPECT_THAT(Mistake("label-studio", many), HasSubstr("too many values"));
}

}  // namespace
}  // namespace gleaner::cli
