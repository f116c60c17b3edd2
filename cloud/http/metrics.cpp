#include "cloud/http/metrics.h"

#include <algorithm>
#include <string>

#include "cloud/http/summary.h"
#include "common/log.h"
#include "common/status.h"
#include "common/version.h"
#include "prometheus/text_serializer.h"

namespace gleaner::cloud {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Histogram;

const Histogram::BucketBoundaries kRequestBuckets = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                     0.1,   0.25,   0.5,   1,    2.5,   10};

template <typename Builder>
auto& Plain(Builder builder, prometheus::Registry& registry, const char* name, const char* help) {
  return builder.Name(name).Help(help).Register(registry);
}

}  // namespace

Metrics::Metrics(Database& database, Devices& devices, UploadStaging& staging, Clock& clock,
                 uint64_t free_bytes_floor)
    : database_(database),
      fleet_(devices),
      staging_(staging),
      clock_(clock),
      free_bytes_floor_(free_bytes_floor),
      requests_(Plain(BuildCounter(), registry_, "gleaner_http_requests_total",
                      "HTTP requests answered, by method, route and status.")),
      request_seconds_(Plain(BuildHistogram(), registry_, "gleaner_http_request_duration_seconds",
                             "Time from a request's first byte to the end of its answer.")),
      catalog_up_(Plain(BuildGauge(), registry_, "gleaner_catalog_up",
                        "1 if the catalog answered this scrape and took a change.")
                      .Add({})),
      clips_(Plain(BuildGauge(), registry_, "gleaner_clips", "Clips in the catalog.").Add({})),
      clip_bytes_(Plain(BuildGauge(), registry_, "gleaner_clip_bytes",
                        "Bytes of all objects of all clips in the catalog.")
                      .Add({})),
      room_bytes_(Plain(BuildGauge(), registry_, "gleaner_blob_store_room_bytes",
                        "Room left for new clips: what is free beyond ingest.free_floor.")
                      .Add({})),
      gaps_(Plain(BuildGauge(), registry_, "gleaner_ledger_gaps",
                  "Sequence numbers that no device can account for: each one is an alarm.")
                .Add({})),
      devices_(Plain(BuildGauge(), registry_, "gleaner_devices", "Devices by state.")),
      media_state_(Plain(BuildGauge(), registry_, "gleaner_clips_checked",
                         "Clips in the catalog whose media check is done, by result.")) {
  Plain(BuildGauge(), registry_, "gleaner_build_info", "Always 1; the label says the version.")
      .Add({{"version", std::string(Version())}})
      .Set(1);
}

void Metrics::CountRequest(std::string_view method, std::string_view route, int status,
                           double seconds) {
  requests_
      .Add({{"method", std::string(method)},
            {"route", std::string(route)},
            {"status", std::to_string(status)}})
      .Increment();
  request_seconds_.Add({{"route", std::string(route)}}, kRequestBuckets).Observe(seconds);
}

void Metrics::AddSource(std::function<std::vector<prometheus::MetricFamily>()> source) {
  sources_.push_back(std::move(source));
}

void Metrics::AskCatalog() {
  if (const auto free = staging_.FreeBytes(); free.ok()) {
    room_bytes_.Set(static_cast<double>(*free - std::min(*free, free_bytes_floor_)));
  }
  // A catalog that reads and does not write takes no clip: that is down.
  const absl::Status writes = database_.Check();
  const auto summary = ReadSummary(database_, fleet_, clock_.WallNs());
  const auto devices = fleet_.Count(clock_.WallNs());
  catalog_up_.Set(writes.ok() && summary.ok() && devices.ok());
  if (!writes.ok()) LOG_WARN("metrics: the catalog takes no changes: {}", Message(writes));
  if (!summary.ok() || !devices.ok()) {
    LOG_WARN("metrics: the catalog does not answer: {}",
             Message(summary.ok() ? devices.status() : summary.status()));
    return;
  }
  clips_.Set(static_cast<double>(summary->clips()));
  clip_bytes_.Set(static_cast<double>(summary->bytes()));
  gaps_.Set(static_cast<double>(summary->ledger_gaps()));
  media_state_.Add({{"result", "ok"}}).Set(static_cast<double>(summary->media_ok()));
  media_state_.Add({{"result", "failed"}}).Set(static_cast<double>(summary->media_failed()));
  devices_.Add({{"state", "online"}}).Set(static_cast<double>(devices->online));
  devices_.Add({{"state", "offline"}}).Set(static_cast<double>(devices->offline));
  devices_.Add({{"state", "degraded"}}).Set(static_cast<double>(devices->degraded));
}

std::string Metrics::Render() {
  AskCatalog();
  std::vector<prometheus::MetricFamily> families = registry_.Collect();
  for (const auto& source : sources_) {
    for (auto& family : source()) families.push_back(std::move(family));
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace gleaner::cloud
