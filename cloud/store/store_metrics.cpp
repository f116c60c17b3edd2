#include "cloud/store/store_metrics.h"

namespace gleaner::cloud {
namespace {

prometheus::MetricFamily Gauge(const char* name, const char* help, uint64_t value) {
  prometheus::ClientMetric metric;
  metric.gauge.value = static_cast<double>(value);
  return {name, help, prometheus::MetricType::Gauge, {metric}};
}

}  // namespace

std::vector<prometheus::MetricFamily> StoreMetrics(BlobNames& names) {
  const auto totals = names.Sum();
  if (!totals.ok()) return {};
  return {Gauge("gleaner_blob_store_kept_bytes",
                "Bytes that nothing names and that may be somebody's: `gleaner-cloud kept`.",
                totals->kept_bytes),
          Gauge("gleaner_blob_store_rubbish_bytes",
                "Bytes of given up uploads that are not freed yet.", totals->rubbish_bytes)};
}

}  // namespace gleaner::cloud
