// Devices: what they said last, and what follows from it.
#include <fmt/format.h>

#include <map>

#include "cloud/store/sqlite_catalog.h"
#include "common/status.h"
#include "common/text.h"

namespace gleaner::cloud {
namespace {

constexpr int kRecentTombstones = 20;
constexpr int kRecentConflicts = 20;

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
    add("ledger", Count(gaps, "sequence number") + " unaccounted for");
  }
  std::string line;
  for (const v1::Problem& problem : device->problems()) {
    line += fmt::format("{}{}{}{}", line.empty() ? "" : "; ", problem.part(),
                        problem.part().empty() ? "" : ": ", problem.text());
  }
  device->set_problem(line);
}

void ReadRecentTombstones(Sql& sql, const std::string& device, v1::LedgerSummary* ledger) {
  std::string boot_id, reason, rule;
  uint64_t sequence = 0;
  int state = 0;
  int64_t monotonic = 0, wall = 0, uncertainty = 0;
  sql.Query(
      "SELECT boot_id, sequence, state, reason, rule, monotonic_ns, wall_ns, uncertainty_ns FROM "
      "tombstone WHERE device = :device ORDER BY number DESC LIMIT :limit",
      In(device, kRecentTombstones),
      Out(boot_id, sequence, state, reason, rule, monotonic, wall, uncertainty), [&] {
        v1::Tombstone* tombstone = ledger->add_recent();
        tombstone->mutable_key()->set_boot_id(Unhex(boot_id));
        tombstone->mutable_key()->set_sequence(sequence);
        tombstone->set_state(static_cast<v1::Tombstone::State>(state));
        tombstone->set_reason(reason);
        tombstone->set_rule(rule);
        tombstone->mutable_at()->set_monotonic_ns(monotonic);
        tombstone->mutable_at()->set_wall_unix_ns(wall);
        tombstone->mutable_at()->set_wall_uncertainty_ns(uncertainty);
      });
}

void ReadRecentConflicts(Sql& sql, v1::Device* device) {
  std::string boot_id, offered;
  uint64_t sequence = 0, times = 0;
  int64_t first = 0, last = 0;
  sql.Query(
      "SELECT boot_id, sequence, offered, first_ns, last_ns, times FROM conflict WHERE device = "
      ":device ORDER BY last_ns DESC, boot_id, sequence LIMIT :limit",
      In(device->name(), kRecentConflicts), Out(boot_id, sequence, offered, first, last, times),
      [&] {
        v1::Conflict* conflict = device->add_conflicts();
        conflict->mutable_key()->set_boot_id(Unhex(boot_id));
        conflict->mutable_key()->set_sequence(sequence);
        conflict->set_offered_sha256(Unhex(offered));
        conflict->set_first_unix_ns(first);
        conflict->set_last_unix_ns(last);
        conflict->set_times(times);
      });
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

// A condition on `column` for one device, none for all of them (an empty `name`).
std::string Only(const char* column, std::string_view name, Parameters& parameters) {
  if (name.empty()) return "1 = 1";
  const std::string condition = fmt::format("{} = {}", column, parameters.NextName());
  parameters.Add(name);
  return condition;
}

// All devices, or the one of that name; what is asked for devices one by one is not in it.
v1::ListDevicesResponse ReadDevices(Sql& sql, std::string_view only, int64_t online_since_ns) {
  v1::ListDevicesResponse response;
  std::map<std::string, v1::Device*, std::less<>> by_name;
  std::string name, site, hello, heartbeat;
  int64_t last_seen = 0;
  BytesOut hello_out{&hello}, heartbeat_out{&heartbeat};
  Parameters of_device, of_tally, of_conflict;
  sql.QueryOnce(
      fmt::format("SELECT name, site, last_seen_ns, hello, heartbeat FROM device WHERE {} ORDER BY "
                  "name",
                  Only("name", only, of_device)),
      of_device, Out(name, site, last_seen, hello_out, heartbeat_out), [&] {
        v1::Device* device = response.add_devices();
        device->set_name(name);
        device->set_site(site);
        device->set_last_seen_unix_ns(last_seen);
        if (!hello.empty()) device->mutable_hello()->ParseFromString(hello);
        if (!heartbeat.empty()) device->mutable_heartbeat()->ParseFromString(heartbeat);
        device->mutable_ledger();
      });
  for (v1::Device& device : *response.mutable_devices()) by_name[device.name()] = &device;

  std::string dimension;
  uint64_t clips = 0, bytes = 0;
  sql.QueryOnce(
      fmt::format("SELECT dimension, value, clips, bytes FROM tally WHERE dimension IN ('device', "
                  "'fired', 'evicted', 'expired', 'suppressed', 'failed', 'gaps') AND {}",
                  Only("value", only, of_tally)),
      of_tally, Out(dimension, name, clips, bytes), [&] {
        const auto found = by_name.find(name);
        if (found == by_name.end()) return;
        v1::LedgerSummary* ledger = found->second->mutable_ledger();
        if (dimension == "device") {
          found->second->set_clips(clips);
          found->second->set_bytes(bytes);
          ledger->set_committed(clips);
        } else if (dimension == "fired") {
          ledger->set_fired(clips);
        } else if (dimension == "evicted") {
          ledger->set_evicted(clips);
        } else if (dimension == "expired") {
          ledger->set_expired(clips);
        } else if (dimension == "suppressed") {
          ledger->set_suppressed(clips);
        } else if (dimension == "failed") {
          ledger->set_failed(clips);
        } else {
          ledger->set_gaps(clips);
        }
      });
  uint64_t conflicts = 0;
  sql.QueryOnce(fmt::format("SELECT device, COUNT(*) FROM conflict WHERE {} GROUP BY device",
                            Only("device", only, of_conflict)),
                of_conflict, Out(name, conflicts), [&] {
                  const auto found = by_name.find(name);
                  if (found != by_name.end()) found->second->set_conflict_count(conflicts);
                });
  for (v1::Device& device : *response.mutable_devices()) {
    Balance(device.mutable_ledger());
    Judge(&device, online_since_ns);
  }
  return response;
}

DeviceCounts ReadCounts(Sql& sql, int64_t online_since_ns) {
  DeviceCounts counts;
  std::map<std::string, uint64_t, std::less<>> gaps;
  std::string name, heartbeat;
  uint64_t of_device = 0;
  sql.Query("SELECT value, clips FROM tally WHERE dimension = 'gaps'", In(), Out(name, of_device),
            [&] { gaps[name] = of_device; });
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

absl::Status SqliteCatalog::RecordHello(std::string_view device, const v1::HelloRequest& hello,
                                        int64_t unix_ns) {
  const std::string bytes = hello.SerializeAsString();
  return Write([&](Sql& sql) {
    sql.Run(
        "INSERT INTO device (name, site, first_seen_ns, last_seen_ns, hello, heartbeat) VALUES "
        "(:name, :site, :first, :last, :hello, :heartbeat) ON CONFLICT (name) DO UPDATE SET "
        "site = excluded.site, last_seen_ns = excluded.last_seen_ns, hello = excluded.hello",
        In(device, hello.site(), unix_ns, unix_ns, Bytes{bytes}, Bytes{""}));
    return absl::OkStatus();
  });
}

absl::Status SqliteCatalog::RecordHeartbeat(std::string_view device,
                                            const v1::HeartbeatRequest& heartbeat,
                                            int64_t unix_ns) {
  const std::string bytes = heartbeat.SerializeAsString();
  return Write([&](Sql& sql) {
    sql.Run(
        "INSERT INTO device (name, site, first_seen_ns, last_seen_ns, hello, heartbeat) VALUES "
        "(:name, '', :first, :last, :hello, :heartbeat) ON CONFLICT (name) DO UPDATE SET "
        "last_seen_ns = excluded.last_seen_ns, heartbeat = excluded.heartbeat",
        In(device, unix_ns, unix_ns, Bytes{""}, Bytes{bytes}));
    return absl::OkStatus();
  });
}

absl::StatusOr<v1::ListDevicesResponse> SqliteCatalog::ListDevices(int64_t now_unix_ns) {
  return Reading([&](Sql& sql) -> absl::StatusOr<v1::ListDevicesResponse> {
    return ReadDevices(sql, "", now_unix_ns - options_.offline_after_ns);
  });
}

absl::StatusOr<v1::Device> SqliteCatalog::GetDevice(std::string_view name, int64_t now_unix_ns) {
  return Reading([&](Sql& sql) -> absl::StatusOr<v1::Device> {
    v1::ListDevicesResponse found;
    if (!name.empty()) found = ReadDevices(sql, name, now_unix_ns - options_.offline_after_ns);
    if (found.devices().empty()) {
      return absl::NotFoundError(fmt::format("no device has the name \"{}\"", name));
    }
    v1::Device device = std::move(*found.mutable_devices(0));
    ReadRecentTombstones(sql, device.name(), device.mutable_ledger());
    ReadRecentConflicts(sql, &device);
    return device;
  });
}

absl::StatusOr<DeviceCounts> SqliteCatalog::CountDevices(int64_t now_unix_ns) {
  return Reading([&](Sql& sql) -> absl::StatusOr<DeviceCounts> {
    return ReadCounts(sql, now_unix_ns - options_.offline_after_ns);
  });
}

}  // namespace gleaner::cloud
