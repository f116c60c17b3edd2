// Devices: what they said last, and what follows from it.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "gleaner/v1/catalog.pb.h"
#include "gleaner/v1/fleet.pb.h"

namespace gleaner::cloud {

RoomTables FleetTables();

// By Device.state.
struct DeviceCounts {
  uint64_t online = 0;
  uint64_t offline = 0;
  uint64_t degraded = 0;
};

// Thread-safe; blocks. Errors as Database. `now_unix_ns` decides who is offline.
class Devices {
 public:
  // A device that was silent for longer is offline: three heartbeat intervals of the policy.
  // `database` must outlive it.
  Devices(Database& database, int64_t offline_after_ns)
      : database_(database), offline_after_ns_(offline_after_ns) {}

  absl::Status RecordHello(std::string_view device, const v1::HelloRequest& hello, int64_t unix_ns);
  absl::Status RecordHeartbeat(std::string_view device, const v1::HeartbeatRequest& heartbeat,
                               int64_t unix_ns);

  // Without `recent` and `conflicts`, which only Get tells.
  absl::StatusOr<v1::ListDevicesResponse> List(int64_t now_unix_ns);
  // NOT_FOUND if it never said hello.
  absl::StatusOr<v1::Device> Get(std::string_view name, int64_t now_unix_ns);
  absl::StatusOr<DeviceCounts> Count(int64_t now_unix_ns);
  // The summary's part: how many there are and are online. May throw SqlError.
  void ReadSummary(Sql& sql, int64_t now_unix_ns, v1::GetSummaryResponse* summary) const;

 private:
  Database& database_;
  const int64_t offline_after_ns_;
};

}  // namespace gleaner::cloud
