#include "cloud/jobs/job_metrics.h"

namespace gleaner::cloud {

std::vector<prometheus::MetricFamily> JobMetrics(Jobs& jobs) {
  const auto counts = jobs.Count();
  if (!counts.ok()) return {};
  prometheus::MetricFamily family{
      "gleaner_jobs",
      "Background work that waits, runs, or has failed and is not forgotten yet.",
      prometheus::MetricType::Gauge,
      {}};
  for (const v1::JobCount& count : *counts) {
    const std::pair<const char*, uint64_t> states[] = {
        {"waiting", count.waiting()}, {"running", count.running()}, {"failed", count.failed()}};
    for (const auto& [state, value] : states) {
      prometheus::ClientMetric metric;
      metric.label = {{"kind", count.kind()}, {"state", state}};
      metric.gauge.value = static_cast<double>(value);
      family.metric.push_back(metric);
    }
  }
  return {family};
}

}  // namespace gleaner::cloud
