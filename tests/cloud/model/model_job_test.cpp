// What becomes of a clip's frames: real clips, the real workers, the real model.
#include "cloud/model/model_job.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <optional>

#include "cloud/label/predictions.h"
#include "cloud/label/schemas.h"
#include "common/status.h"
#include "model_testing.h"
#include "tests/cloud/frames/frames_testing.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;

class ModelJobTest : public FramesRig {
 protected:
  // A hand moves a box.
  ModelJobTest() {
    const std::string path = folder_ / "box.mp4";
    MakeVideo("box.mp4",
              std::string("-ss 7 -t 2 -c:v libx264 -preset ultrafast -g 15 ") + kFragmented, path);
    track_ = TrackOf(path);
    track_.set_first_frame_monotonic_ns(1'000);
    track_.set_last_frame_monotonic_ns(1'000 + 2 * kNanosPerSecond);
    video_ = ReadFile(path, 50 << 20).value();
  }

  std::string AddCheckedClip() {
    const std::string clip = AddClip({.sequence = ++clips_});
    Start();
    WaitFor(static_cast<int>(clips_));
    Stop();
    return clip;
  }
  void MakeSchema(std::vector<std::string> classes = {"person", "box", "bottle"}) {
    v1::LabelSchema schema;
    schema.set_name("things");
    schema.set_kind(v1::LabelSchema::KIND_BOXES);
    uint32_t id = 10;
    for (const std::string& name : classes) {
      v1::LabelClass* one = schema.add_classes();
      one->set_id(++id);
      one->set_name(name);
    }
    ASSERT_TRUE(Schemas(catalog_->database()).Create(schema, {}, 1).ok());
  }
  // The model's job on that clip, once it has ended.
  v1::Job LookAt(const std::string& clip) {
    EXPECT_TRUE(catalog_->database()
                    .Write([&](Sql& sql) {
                      AskForModel(sql, config_.models[0], "cart-1", clip, clock_.WallNs());
                      return absl::OkStatus();
                    })
                    .ok());
    ModelJob job(
        config_, config_.models[0], catalog_->database(), *blobs_, clock_,
        {.media_worker = BinDir() + "/gleaner-media",
         .picture_cpu_ns = 60 * kNanosPerSecond,
         .keep_embedding = keep_,
         .on_frames = [this](const ModelConfig&, size_t frames, double) { looked_at_ += frames; }});
    JobRunner runner(jobs_, clock_, {.worker = "me", .alone = true});
    runner.Add(job.Kind());
    runner.Start();
    v1::ListJobsRequest request;
    request.add_kinds("model-objectron");
    request.set_subject(clip);
    request.set_page_size(1);
    std::unique_lock lock(mutex_);
    for (;;) {
      const v1::Job newest = jobs_.List(request).value().jobs(0);
      if (newest.ended_unix_ns() != 0) return newest;
      changed_.wait_for(lock, std::chrono::milliseconds(20));
    }
  }
  std::optional<v1::Prediction> PredictionOf(const v1::Frame& frame) {
    v1::ListPredictionsRequest request;
    *request.mutable_frame() = frame.id();
    const auto list = Predictions(catalog_->database()).List(request).value();
    if (list.predictions().empty()) return std::nullopt;
    return list.predictions(0);
  }

  ModelsConfig config_ = RealModels();
  KeepEmbedding keep_;
  size_t looked_at_ = 0;
  uint64_t clips_ = 0;
};

TEST_F(ModelJobTest, WhatTheModelFindsInAClipBecomesPredictionsInTheSchemasTerms) {
  NEEDS_MODEL();
  MakeSchema();
  const std::string clip = AddCheckedClip();
  const auto frames = FramesOf(clip);
  ASSERT_GT(frames.size(), 4u);
  const v1::Job job = LookAt(clip);
  EXPECT_EQ(job.state(), v1::Job::STATE_DONE) << job.error();
  EXPECT_EQ(job.result(), fmt::format("{} frames", frames.size()));
  EXPECT_EQ(looked_at_, frames.size());
  size_t with_box = 0;
  for (const v1::Frame& frame : frames) {
    const auto prediction = PredictionOf(frame);
    ASSERT_TRUE(prediction.has_value());
    EXPECT_EQ(prediction->model(), "objectron");
    EXPECT_EQ(prediction->model_version(), "0.4");
    for (const v1::LabelBox& box : prediction->annotation().boxes()) {
      EXPECT_GE(box.confidence(), 0.3);
      EXPECT_GE(box.class_id(), 11u);
      if (box.class_id() == 12) ++with_box;
    }
  }
  EXPECT_GE(with_box, frames.size() / 2);
}

TEST_F(ModelJobTest, FramesThatItHasLookedAtAreNotLookedAtAgain) {
  NEEDS_MODEL();
  MakeSchema();
  const std::string clip = AddCheckedClip();
  LookAt(clip);
  const size_t once = looked_at_;
  EXPECT_EQ(LookAt(clip).result(), "no frames that it hasn't looked at");
  EXPECT_EQ(looked_at_, once);
  config_.models[0].version = "0.5";
  LookAt(clip);
  EXPECT_EQ(looked_at_, 2 * once);
}

TEST_F(ModelJobTest, WithoutTheSchemaTheJobSaysWhatToDoAndEmbeddingsAreKept) {
  NEEDS_MODEL();
  std::vector<std::string> kept;
  size_t dims = 0;
  keep_ = [&](Sql&, const FrameName& frame, std::string_view model, std::span<const float> vector) {
    kept.push_back(fmt::format("{} {} {}", frame.camera, frame.pts, model));
    dims = vector.size();
    return absl::OkStatus();
  };
  const std::string clip = AddCheckedClip();
  const v1::Job job = LookAt(clip);
  EXPECT_EQ(job.state(), v1::Job::STATE_DONE) << job.error();
  EXPECT_THAT(job.result(), HasSubstr("there is no schema things yet. Make it, then: gleaner "
                                      "models run objectron"));
  const auto frames = FramesOf(clip);
  ASSERT_EQ(kept.size(), frames.size());
  EXPECT_EQ(kept[0], fmt::format("front {} objectron/0.4", frames[0].id().pts()));
  EXPECT_EQ(dims, 1280u);
  EXPECT_FALSE(PredictionOf(frames[0]).has_value());
  MakeSchema();
  EXPECT_EQ(LookAt(clip).result(), fmt::format("{} frames", frames.size()));
  EXPECT_TRUE(PredictionOf(frames[0]).has_value());
}

TEST_F(ModelJobTest, AClassThatTheSchemaLacksFailsTheJobByName) {
  NEEDS_MODEL();
  MakeSchema({"box"});
  const v1::Job job = LookAt(AddCheckedClip());
  EXPECT_EQ(job.state(), v1::Job::STATE_FAILED);
  EXPECT_THAT(job.error(), HasSubstr("schema things has no class"));
  EXPECT_EQ(job.attempts(), 1u);
}

TEST_F(ModelJobTest, AWorkerThatCrashesFailsTheJobAndNothingElse) {
  MakeSchema();
  config_.worker = folder_ / "impostor";
  config_.models[0].file = "/etc/hostname";
  std::ofstream(config_.worker) << "#!/bin/bash\nkill -SEGV $$\n";
  ::chmod(config_.worker.c_str(), 0755);
  const std::string clip = AddCheckedClip();
  const v1::Job job = LookAt(clip);
  EXPECT_EQ(job.state(), v1::Job::STATE_FAILED);
  EXPECT_THAT(job.error(), HasSubstr("its worker crashed (SIGSEGV)"));
  EXPECT_FALSE(PredictionOf(FramesOf(clip)[0]).has_value());
}

TEST_F(ModelJobTest, AClipThatIsGoneIsNoFault) {
  EXPECT_EQ(LookAt("0123456789abcdef0123").result(), "the clip is gone");
}

}  // namespace
}  // namespace gleaner::cloud
