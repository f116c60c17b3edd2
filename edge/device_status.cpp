#include "edge/device_status.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstdint>

#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/text.h"
#include "edge/health/status_socket.h"
#include "edge/spool/status.h"

namespace gleaner::edge {
namespace {

// A clock that is off by less is as right as most are.
constexpr double kClockOffS = 5;

void AddProblem(std::string part, std::string text, v1::DeviceStatus* status) {
  v1::Problem* problem = status->add_problems();
  problem->set_part(std::move(part));
  problem->set_text(ValidUtf8(text));
}

std::string StateOf(const v1::CameraHealth& camera) {
  switch (camera.state()) {
    case v1::CameraHealth::STATE_STREAMING:
      return "streaming";
    case v1::CameraHealth::STATE_ENDED:
      return "ended";
    default:
      return "reconnecting";
  }
}

std::string CameraTable(const v1::DeviceStatus& status) {
  Table table({{"CAMERA"}, {"STATE"}, {"SENDS"}, {"RATE", true}, {"LAST PACKET"}, {"ENCODER"}});
  for (const v1::CameraStatus& camera : status.cameras()) {
    const v1::CameraDescription& what = camera.description();
    const v1::CameraHealth& how = camera.health();
    const std::string sends =
        what.codec().empty()
            ? what.source()
            : fmt::format("{} {} {}×{}", what.source(), what.codec(), what.width(), what.height());
    const std::string last = how.frames_total() == 0 ? "none yet"
                             : how.silent_ms() < 1000
                                 ? fmt::format("{} ms ago", how.silent_ms())
                                 : Span(static_cast<int64_t>(how.silent_ms() / 1000)) + " ago";
    table.Add({Printable(what.name()), StateOf(how), Printable(sends),
               how.frames_per_s() > 0 ? fmt::format("{:.1f}/s", how.frames_per_s()) : "-", last,
               what.encoder().empty() ? "-" : Printable(what.encoder())});
  }
  return table.empty() ? "" : "\n" + table.Render();
}

std::string RuleTable(const v1::DeviceStatus& status) {
  Table table({{"RULE"}, {"FIRED", true}, {"LAST"}, {"PRIORITY", true}, {"WHEN"}});
  for (const v1::RuleStatus& rule : status.rules()) {
    table.Add({Printable(rule.description().name()), std::to_string(rule.firings()),
               Ago(rule.last_fired_unix_ns(), status.now().wall_unix_ns()),
               std::to_string(rule.description().priority()),
               Printable(rule.description().expression())});
  }
  return table.empty() ? "" : "\n" + table.Render();
}

std::string SensorTable(const v1::DeviceStatus& status) {
  Table table({{"SENSOR"}, {"LAST"}, {"VALUE"}, {"TAKEN", true}, {"DROPPED", true}});
  for (const v1::SensorStatus& sensor : status.sensors()) {
    const bool plain = sensor.unit().empty() || sensor.unit() == "1";
    const std::string unit = plain ? "" : " " + Printable(sensor.unit());
    table.Add({Printable(sensor.name()), Ago(sensor.last_unix_ns(), status.now().wall_unix_ns()),
               sensor.event() ? "event"
               : sensor.last().empty()
                   ? "-"
                   : fmt::format("{:g}{}", fmt::join(sensor.last(), ", "), unit),
               std::to_string(sensor.taken_total()),
               std::to_string(sensor.dropped_total() + sensor.lost_total())});
  }
  return table.empty() ? "" : "\n" + table.Render();
}

std::string ServerText(const v1::DeviceStatus& status) {
  const v1::ServerStatus& server = status.server();
  std::string text = fmt::format("server     {}, {}", Printable(server.address()),
                                 server.connected() ? "connected" : "not connected");
  if (!server.policy_version().empty()) {
    text += ", policy " + Printable(server.policy_version());
  }
  const double ahead_s = static_cast<double>(server.ahead_ns()) / kNanosPerSecond;
  if (std::abs(ahead_s) > kClockOffS) {
    text += fmt::format("; this clock is {} {} the server's",
                        Span(static_cast<int64_t>(std::abs(ahead_s))),
                        ahead_s > 0 ? "behind" : "ahead of");
  }
  const v1::UploadHealth& upload = status.upload();
  text += fmt::format("\nupload     {}", Printable(upload.state()));
  if (upload.rate_bytes_per_s() > 0) {
    text += fmt::format(", {}/s", HumanBytes(upload.rate_bytes_per_s()));
  }
  text += fmt::format(", {} sent since the start", HumanBytes(upload.sent_bytes_total()));
  if (upload.cap_bytes_per_s() > 0) {
    text += fmt::format(", at most {}/s", HumanBytes(upload.cap_bytes_per_s()));
  }
  return text + "\n";
}

}  // namespace

absl::StatusOr<v1::DeviceStatus> ReadDeviceStatus(const Config& config, const Clock& clock) {
  const std::string& directory = config.spool.directory;
  v1::DeviceStatus status;
  auto told = AskDaemon(directory);
  if (told.ok()) {
    status = *std::move(told);
  } else {
    status.set_device(config.device);
    status.set_site(config.site);
    AddProblem("daemon", std::string(Message(told.status())), &status);
  }
  auto spool = ReadSpoolStatus(directory, clock);
  if (spool.ok()) {
    *status.mutable_spool() = *std::move(spool);
    return status;
  }
  if (absl::IsPermissionDenied(spool.status()) || absl::IsPermissionDenied(told.status())) {
    return Annotate(spool.status(), "the spool is its daemon's and root's to look into");
  }
  if (!told.ok() && absl::IsNotFound(spool.status())) {
    return absl::NotFoundError(
        fmt::format("{}, and there is no spool in {}", Message(told.status()), directory));
  }
  if (!told.ok()) return spool.status();
  AddProblem("spool", std::string(Message(spool.status())), &status);
  return status;
}

std::string ToText(const v1::DeviceStatus& status) {
  std::string text =
      fmt::format("device     {}{}\n", status.device().empty() ? "-" : Printable(status.device()),
                  status.site().empty() ? "" : " at " + Printable(status.site()));
  if (status.running()) {
    text += fmt::format("daemon     {}, up {}, {:.1f} % of a core, {}\n",
                        Printable(status.software_version()),
                        Span(static_cast<int64_t>(status.process().uptime_s())),
                        status.process().cpu_percent(), HumanBytes(status.process().rss_bytes()));
    text += ServerText(status);
  }
  if (status.has_spool()) text += ToText(status.spool());
  if (!status.problems().empty()) text += "\nproblems\n";
  for (const v1::Problem& problem : status.problems()) {
    text += fmt::format("  {}{}\n", problem.part().empty() ? "" : Printable(problem.part()) + ": ",
                        Printable(problem.text()));
  }
  return text + CameraTable(status) + SensorTable(status) + RuleTable(status);
}

}  // namespace gleaner::edge
