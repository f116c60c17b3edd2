// A catalog with frames, and the label room over it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "cloud/frames/frame_rows.h"
#include "cloud/frames/frames.h"
#include "cloud/label/labels.h"
#include "cloud/label/predictions.h"
#include "cloud/label/schemas.h"
#include "cloud/label/task_sets.h"
#include "cloud/label/tasks.h"
#include "common/message_json.h"
#include "tests/cloud/catalog/catalog_testing.h"

namespace gleaner::cloud {

inline constexpr uint32_t kBottle = 1, kBox = 2, kPerson = 3;

class LabelRig : public testing::Test {
 protected:
  // A clip with so many frames, at 0, 100, 200, …
  std::vector<v1::FrameId> AddFrames(uint64_t sequence, int count) {
    const TestClip clip = MakeTestClip({.sequence = sequence});
    EXPECT_TRUE(CommitTestClip(*catalog_, clip).ok());
    std::vector<int64_t> times;
    for (int i = 0; i < count; ++i) times.push_back(100 * i);
    return RecordFramesOf(clip, times);
  }
  // What a check of the clip found takes the place of what one found before.
  std::vector<v1::FrameId> RecordFramesOf(const TestClip& clip, const std::vector<int64_t>& times) {
    const std::string id = ClipId(clip.upload.device, clip.upload.key);
    CheckedVideo video;
    video.thumbnails = Hex(AsBytes(Sha256::Of(id))).substr(0, 32);
    std::vector<v1::FrameId> ids;
    for (const int64_t pts : times) {
      video.frames.push_back({.pts = pts, .reasons = 1});
      v1::FrameId& one = ids.emplace_back();
      one.set_clip(id);
      one.set_camera("front");
      one.set_pts(pts);
    }
    EXPECT_TRUE(database()
                    .Write([&](Sql& sql) {
                      RecordFrames(sql, {.id = id, .manifest = clip.manifest, .videos = {video}});
                      return absl::OkStatus();
                    })
                    .ok());
    return ids;
  }

  Database& database() { return catalog_->database(); }

  static v1::LabelSchema Carts(v1::LabelSchema::Kind kind = v1::LabelSchema::KIND_BOXES) {
    v1::LabelSchema schema;
    schema.set_name("carts");
    schema.set_kind(kind);
    if (kind == v1::LabelSchema::KIND_TRANSCRIPTION) return schema;
    for (const auto& [id, name] :
         {std::pair{kBottle, "bottle"}, {kBox, "box"}, {kPerson, "person"}}) {
      v1::LabelClass* one = schema.add_classes();
      one->set_id(id);
      one->set_name(name);
    }
    return schema;
  }
  void MakeSchema(const v1::LabelSchema& schema = Carts()) {
    const auto made =
        schemas_.Create(schema, operator_, clock_.WallNs(), {}, /*drop_classes=*/true);
    ASSERT_TRUE(made.ok()) << made.status();
  }

  static v1::Annotation Box(double x, uint32_t class_id, double confidence = 0) {
    v1::Annotation annotation;
    AddBox(annotation, x, class_id, confidence);
    return annotation;
  }
  static void AddBox(v1::Annotation& annotation, double x, uint32_t class_id,
                     double confidence = 0) {
    v1::LabelBox* box = annotation.add_boxes();
    box->set_x(x);
    box->set_y(0.25);
    box->set_width(0.125);
    box->set_height(0.5);
    box->set_class_id(class_id);
    box->set_confidence(confidence);
  }
  static std::string LineOf(const v1::FrameId& frame, const v1::Annotation& annotation) {
    v1::PredictionLine line;
    *line.mutable_frame() = frame;
    *line.mutable_annotation() = annotation;
    std::string json;
    EXPECT_TRUE(google::protobuf::util::MessageToJsonString(line, &json).ok());
    return json + "\n";
  }
  absl::StatusOr<v1::ImportPredictionsResponse> Import(const std::string& lines,
                                                       const std::string& model = "ssd",
                                                       const std::string& version = "1") {
    v1::ImportPredictionsRequest request;
    request.set_schema("carts");
    request.set_model(model);
    request.set_model_version(version);
    request.set_json_lines(lines);
    return predictions_.Import(request, operator_, clock_.WallNs());
  }
  void Predict(const v1::FrameId& frame, const v1::Annotation& annotation,
               const std::string& model = "ssd", const std::string& version = "1") {
    const auto imported = Import(LineOf(frame, annotation), model, version);
    ASSERT_TRUE(imported.ok()) << imported.status();
  }
  // Frames to make tasks of, each with a prediction of a bottle if `predicted`.
  void Fill(int frames, bool predicted = true, uint64_t sequence = 1) {
    if (!schemas_.Get("carts", 0).ok()) MakeSchema();
    ids_ = AddFrames(sequence, frames);
    if (!predicted) return;
    std::string lines;
    for (const v1::FrameId& id : ids_) lines += LineOf(id, Box(0.25, kBottle, 0.9));
    ASSERT_TRUE(Import(lines).ok());
  }

  absl::StatusOr<v1::Label> Say(const v1::FrameId& frame, const v1::Annotation& annotation,
                                const Principal& who) {
    v1::SaveLabelRequest request;
    *request.mutable_frame() = frame;
    request.set_schema("carts");
    request.set_verdict(v1::Label::VERDICT_CREATED);
    *request.mutable_annotation() = annotation;
    request.set_human_ms(2'000);
    return labels_.Create(request, who, clock_.WallNs());
  }
  v1::TaskSet MakeTasks(v1::CreateTasksRequest request = {}) {
    request.set_schema("carts");
    const auto made = task_sets_.Create(request, {}, operator_);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? *made : v1::TaskSet();
  }
  static v1::TakeTasksRequest TakeRequest(uint32_t most = 1, uint64_t set = 0,
                                          const std::string& schema = "carts") {
    v1::TakeTasksRequest request;
    request.set_schema(schema);
    request.set_most(most);
    request.set_set(set);
    return request;
  }
  static v1::ReturnTasksRequest ReturnRequest(int64_t lease_ns = 0) {
    v1::ReturnTasksRequest request;
    request.set_schema("carts");
    request.set_lease_unix_ns(lease_ns);
    return request;
  }
  std::vector<v1::ReviewTask> Take(const Principal& who, uint32_t most = 1) {
    const auto taken = tasks_.Take(TakeRequest(most), who);
    EXPECT_TRUE(taken.ok()) << taken.status();
    if (!taken.ok()) return {};
    return {taken->tasks().begin(), taken->tasks().end()};
  }
  // Accepted where a pre-label is shown, unless `said` is there; else created.
  absl::StatusOr<v1::Label> Finish(const v1::ReviewTask& task, const Principal& who,
                                   const v1::Annotation* said = nullptr, uint32_t ms = 1'000) {
    v1::SaveLabelRequest request;
    request.set_task(task.number());
    request.set_human_ms(ms);
    request.set_verdict(!task.has_prelabel() ? v1::Label::VERDICT_CREATED
                        : said != nullptr    ? v1::Label::VERDICT_FIXED
                                             : v1::Label::VERDICT_ACCEPTED);
    if (said != nullptr) *request.mutable_annotation() = *said;
    return tasks_.Save(request, who);
  }
  std::vector<v1::Task> AllTasks() {
    v1::ListTasksRequest request;
    request.set_page_size(500);
    const auto all = tasks_.List(request).value();
    return {all.tasks().begin(), all.tasks().end()};
  }
  v1::TaskSet NewestSet() { return task_sets_.List({}).value().sets(0); }

  const Principal operator_{"otto", v1::ROLE_OPERATOR}, ann_{"ann", v1::ROLE_ANNOTATOR},
      bob_{"bob", v1::ROLE_ANNOTATOR}, eve_{"eve", v1::ROLE_ANNOTATOR};
  TemporaryFolder folder_;
  FakeClock clock_;
  std::unique_ptr<TestCatalog> catalog_ = OpenTestCatalog(folder_ / "catalog.db").value();
  Frames frames_{catalog_->database()};
  Schemas schemas_{catalog_->database()};
  Predictions predictions_{catalog_->database()};
  Labels labels_{catalog_->database()};
  TaskSets task_sets_{catalog_->database(), frames_, clock_};
  Tasks tasks_{catalog_->database(), clock_};
  std::vector<v1::FrameId> ids_;  // of the last Fill
};

}  // namespace gleaner::cloud
