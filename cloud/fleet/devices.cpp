#include "cloud/fleet/devices.h"

#include <fmt/format.h>

#include <array>
#include <map>

#include "cloud/clips/clip_rows.h"
#include "cloud/fleet/device_events.h"
#include "cloud/ledger/ledger.h"
#include "common/status.h"
#include "common/text.h"

namespace gleaner::cloud {
namespace {

constexpr std::array<std::string_view, 1> kMigrations = {R"(
  CREATE TABLE device (
    name TEXT NOT NULL PRIMARY KEY, site TEXT NOT NULL,
    first_seen_ns BIGINT NOT NULL, last_seen_ns BIGINT NOT NULL,
    hello BYTES NOT NULL, heartbeat BYTES NOT NULL);
  -- Cameras whose pictures came damaged, while that is news.
  CREATE TABLE camera_damage (
    device TEXT NOT NULL, camera TEXT NOT NULL, clips BIGINT NOT NULL, frames BIGINT NOT NULL,
    first_ns BIGINT NOT NULL, last_ns BIGINT NOT NULL, PRIMARY KEY (device, camera));
)"};

// Empty when the camera does what it should.
std::string FaultOf(const v1::CameraHealth& camera) {
  const std::string& problem = camera.problem();
  const std::string why = problem.empty() ? "" : ": " + problem;
  switch (camera.state()) {
    case v1::CameraHealth::STATE_STREAMING:
      return problem;
    case v1::CameraHealth::STATE_RECONNECTING:
      return "reconnecting" + why;
    case v1::CameraHealth::STATE_ENDED:
      return "ended" + why;
    default:
      return "in no known state" + why;
  }
}

// All that is wrong, each fault once.
void FindProblems(v1::Device* device) {
  const auto add = [device](const std::string& part, const std::string& text) {
    if (text.empty()) return;
    v1::Problem* problem = device->add_problems();
    problem->set_part(part);
    problem->set_text(text);
  };
  const v1::HeartbeatRequest& heartbeat = device->heartbeat();
  // A device that has no list yet has one sentence, which may repeat what a camera says.
  bool repeats = !heartbeat.problems().empty();
  for (const v1::Problem& problem : heartbeat.problems()) add(problem.part(), problem.text());
  for (const v1::CameraHealth& camera : heartbeat.cameras()) {
    const std::string part = "camera " + camera.name();
    const std::string fault = FaultOf(camera);
    add(part, fault);
    repeats |= !fault.empty() && heartbeat.problem().starts_with(part + ":");
  }
  if (!repeats) add("", heartbeat.problem());
  if (const uint64_t gaps = device->ledger().gaps(); gaps > 0) {
    add("ledger", gleaner::Count(gaps, "sequence number") + " unaccounted for");
  }
  std::string line;
  for (const v1::Problem& problem : device->problems()) {
    line += fmt::format("{}{}{}{}", line.empty() ? "" : "; ", problem.part(),
                        problem.part().empty() ? "" : ": ", problem.text());
  }
  device->set_problem(line);
}

// Every number given out is in exactly one of the counts.
void Balance(v1::LedgerSummary* ledger) {
  const uint64_t ended = ledger->committed() + ledger->evicted() + ledger->expired() +
                         ledger->suppressed() + ledger->failed() + ledger->gaps();
  ledger->set_pending(ledger->fired() > ended ? ledger->fired() - ended : 0);
}

// Once its heartbeat and its gaps are known.
void Judge(v1::Device* device, int64_t online_since_ns) {
  FindProblems(device);
  if (device->last_seen_unix_ns() < online_since_ns) {
    device->set_state(v1::Device::STATE_OFFLINE);
  } else if (!device->problems().empty()) {
    device->set_state(v1::Device::STATE_DEGRADED);
  } else {
    device->set_state(v1::Device::STATE_ONLINE);
  }
}

// All devices, or the one of that name; what is asked for devices one by one is not in it.
v1::ListDevicesResponse ReadDevices(Sql& sql, std::string_view only, int64_t online_since_ns) {
  v1::ListDevicesResponse response;
  std::string name, site, hello, heartbeat;
  int64_t last_seen = 0;
  BytesOut hello_out{&hello}, heartbeat_out{&heartbeat};
  Parameters parameters;
  std::string condition = "1 = 1";
  if (!only.empty()) {
    condition = fmt::format("name = {}", parameters.NextName());
    parameters.Add(only);
  }
  sql.QueryOnce(
      fmt::format(
          "SELECT name, site, last_seen_ns, hello, heartbeat FROM device WHERE {} ORDER BY name",
          condition),
      parameters, Out(name, site, last_seen, hello_out, heartbeat_out), [&] {
        v1::Device* device = response.add_devices();
        device->set_name(name);
        device->set_site(site);
        device->set_last_seen_unix_ns(last_seen);
        if (!hello.empty()) device->mutable_hello()->ParseFromString(hello);
        if (!heartbeat.empty()) device->mutable_heartbeat()->ParseFromString(heartbeat);
      });
  auto ledgers = ReadLedgers(sql, only);
  auto clips = CountClipsByDevice(sql, only);
  auto conflicts = CountConflicts(sql, only);
  for (v1::Device& device : *response.mutable_devices()) {
    *device.mutable_ledger() = std::move(ledgers[device.name()]);
    const ClipCount& count = clips[device.name()];
    device.set_clips(count.clips);
    device.set_bytes(count.bytes);
    device.mutable_ledger()->set_committed(count.clips);
    device.set_conflict_count(conflicts[device.name()]);
    Balance(device.mutable_ledger());
    Judge(&device, online_since_ns);
  }
  return response;
}

DeviceCounts ReadCounts(Sql& sql, int64_t online_since_ns) {
  DeviceCounts counts;
  const auto gaps = ReadGapCounts(sql);
  std::string name, heartbeat;
  int64_t last_seen = 0;
  BytesOut heartbeat_out{&heartbeat};
  sql.Query("SELECT name, last_seen_ns, heartbeat FROM device", In(),
            Out(name, last_seen, heartbeat_out), [&] {
              v1::Device device;
              device.set_last_seen_unix_ns(last_seen);
              device.mutable_heartbeat()->ParseFromString(heartbeat);
              if (const auto found = gaps.find(name); found != gaps.end()) {
                device.mutable_ledger()->set_gaps(found->second);
              }
              Judge(&device, online_since_ns);
              counts.online += device.state() == v1::Device::STATE_ONLINE;
              counts.offline += device.state() == v1::Device::STATE_OFFLINE;
              counts.degraded += device.state() == v1::Device::STATE_DEGRADED;
            });
  return counts;
}

}  // namespace

RoomTables FleetTables() { return {.room = "fleet", .migrations = kMigrations}; }

absl::Status Devices::RecordHello(std::string_view device, const v1::HelloRequest& hello,
                                  int64_t unix_ns) {
  const std::string bytes = hello.SerializeAsString();
  return database_.Write([&](Sql& sql) {
    sql.Run(
        "INSERT INTO device (name, site, first_seen_ns, last_seen_ns, hello, heartbeat) VALUES "
        "(:name, :site, :first, :last, :hello, :heartbeat) ON CONFLICT (name) DO UPDATE SET "
        "site = excluded.site, last_seen_ns = excluded.last_seen_ns, hello = excluded.hello",
        In(device, hello.site(), unix_ns, unix_ns, Bytes{bytes}, Bytes{""}));
    sql.Announce(kDeviceHeard, device);
    return absl::OkStatus();
  });
}

absl::Status Devices::RecordHeartbeat(std::string_view device,
                                      const v1::HeartbeatRequest& heartbeat, int64_t unix_ns) {
  const std::string bytes = heartbeat.SerializeAsString();
  return database_.Write([&](Sql& sql) {
    sql.Run(
        "INSERT INTO device (name, site, first_seen_ns, last_seen_ns, hello, heartbeat) VALUES "
        "(:name, '', :first, :last, :hello, :heartbeat) ON CONFLICT (name) DO UPDATE SET "
        "last_seen_ns = excluded.last_seen_ns, heartbeat = excluded.heartbeat",
        In(device, unix_ns, unix_ns, Bytes{""}, Bytes{bytes}));
    sql.Announce(kDeviceHeard, device);
    return absl::OkStatus();
  });
}

absl::StatusOr<v1::ListDevicesResponse> Devices::List(int64_t now_unix_ns) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::ListDevicesResponse> {
    return ReadDevices(sql, "", now_unix_ns - offline_after_ns_);
  });
}

absl::StatusOr<v1::Device> Devices::Get(std::string_view name, int64_t now_unix_ns) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::Device> {
    v1::ListDevicesResponse found;
    if (!name.empty()) found = ReadDevices(sql, name, now_unix_ns - offline_after_ns_);
    if (found.devices().empty()) {
      return absl::NotFoundError(fmt::format("no device has the name \"{}\"", name));
    }
    v1::Device device = std::move(*found.mutable_devices(0));
    ReadRecentTombstones(sql, device.name(), device.mutable_ledger());
    ReadRecentConflicts(sql, &device);
    return device;
  });
}

absl::StatusOr<DeviceCounts> Devices::Count(int64_t now_unix_ns) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<DeviceCounts> {
    return ReadCounts(sql, now_unix_ns - offline_after_ns_);
  });
}

void Devices::ReadSummary(Sql& sql, int64_t now_unix_ns, v1::GetSummaryResponse* summary) const {
  uint32_t devices = 0, online = 0;
  sql.Query("SELECT COUNT(*) FROM device", In(), Out(devices), [] {});
  sql.Query("SELECT COUNT(*) FROM device WHERE last_seen_ns >= :since",
            In(now_unix_ns - offline_after_ns_), Out(online), [] {});
  summary->set_devices(devices);
  summary->set_devices_online(online);
}

}  // namespace gleaner::cloud
