#include "cloud/label/labels.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include "cloud/label/annotation.h"
#include "common/status.h"
#include "tests/cloud/label/label_testing.h"

namespace gleaner::cloud {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class LabelsTest : public LabelRig {
 protected:
  std::string Refusal(const absl::Status& status) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(Message(status));
  }
  std::string SchemaRefusal(const v1::LabelSchema& schema) {
    return Refusal(schemas_.Create(schema, operator_, 1).status());
  }
};

TEST_F(LabelsTest, ASchemaThatIsTheSameIsNoNewVersionAndOneThatChangedIs) {
  const auto first = schemas_.Create(Carts(), operator_, clock_.WallNs()).value();
  EXPECT_TRUE(first.made());
  EXPECT_EQ(first.schema().version(), 1u);
  EXPECT_EQ(first.schema().created_by(), "otto");
  const auto same = schemas_.Create(Carts(), ann_, clock_.WallNs() + 5).value();
  EXPECT_FALSE(same.made());
  EXPECT_EQ(same.schema().SerializeAsString(), first.schema().SerializeAsString());
  v1::LabelSchema more = Carts();
  v1::LabelClass* mug = more.add_classes();
  mug->set_id(9);
  mug->set_name("mug");
  EXPECT_EQ(schemas_.Create(more, ann_, clock_.WallNs()).value().schema().version(), 2u);
  EXPECT_EQ(schemas_.Get("carts", 0).value().classes_size(), 4);
  EXPECT_EQ(schemas_.Get("carts", 1).value().SerializeAsString(),
            first.schema().SerializeAsString());
  EXPECT_TRUE(absl::IsNotFound(schemas_.Get("carts", 3).status()));
  EXPECT_TRUE(absl::IsNotFound(schemas_.Get("mugs", 0).status()));
  const auto list = schemas_.List({}).value();
  ASSERT_EQ(list.schemas_size(), 1);
  EXPECT_EQ(list.schemas(0).version(), 2u);
}

TEST_F(LabelsTest, AClassHasTheIdThatItsNameHadInAnyVersionBefore) {
  const auto ids = [](const v1::LabelSchema& schema) {
    std::map<std::string, uint32_t> ids;
    for (const v1::LabelClass& one : schema.classes()) ids[one.name()] = one.id();
    return ids;
  };
  const auto make = [&](const std::vector<std::string>& names) {
    v1::LabelSchema schema;
    schema.set_name("things");
    schema.set_kind(v1::LabelSchema::KIND_BOXES);
    for (const std::string& name : names) schema.add_classes()->set_name(name);
    return ids(schemas_.Create(schema, operator_, 1, {}, /*drop_classes=*/true).value().schema());
  };
  using Ids = std::map<std::string, uint32_t>;
  EXPECT_EQ(make({"a", "b", "c"}), (Ids{{"a", 1}, {"b", 2}, {"c", 3}}));
  EXPECT_EQ(make({"a"}), (Ids{{"a", 1}}));
  EXPECT_EQ(make({"d", "a", "c"}), (Ids{{"a", 1}, {"c", 3}, {"d", 4}}));
}

TEST_F(LabelsTest, AClassGoesOnlyWhereThatIsMeant) {
  MakeSchema();
  v1::LabelSchema fewer = Carts();
  fewer.mutable_classes()->DeleteSubrange(1, 2);
  const auto refused = schemas_.Create(fewer, operator_, 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << refused.status();
  EXPECT_THAT(std::string(Message(refused.status())),
              HasSubstr("version 1 of carts has box, person, which this one lacks"));
  EXPECT_EQ(schemas_.Get("carts", 0).value().version(), 1u);
  EXPECT_TRUE(schemas_.Create(fewer, operator_, 1, {}, /*drop_classes=*/true).ok());
}

TEST_F(LabelsTest, WhatIsSaidOfAFrameHasItsBounds) {
  Fill(1, false);
  v1::Annotation small = Box(0.25, kBottle);
  small.mutable_boxes(0)->set_width(1e-7);
  EXPECT_THAT(Refusal(Say(ids_[0], small, ann_).status()),
              HasSubstr("annotation.boxes[0].width: a millionth of the picture at least"));
  v1::Annotation large = Box(0.25, kBottle);
  large.GetReflection()->MutableUnknownFields(&large)->AddLengthDelimited(
      99, std::string(kMaxAnnotationBytes, 'x'));
  EXPECT_THAT(Refusal(Say(ids_[0], large, ann_).status()), HasSubstr("at most 65536 fit"));
}

TEST_F(LabelsTest, AClassKeepsItsIdAndASchemaItsKind) {
  MakeSchema();
  v1::LabelSchema other = Carts();
  other.mutable_classes(0)->set_name("can");
  EXPECT_THAT(SchemaRefusal(other),
              HasSubstr("schema.classes[0].id: 1 was bottle in version 1: take another id"));
  EXPECT_THAT(SchemaRefusal(Carts(v1::LabelSchema::KIND_CLASSES)), HasSubstr("schema.kind"));
}

TEST_F(LabelsTest, WhatASchemaCannotBeIsNamed) {
  v1::LabelSchema schema = Carts();
  schema.set_name("Carts");
  EXPECT_THAT(SchemaRefusal(schema), HasSubstr("schema.name"));
  schema = Carts();
  schema.mutable_classes(1)->set_id(1);
  EXPECT_THAT(SchemaRefusal(schema), HasSubstr("schema.classes[1].id: is there twice"));
  schema = Carts();
  schema.mutable_classes(1)->set_name("bottle");
  EXPECT_THAT(SchemaRefusal(schema), HasSubstr("schema.classes[1].name: is there twice"));
  schema = Carts();
  schema.mutable_classes(2)->set_id(kMaxClassId + 1);
  EXPECT_THAT(SchemaRefusal(schema), HasSubstr("schema.classes[2].id"));
  schema = Carts();
  schema.clear_classes();
  EXPECT_THAT(SchemaRefusal(schema), HasSubstr("schema.classes"));
  schema = Carts();
  for (int i = 0; i <= kMaxAttributes; ++i) schema.add_attributes()->set_name("a");
  EXPECT_THAT(SchemaRefusal(schema), HasSubstr("schema.attributes: at most"));
  schema = Carts();
  schema.set_kind(v1::LabelSchema::KIND_UNSPECIFIED);
  EXPECT_THAT(SchemaRefusal(schema), HasSubstr("schema.kind"));
}

TEST_F(LabelsTest, PredictionsComeAllOrNoneAndErrorsNameTheLine) {
  MakeSchema();
  const auto frames = AddFrames(1, 3);
  const std::string good =
      LineOf(frames[0], Box(0.25, kBottle, 0.5)) + "\n" + LineOf(frames[1], Box(0.5, kBox, 0.75));
  v1::FrameId nobody = frames[2];
  nobody.set_pts(17);
  const auto missing = Import(good + LineOf(nobody, {}));
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_THAT(std::string(Message(missing.status())), HasSubstr("line 4: frame"));
  EXPECT_THAT(Refusal(Import(good + "{\"frame\":17}").status()), HasSubstr("line 4"));
  EXPECT_THAT(Refusal(Import(good + LineOf(frames[0], {})).status()),
              HasSubstr("line 4: that frame is there twice"));
  EXPECT_THAT(
      Refusal(Import(good + LineOf(frames[2], Box(0.25, 17, 0.5))).status()),
      HasSubstr("line 4: annotation.boxes[0].class_id: schema carts version 1 has no class 17"));
  EXPECT_THAT(Refusal(Import(good + LineOf(frames[2], Box(0.25, 1, 1.5))).status()),
              HasSubstr("boxes[0].confidence: from 0 to 1"));
  EXPECT_THAT(Refusal(Import(good + LineOf(frames[2], Box(0.95, 1, 0.5))).status()),
              HasSubstr("boxes[0].width: the box leaves the picture"));
  v1::ListPredictionsRequest list;
  *list.mutable_frame() = frames[0];
  EXPECT_EQ(predictions_.List(list).value().predictions_size(), 0) << "none of them came";
  const auto came = Import(good).value();
  EXPECT_EQ(came.added(), 2u);
  const auto again = Import(good + LineOf(frames[2], {})).value();
  EXPECT_EQ(again.added(), 1u);
  EXPECT_EQ(again.already(), 2u);
  const auto other = Import(LineOf(frames[0], Box(0.25, kBox, 0.5)));
  EXPECT_TRUE(absl::IsAlreadyExists(other.status())) << other.status();
  EXPECT_TRUE(Import(LineOf(frames[0], Box(0.25, kBox, 0.5)), "ssd", "2").ok());
  const auto listed = predictions_.List(list).value();
  ASSERT_EQ(listed.predictions_size(), 2);
  EXPECT_EQ(listed.predictions(0).model_version(), "2");
  EXPECT_EQ(listed.predictions(1).annotation().boxes(0).class_id(), kBottle);
  EXPECT_EQ(listed.predictions(1).created_by(), "otto");
}

TEST_F(LabelsTest, ImportsAreBounded) {
  MakeSchema();
  const auto frames = AddFrames(1, 1);
  std::string many;
  for (int i = 0; i <= kMaxPredictionLines; ++i) {
    v1::FrameId frame = frames[0];
    frame.set_pts(i);
    many += LineOf(frame, {});
  }
  EXPECT_THAT(Refusal(Import(many).status()), HasSubstr("json_lines: more than 1000 lines"));
  EXPECT_THAT(Refusal(Import("\n \n").status()), HasSubstr("json_lines: 1 line at least"));
  EXPECT_THAT(Refusal(Import(LineOf(frames[0], {}), "").status()), HasSubstr("model: 1 to 100"));
  EXPECT_THAT(Refusal(Import(LineOf(frames[0], {}), std::string(101, 'm')).status()),
              HasSubstr("model: 1 to 100"));
  EXPECT_THAT(Refusal(Import(LineOf(frames[0], {}), "ssd", "1\n").status()),
              HasSubstr("model_version"));
  v1::Annotation crowded;
  for (int i = 0; i <= kMaxBoxes; ++i) AddBox(crowded, 0.25, kBox);
  EXPECT_THAT(Refusal(Import(LineOf(frames[0], crowded)).status()),
              HasSubstr("annotation.boxes: at most 500"));
}

TEST_F(LabelsTest, APredictionIsNeverChanged) {
  MakeSchema();
  Predict(AddFrames(1, 1)[0], Box(0.25, kBottle, 0.5));
  for (const char* change : {"UPDATE prediction SET model = 'other'", "DELETE FROM prediction",
                             "DELETE FROM label_schema"}) {
    EXPECT_FALSE(database()
                     .Write([&](Sql& sql) {
                       sql.Run(change, In());
                       return absl::OkStatus();
                     })
                     .ok())
        << change;
  }
}

TEST_F(LabelsTest, TheNewestLabelCountsAndOlderOnesStay) {
  MakeSchema();
  const auto frames = AddFrames(1, 2);
  ASSERT_TRUE(Say(frames[0], Box(0.25, kBottle), ann_).ok());
  clock_.Advance(kNanosPerSecond);
  ASSERT_TRUE(Say(frames[0], Box(0.5, kBox), operator_).ok());
  v1::ListLabelsRequest request;
  request.set_schema("carts");
  *request.mutable_frame() = frames[0];
  request.set_page_size(1);
  const auto newest = labels_.List(request).value();
  ASSERT_EQ(newest.labels_size(), 1);
  EXPECT_EQ(newest.labels(0).reviewer(), "otto");
  EXPECT_EQ(newest.labels(0).reviewer_role(), v1::ROLE_OPERATOR);
  EXPECT_EQ(newest.labels(0).human_ms(), 2'000u);
  request.set_page_token(newest.next_page_token());
  const auto older = labels_.List(request).value();
  ASSERT_EQ(older.labels_size(), 1);
  EXPECT_EQ(older.labels(0).reviewer(), "ann");
  EXPECT_EQ(older.next_page_token(), "");
  const auto page = labels_.Page("carts", nullptr).value();
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(page[0].label, newest.labels(0).number());
  ASSERT_EQ(page[0].boxes.size(), 1u);
  EXPECT_EQ(page[0].boxes[0].class_id, kBox);
  EXPECT_EQ(page[0].reviewer_role, v1::ROLE_OPERATOR);
  EXPECT_EQ(page[0].width, 1280u);
  EXPECT_EQ(page[0].height, 720u);
  EXPECT_EQ(page[0].device, "cart-1");
  EXPECT_EQ(page[0].site, "store-7");
  EXPECT_EQ(page[0].rule, "motion");
  EXPECT_NE(page[0].taken_unix_ns, 0);
}

TEST_F(LabelsTest, AWalkSeesEveryLabelOnceInTheOrderOfFrameIds) {
  MakeSchema();
  std::set<std::pair<std::string, int64_t>> labelled;
  for (uint64_t clip = 1; clip <= 3; ++clip) {
    auto frames = AddFrames(clip, 170);
    std::shuffle(frames.begin(), frames.end(), std::mt19937(static_cast<uint32_t>(clip)));
    for (const v1::FrameId& frame : frames) {
      ASSERT_TRUE(Say(frame, Box(0.25, kBottle), ann_).ok());
      labelled.emplace(frame.clip(), frame.pts());
    }
  }
  ASSERT_GT(labelled.size(), Labels::kMaxPage) << "more than a page";
  std::vector<std::pair<std::string, int64_t>> seen;
  ASSERT_TRUE(labels_
                  .Walk("carts",
                        [&](const LabelledFrame& frame) {
                          seen.emplace_back(frame.id.clip, frame.id.pts);
                          return absl::OkStatus();
                        })
                  .ok());
  EXPECT_EQ(seen, (std::vector<std::pair<std::string, int64_t>>(labelled.begin(), labelled.end())));
  EXPECT_TRUE(absl::IsAborted(
      labels_.Walk("carts", [](const LabelledFrame&) { return absl::AbortedError("enough"); })));
  v1::ListLabelsRequest request;
  request.set_schema("carts");
  request.set_page_size(500);
  auto list = labels_.List(request).value();
  EXPECT_EQ(list.labels_size(), 500);
  request.set_page_token(list.next_page_token());
  list = labels_.List(request).value();
  EXPECT_EQ(list.labels_size(), 10);
  EXPECT_EQ(list.next_page_token(), "");
}

TEST_F(LabelsTest, ALabelOutlivesACheckThatChoosesOtherFrames) {
  MakeSchema();
  const TestClip clip = MakeTestClip({.sequence = 1});
  ASSERT_TRUE(CommitTestClip(*catalog_, clip).ok());
  const auto frames = RecordFramesOf(clip, {0, 100});
  ASSERT_TRUE(Say(frames[1], Box(0.25, kBottle), ann_).ok());
  RecordFramesOf(clip, {0, 500});
  EXPECT_EQ(labels_.Page("carts", nullptr).value().size(), 1u);
  EXPECT_TRUE(Say(frames[1], Box(0.25, kBox), ann_).ok()) << "it may be put right";
}

TEST_F(LabelsTest, WhatAPersonCannotSayIsNamed) {
  MakeSchema();
  const auto frames = AddFrames(1, 1);
  const auto said = [&](const v1::Annotation& annotation) {
    return Refusal(Say(frames[0], annotation, ann_).status());
  };
  EXPECT_THAT(said(Box(0.25, kBottle, 0.5)),
              HasSubstr("boxes[0].confidence: a person's label has none"));
  EXPECT_THAT(said(Box(std::nan(""), kBottle)), HasSubstr("boxes[0].x"));
  EXPECT_THAT(said(Box(-0.25, kBottle)), HasSubstr("boxes[0].x"));
  v1::Annotation wrong;
  wrong.add_classes()->set_class_id(kBox);
  EXPECT_THAT(said(wrong), HasSubstr("annotation.classes: schema carts isn't of that kind"));
  wrong.Clear();
  wrong.set_text("4006381333931");
  EXPECT_THAT(said(wrong), HasSubstr("annotation.text"));
  wrong = Box(0.25, kBottle);
  wrong.mutable_boxes(0)->add_attributes()->set_name("colour");
  EXPECT_THAT(said(wrong), HasSubstr("boxes[0].attributes[0].name"));
  v1::FrameId nobody = frames[0];
  nobody.set_camera("../front");
  EXPECT_THAT(Refusal(Say(nobody, {}, ann_).status()), HasSubstr("frame.camera"));
  nobody = frames[0];
  nobody.set_clip("17");
  EXPECT_THAT(Refusal(Say(nobody, {}, ann_).status()), HasSubstr("frame.clip"));
}

}  // namespace
}  // namespace gleaner::cloud
