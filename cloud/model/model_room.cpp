#include "cloud/model/model_room.h"

#include <algorithm>

#include "cloud/model/model_job.h"
#include "cloud/model/model_service.h"
#include "cloud/similar/embeddings.h"

namespace gleaner::cloud {
namespace {

// For the pictures of a video's frames, of which there are a few dozen.
constexpr int64_t kPictureCpuNs = 60 * kNanosPerSecond;

class ModelsOfFrames : public Room {
 public:
  explicit ModelsOfFrames(RoomContext& context)
      : config_(context.config.models),
        metrics_(config_),
        models_(config_, context.database, metrics_, context.clock),
        service_(models_, context.clock, context.words) {
    for (const ModelConfig& model : config_.models) {
      if (!model.missing.empty()) continue;  // which the configuration has warned of
      jobs_.push_back(std::make_unique<ModelJob>(config_, model, context.database, context.objects,
                                                 context.clock, OptionsOf(context)));
    }
    context.with_check.emplace_back(
        [this, &clock = context.clock](Sql& sql, const CheckedClip& clip) {
          Ask(sql, clip, clock);
        });
  }

  std::vector<PeopleService> ForPeople() override {
    return {{v1::ModelService::service_full_name(), &service_}};
  }
  std::vector<JobKind> JobKinds() override {
    std::vector<JobKind> kinds;
    for (const auto& job : jobs_) kinds.push_back(job->Kind());
    return kinds;
  }
  std::vector<prometheus::MetricFamily> Metrics() override { return metrics_.Collect(); }

 private:
  ModelJob::Options OptionsOf(const RoomContext& context) {
    return {.media_worker = context.config.media_worker,
            .picture_cpu_ns = std::min(context.config.media_cpu_ns, kPictureCpuNs),
            .keep_embedding = PutEmbedding,
            .has_embedding =
                [](Sql& sql, const FrameName& frame, std::string_view model) {
                  return !ReadEmbedding(sql, frame, model).empty();
                },
            .on_frames = [this](const ModelConfig& model, size_t frames,
                                double seconds) { metrics_.Count(model.name, frames, seconds); }};
  }
  // A clip's frames are there: the models look at them next.
  void Ask(Sql& sql, const CheckedClip& clip, Clock& clock) {
    if (clip.videos.empty()) return;
    for (const ModelConfig& model : config_.models) {
      if (model.missing.empty()) {
        AskForModel(sql, model, clip.manifest.device(), clip.id, clock.WallNs());
      }
    }
  }

  const ModelsConfig& config_;
  ModelMetrics metrics_;
  Models models_;
  ModelService service_;
  std::vector<std::unique_ptr<ModelJob>> jobs_;
};

}  // namespace

RoomEntry ModelRoom() {
  return {.open = [](RoomContext& context) -> std::unique_ptr<Room> {
    return std::make_unique<ModelsOfFrames>(context);
  }};
}

}  // namespace gleaner::cloud
