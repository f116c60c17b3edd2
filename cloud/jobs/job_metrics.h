// The queue in Prometheus' terms.
#pragma once

#include <vector>

#include "cloud/jobs/jobs.h"
#include "prometheus/metric_family.h"

namespace gleaner::cloud {

// gleaner_jobs{kind,state}; nothing while the database can't be asked.
std::vector<prometheus::MetricFamily> JobMetrics(Jobs& jobs);

}  // namespace gleaner::cloud
