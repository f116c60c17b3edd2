// Has a model look at the frames of a clip, in the background: what it finds becomes predictions,
// what it says they look like becomes embeddings.
//
// A job for each clip and model (its kind is the model's, so a server without the model leaves it
// to others). Pictures are decoded in the media worker's sandbox, all frames of a video in one
// pass, and looked at in gleaner-model's. What comes of it is written with the job's end, in one
// transaction. Frames of which this version of the model has said all that is wanted before are
// left out: asking twice costs little.
//
// A model that crashes, hangs or talks nonsense fails the job with a sentence that says so, and
// nothing else. A picture that can't be had or read is left out, and told in the job's result.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/frames/frames.h"
#include "cloud/jobs/job_runner.h"
#include "cloud/label/predictions.h"
#include "cloud/model/model_config.h"
#include "cloud/model/model_run.h"
#include "cloud/store/object_store.h"
#include "common/clock.h"

namespace gleaner::cloud {

// The kind of job that has this model look at a clip, which is its subject.
std::string ModelJobKind(std::string_view model);

// Within a room's transaction; may throw SqlError.
void AskForModel(Sql& sql, const ModelConfig& model, std::string_view device,
                 std::string_view clip_id, int64_t now_unix_ns);

// Keeps what a model says a frame looks like. Says before it changes anything what can't be; may
// throw SqlError.
using KeepEmbedding = std::function<absl::Status(
    Sql& sql, const FrameName& frame, std::string_view model, std::span<const float> vector)>;

class ModelJob {
 public:
  struct Options {
    std::string media_worker;  // gleaner-media
    int64_t picture_cpu_ns = 0;
    // Empty: embeddings aren't kept.
    KeepEmbedding keep_embedding;
    // Whether one is kept already; may be empty. May throw SqlError.
    std::function<bool(Sql& sql, const FrameName& frame, std::string_view model)> has_embedding;
    // After a run of the worker; on any thread. May be empty.
    std::function<void(const ModelConfig& model, size_t frames, double seconds)> on_frames;
  };

  // All must outlive it.
  ModelJob(const ModelsConfig& config, const ModelConfig& model, Database& database,
           ObjectStore& objects, Clock& clock, Options options)
      : config_(config),
        model_(model),
        database_(database),
        frames_(database),
        objects_(objects),
        clock_(clock),
        options_(std::move(options)) {}

  // This must outlive the runner.
  JobKind Kind();

 private:
  // A frame, and what the model says of it.
  struct Seen {
    FrameName name;
    model::Said said;
  };
  // The frames of one video that wait for their pictures.
  struct Video {
    FrameVideo place;
    std::vector<int64_t> times;  // ascending
  };
  struct Batch {
    std::vector<FrameName> names;
    std::vector<std::string> pictures;
    size_t bytes = 0;
  };

  absl::Status Run(JobRun& run);
  bool KeepsEmbeddings() const { return options_.keep_embedding && !model_.embedding.empty(); }
  // As embeddings know the model.
  std::string FullName() const { return model_.name + "/" + model_.version; }
  bool IsToBeLookedAt(Sql& sql, const FrameName& name) const;
  absl::StatusOr<std::vector<FrameName>> FramesToLookAt(const std::string& clip);
  absl::StatusOr<std::map<std::string, Video>> VideosOf(const std::vector<FrameName>& names);
  // Adds what the model says of a batch, and empties it.
  absl::Status Look(JobRun& run, Batch& batch, std::vector<Seen>* seen);
  // The most that the pictures it is given need to have.
  uint32_t MaxSide() const;
  absl::Status Write(Sql& sql, const std::vector<Seen>& all);
  absl::StatusOr<std::vector<ModelSaid>> InTermsOf(const v1::LabelSchema& schema,
                                                   const std::vector<Seen>& seen) const;

  const ModelsConfig& config_;
  const ModelConfig& model_;
  Database& database_;
  Frames frames_;
  ObjectStore& objects_;
  Clock& clock_;
  const Options options_;
};

}  // namespace gleaner::cloud
