// What the blob store holds beyond what is in use, as Prometheus wants it.
#pragma once

#include <vector>

#include "cloud/store/blob_names.h"
#include "prometheus/metric_family.h"

namespace gleaner::cloud {

// None while the catalog doesn't answer.
std::vector<prometheus::MetricFamily> StoreMetrics(BlobNames& names);

}  // namespace gleaner::cloud
