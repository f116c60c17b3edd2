#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/json.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/text.h"
#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cli {
namespace {

std::string StateOf(const v1::Device& device) {
  switch (device.state()) {
    case v1::Device::STATE_ONLINE:
      return "online";
    case v1::Device::STATE_OFFLINE:
      return "offline";
    case v1::Device::STATE_DEGRADED:
      return "degraded";
    default:
      return "unknown";
  }
}

std::string StateOf(const v1::CameraHealth& camera) {
  switch (camera.state()) {
    case v1::CameraHealth::STATE_STREAMING:
      return "streaming";
    case v1::CameraHealth::STATE_RECONNECTING:
      return "reconnecting";
    case v1::CameraHealth::STATE_ENDED:
      return "ended";
    default:
      return "unknown";
  }
}

std::string StateOf(const v1::Tombstone& tombstone) {
  switch (tombstone.state()) {
    case v1::Tombstone::STATE_EVICTED:
      return "evicted";
    case v1::Tombstone::STATE_EXPIRED:
      return "expired";
    case v1::Tombstone::STATE_SUPPRESSED:
      return "suppressed";
    case v1::Tombstone::STATE_FAILED:
      return "failed";
    default:
      return "unknown";
  }
}

bool IsOffline(const v1::Device& device) { return device.state() == v1::Device::STATE_OFFLINE; }

// What an offline device last said is no rate of now.
std::string RateOf(const v1::Device& device) {
  const uint64_t rate = device.heartbeat().upload().rate_bytes_per_s();
  return rate == 0 || IsOffline(device) ? "-" : HumanBytes(rate) + "/s";
}

// Each fault in a line. An offline device's are of when it was last heard of.
std::string ProblemsOf(const v1::Device& device, std::string_view indent, int64_t now_ns) {
  std::string lines;
  for (const v1::Problem& problem : device.problems()) {
    lines += indent;
    if (!problem.part().empty()) lines += Printable(problem.part()) + ": ";
    lines += Printable(problem.text());
    if (IsOffline(device)) {
      lines += fmt::format(" (as of {})", Ago(device.last_seen_unix_ns(), now_ns));
    }
    lines += '\n';
  }
  return lines;
}

absl::StatusOr<v1::ListDevicesResponse> Ask(Client& client, const std::string& name) {
  v1::ListDevicesRequest request;
  request.set_name(name);
  v1::ListDevicesResponse response;
  RETURN_IF_ERROR(client.Call("CatalogService/ListDevices", request, &response));
  return response;
}

absl::Status Json(Client& client, const std::string& name) {
  v1::ListDevicesRequest request;
  request.set_name(name);
  ASSIGN_OR_RETURN(const std::string answer,
                   client.CallJson("CatalogService/ListDevices", request));
  return PrintJsonText(answer);
}

void PrintCameras(const v1::Device& device) {
  Table table({{"CAMERA"}, {"STATE"}, {"SENDS"}, {"RATE", true}, {"ENCODER"}});
  for (const v1::CameraDescription& camera : device.hello().cameras()) {
    const v1::CameraHealth* health = nullptr;
    for (const v1::CameraHealth& one : device.heartbeat().cameras()) {
      if (one.name() == camera.name()) health = &one;
    }
    const double rate = health == nullptr || IsOffline(device) ? 0 : health->frames_per_s();
    table.Add({Printable(camera.name()), health == nullptr ? "unknown" : StateOf(*health),
               camera.codec().empty()
                   ? Printable(camera.source())
                   : fmt::format("{} {} {}×{}", Printable(camera.source()),
                                 Printable(camera.codec()), camera.width(), camera.height()),
               rate > 0 ? fmt::format("{:.1f}/s", rate) : "-", Printable(camera.encoder())});
  }
  if (!table.empty()) fmt::print("\n{}", table.Render());
}

void PrintRules(const v1::Device& device) {
  Table table({{"RULE"}, {"PRIORITY", true}, {"WHEN"}});
  for (const v1::RuleDescription& rule : device.hello().rules()) {
    table.Add(
        {Printable(rule.name()), std::to_string(rule.priority()), Printable(rule.expression())});
  }
  if (!table.empty()) fmt::print("\n{}", table.Render());
}

void PrintLost(const v1::Device& device, int64_t now_ns) {
  Table table({{"ENDED WITHOUT A CLIP"}, {"RULE"}, {"WHEN"}, {"WHY"}});
  for (const v1::Tombstone& tombstone : device.ledger().recent()) {
    table.Add({fmt::format("{} {}", tombstone.key().sequence(), StateOf(tombstone)),
               Printable(tombstone.rule()), Ago(tombstone.at().wall_unix_ns(), now_ns),
               Printable(tombstone.reason())});
  }
  if (!table.empty()) fmt::print("\n{}", table.Render());
}

void PrintConflicts(const v1::Device& device, int64_t now_ns) {
  if (device.conflict_count() == 0) return;
  fmt::print(
      "\n{} in conflict: offered with another manifest than the one taken in. Two devices "
      "share this name, or this one was set back to an older state.\n",
      Count(device.conflict_count(), "clip"));
  for (const v1::Conflict& conflict : device.conflicts()) {
    fmt::print("  clip {} of boot {}, {}, last {}\n", conflict.key().sequence(),
               Hex(conflict.key().boot_id()), Count(conflict.times(), "time"),
               Ago(conflict.last_unix_ns(), now_ns));
  }
}

}  // namespace

absl::Status ListDevices(Client& client, bool json) {
  if (json) return Json(client, "");
  ASSIGN_OR_RETURN(const v1::ListDevicesResponse response, Ask(client, ""));
  if (response.devices().empty()) {
    fmt::print("No device has said hello yet. Start gleaner-edge with this server's address.\n");
    return absl::OkStatus();
  }
  const int64_t now_ns = RealClock().WallNs();
  Table table({{"DEVICE"},
               {"SITE"},
               {"STATE"},
               {"SEEN"},
               {"CLIPS", true},
               {"SIZE", true},
               {"WAITING", true},
               {"UPLOAD", true},
               {"VERSION"}});
  std::string problems;
  for (const v1::Device& device : response.devices()) {
    const std::string name = Printable(device.name());
    table.Add({name, Printable(device.site()), StateOf(device),
               Ago(device.last_seen_unix_ns(), now_ns), std::to_string(device.clips()),
               HumanBytes(device.bytes()),
               std::to_string(device.heartbeat().spool().pending_clips()), RateOf(device),
               Printable(device.hello().software_version())});
    problems += ProblemsOf(device, name + ": ", now_ns);
    if (device.conflict_count() > 0) {
      problems += fmt::format("{0}: {1} in conflict; see `gleaner devices {0}`\n", name,
                              Count(device.conflict_count(), "clip"));
    }
  }
  fmt::print("{}", table.Render());
  if (!problems.empty()) fmt::print("\n{}", problems);
  return absl::OkStatus();
}

absl::Status ShowDevice(Client& client, const std::string& name, bool json) {
  ASSIGN_OR_RETURN(const v1::ListDevicesResponse response, Ask(client, name));
  if (response.devices().empty()) {
    return absl::NotFoundError(fmt::format(
        "there is no device \"{}\"; `gleaner devices` shows those there are", Printable(name)));
  }
  if (json) return Json(client, name);
  const int64_t now_ns = RealClock().WallNs();
  const v1::Device& device = response.devices(0);
  const v1::HeartbeatRequest& heartbeat = device.heartbeat();
  const v1::LedgerSummary& ledger = device.ledger();
  fmt::print("device    {}{}\n", Printable(device.name()),
             device.site().empty() ? "" : " at " + Printable(device.site()));
  fmt::print("state     {}, seen {}\n", StateOf(device), Ago(device.last_seen_unix_ns(), now_ns));
  fmt::print("software  gleaner-edge {} on {}\n", Printable(device.hello().software_version()),
             Printable(device.hello().platform()));
  if (device.has_heartbeat()) {
    fmt::print("process   up {}, {:.1f} % of a core, {}\n",
               Span(static_cast<int64_t>(heartbeat.process().uptime_s())),
               heartbeat.process().cpu_percent(), HumanBytes(heartbeat.process().rss_bytes()));
    fmt::print("spool     {} of {}, {} waiting\n", HumanBytes(heartbeat.spool().used_bytes()),
               HumanBytes(heartbeat.spool().quota_bytes()),
               Count(heartbeat.spool().pending_clips(), "clip"));
    fmt::print("upload    {}{}\n", Printable(heartbeat.upload().state()),
               RateOf(device) == "-" ? "" : ", " + RateOf(device));
  }
  fmt::print("clips     {}, {}\n", device.clips(), HumanBytes(device.bytes()));
  fmt::print(
      "ledger    {} fired: {} committed, {} pending, {} evicted, {} expired, {} suppressed, {} "
      "failed\n",
      ledger.fired(), ledger.committed(), ledger.pending(), ledger.evicted(), ledger.expired(),
      ledger.suppressed(), ledger.failed());
  if (!device.problems().empty()) fmt::print("\nproblems\n{}", ProblemsOf(device, "  ", now_ns));
  PrintCameras(device);
  PrintRules(device);
  PrintLost(device, now_ns);
  PrintConflicts(device, now_ns);
  return absl::OkStatus();
}

}  // namespace gleaner::cli
