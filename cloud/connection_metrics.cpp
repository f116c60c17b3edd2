#include "cloud/connection_metrics.h"

#include <string>
#include <utility>

namespace gleaner::cloud {
namespace {

using Samples = std::vector<std::pair<std::string, uint64_t>>;

prometheus::MetricFamily Family(const char* name, const char* help, prometheus::MetricType type,
                                const std::string& label, const Samples& samples) {
  prometheus::MetricFamily family{name, help, type, {}};
  for (const auto& [value, count] : samples) {
    prometheus::ClientMetric& metric = family.metric.emplace_back();
    if (!label.empty()) metric.label.push_back({label, value});
    (type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) =
        static_cast<double>(count);
  }
  return family;
}

}  // namespace

std::vector<prometheus::MetricFamily> ConnectionMetrics(const AcceptorStats& stats) {
  using enum prometheus::MetricType;
  return {
      Family("gleaner_device_connections",
             "Connections on the devices' port: silent, in their handshake, or in use.", Gauge,
             "state",
             {{"silent", stats.open.silent},
              {"handshake", stats.open.handshake},
              {"in_use", stats.open.in_use}}),
      Family("gleaner_device_connections_accepted_total", "Connections to the devices' port.",
             Counter, "", {{"", stats.accepted}}),
      Family("gleaner_device_connections_refused_total",
             "Of these, closed by the server before their first call, by reason: too many in all "
             "(full) or of one address (address), had to make room for a newer one (displaced), "
             "said nothing in time (silent), made no call in time (no_call), out of files "
             "(no_file).",
             Counter, "reason",
             {{"full", stats.full},
              {"address", stats.address_full},
              {"displaced", stats.displaced},
              {"silent", stats.silent},
              {"no_call", stats.no_call},
              {"no_file", stats.no_file}}),
      Family(
          "gleaner_device_connections_ended_total",
          "Connections in use that the server ended, by reason: more calls than a device makes "
          "(calls), more connections of one device than may be (device), bytes that belong to no "
          "message (flood).",
          Counter, "reason",
          {{"calls", stats.calls}, {"device", stats.device_full}, {"flood", stats.flood}}),
      Family("gleaner_device_port_pauses_total",
             "How often accepting had to wait for files or memory.", Counter, "",
             {{"", stats.pauses}}),
  };
}

}  // namespace gleaner::cloud
