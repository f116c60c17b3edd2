// /metrics in Prometheus' text format.
//
// Counters live here and are counted as things happen; what the catalog knows (clips, devices,
// gaps) is asked for when Prometheus comes by.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/database/database.h"
#include "cloud/fleet/devices.h"
#include "cloud/store/upload_staging.h"
#include "common/clock.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace gleaner::cloud {

// Thread-safe.
class Metrics {
 public:
  // `free_bytes_floor`: the room on the disk that ingest leaves.
  Metrics(Database& database, Devices& devices, UploadStaging& staging, Clock& clock,
          uint64_t free_bytes_floor);

  // `route` is one of a fixed few ("/media", "/gleaner.v1.CatalogService/ListClips"), never a path
  // from outside.
  void CountRequest(std::string_view method, std::string_view route, int status, double seconds);
  // Another room's families, gathered at each scrape. Call before serving.
  void AddSource(std::function<std::vector<prometheus::MetricFamily>()> source);

  std::string Render();

 private:
  void AskCatalog();

  Database& database_;
  Devices& fleet_;
  UploadStaging& staging_;
  Clock& clock_;
  const uint64_t free_bytes_floor_;
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& request_seconds_;
  prometheus::Gauge& catalog_up_;
  prometheus::Gauge& clips_;
  prometheus::Gauge& clip_bytes_;
  prometheus::Gauge& room_bytes_;
  prometheus::Gauge& gaps_;
  prometheus::Family<prometheus::Gauge>& devices_;
  prometheus::Family<prometheus::Gauge>& media_state_;
  std::vector<std::function<std::vector<prometheus::MetricFamily>()>> sources_;
};

}  // namespace gleaner::cloud
