// What models do, in Prometheus' terms.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cloud/model/model_config.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace gleaner::cloud {

// Thread-safe.
class ModelMetrics {
 public:
  // All models are there from the beginning.
  explicit ModelMetrics(const ModelsConfig& config);

  // So many frames in one run of the worker.
  void Count(const std::string& model, size_t frames, double seconds);
  uint64_t frames(const std::string& model);
  std::vector<prometheus::MetricFamily> Collect() { return registry_.Collect(); }

 private:
  prometheus::Counter& CounterOf(const std::string& model) {
    return frames_.Add({{"model", model}});
  }

  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& frames_;
  prometheus::Family<prometheus::Histogram>& seconds_;
};

}  // namespace gleaner::cloud
