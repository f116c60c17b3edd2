#include "cloud/model/model_metrics.h"

namespace gleaner::cloud {
namespace {

const prometheus::Histogram::BucketBoundaries kBuckets = {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};

}  // namespace

ModelMetrics::ModelMetrics(const ModelsConfig& config)
    : frames_(prometheus::BuildCounter()
                  .Name("gleaner_model_frames_total")
                  .Help("Frames that a model has looked at since the server started.")
                  .Register(registry_)),
      seconds_(prometheus::BuildHistogram()
                   .Name("gleaner_model_run_duration_seconds")
                   .Help("Time for a model's worker to look at the frames of a clip.")
                   .Register(registry_)) {
  for (const ModelConfig& model : config.models) {
    CounterOf(model.name);
    seconds_.Add({{"model", model.name}}, kBuckets);
  }
}

void ModelMetrics::Count(const std::string& model, size_t frames, double seconds) {
  CounterOf(model).Increment(static_cast<double>(frames));
  seconds_.Add({{"model", model}}, kBuckets).Observe(seconds);
}

uint64_t ModelMetrics::frames(const std::string& model) {
  return static_cast<uint64_t>(CounterOf(model).Value());
}

}  // namespace gleaner::cloud
