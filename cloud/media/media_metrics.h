// Media checks in Prometheus' terms.
#pragma once

#include <vector>

#include "gleaner/v1/catalog.pb.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace gleaner::cloud {

// Thread-safe.
class MediaMetrics {
 public:
  MediaMetrics();

  void Count(const v1::MediaCheck& verdict, double seconds);
  std::vector<prometheus::MetricFamily> Collect() { return registry_.Collect(); }

 private:
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& checks_;
  prometheus::Histogram& seconds_;
};

}  // namespace gleaner::cloud
