// Hello, heartbeat, policy: the server's side of proto/gleaner/v1/fleet.proto.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "cloud/fleet/camera_damage.h"
#include "cloud/fleet/device_events.h"
#include "cloud/fleet/devices.h"
#include "cloud/rpc/worker_pool.h"
#include "common/clock.h"
#include "gleaner/v1/fleet.grpc.pb.h"

namespace gleaner::cloud {

// Sets `version` from the rest: the same settings have the same version on every start, so that
// devices aren't told again.
void NameVersion(v1::Policy* policy);

struct FleetOptions {
  // One policy for every device, with its version.
  v1::Policy policy;
  // Is told of their heartbeats; may be null, else must outlive the service.
  DeviceEvents* events = nullptr;
  // The device's name from metadata instead of the certificate: set for a plaintext listener only.
  bool trust_metadata = false;

  FleetOptions();

  // Three heartbeat intervals: see Devices.
  int64_t offline_after_ns() const { return 3 * kNanosPerSecond * policy.heartbeat_interval_s(); }
};

// INVALID_ARGUMENT names the field that breaks a bound of the contract.
absl::Status CheckHello(const v1::HelloRequest& hello);
absl::Status CheckHeartbeat(const v1::HeartbeatRequest& heartbeat);

class FleetService final
    : public v1::FleetService::WithRawCallbackMethod_Hello<
          v1::FleetService::WithRawCallbackMethod_Heartbeat<v1::FleetService::Service>> {
 public:
  // All must outlive the service.
  FleetService(Devices& devices, CameraDamage& damage, Clock& clock, const FleetOptions& options);

  grpc::ServerUnaryReactor* Hello(grpc::CallbackServerContext* context,
                                  const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Heartbeat(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;

 private:
  // Answers with what `record` returns, run on the pool; or at once, if the caller may not call or
  // the request breaks a bound.
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Answer(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer& request,
      grpc::ByteBuffer* response, absl::Status (*check)(const Request&),
      std::function<absl::Status(const std::string& device, const Request&, Response*)> record);

  Devices& devices_;
  CameraDamage& damage_;
  Clock& clock_;
  const FleetOptions options_;
  WorkerPool pool_;
};

}  // namespace gleaner::cloud
