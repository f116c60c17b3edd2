#include "cloud/ingest/ingest_metrics.h"

#include <string>

namespace gleaner::cloud {
namespace {

prometheus::MetricFamily Family(const char* name, const char* help, prometheus::MetricType type,
                                uint64_t value) {
  prometheus::ClientMetric metric;
  (type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) =
      static_cast<double>(value);
  return {name, help, type, {metric}};
}

}  // namespace

std::vector<prometheus::MetricFamily> IngestMetrics(const IngestStats& stats) {
  using enum prometheus::MetricType;
  return {
      Family("gleaner_ingest_streams", "Devices with an open upload stream.", Gauge,
             stats.streams_open),
      Family("gleaner_ingest_streams_total", "Upload streams opened.", Counter,
             stats.streams_total),
      Family("gleaner_ingest_bytes_total", "Payload bytes written to the blob store.", Counter,
             stats.bytes_total),
      Family("gleaner_ingest_receipts_total", "Clips committed and acknowledged.", Counter,
             stats.clips_total),
      Family("gleaner_ingest_duplicates_total", "Clips offered again after their receipt.", Counter,
             stats.duplicates_total),
      Family("gleaner_ingest_refusals_total", "Offers and chunks refused.", Counter,
             stats.refusals_total),
      Family("gleaner_ingest_conflicts_total",
             "Clips whose key was committed with another manifest: an operator decides.", Counter,
             stats.conflicts_total),
      Family("gleaner_ingest_breaches_total", "Streams closed because they broke the protocol.",
             Counter, stats.breaches_total),
  };
}

}  // namespace gleaner::cloud
