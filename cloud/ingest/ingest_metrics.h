// What ingest counts, as Prometheus wants it.
#pragma once

#include <vector>

#include "cloud/ingest/ingest_service.h"
#include "prometheus/metric_family.h"

namespace gleaner::cloud {

std::vector<prometheus::MetricFamily> IngestMetrics(const IngestStats& stats);

}  // namespace gleaner::cloud
