// What the devices' port counts, as Prometheus wants it.
#pragma once

#include <vector>

#include "cloud/rpc/acceptor.h"
#include "prometheus/metric_family.h"

namespace gleaner::cloud {

std::vector<prometheus::MetricFamily> ConnectionMetrics(const AcceptorStats& stats);

}  // namespace gleaner::cloud
