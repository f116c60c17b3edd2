#include "cloud/fleet/fleet_service.h"

#include <fmt/format.h>

#include <utility>

#include "cloud/rpc/bounded_message.h"
#include "cloud/rpc/identity.h"
#include "common/digest.h"
#include "common/limits.h"
#include "common/name.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kThreads = 4;  // they wait for commits that they share
constexpr size_t kMaxWaiting = 20'000;
constexpr uint32_t kDefaultIntervalSeconds = 10;
constexpr size_t kMaxRules = 64;
constexpr size_t kMaxTextBytes = 4096;
constexpr size_t kMaxProblems = 16;
constexpr size_t kMaxPartBytes = 96;
constexpr size_t kMaxProblemBytes = 512;
// What is kept of every device is read whole for each list of devices.
constexpr size_t kMaxMessageBytes = 64 << 10;

absl::Status Bad(std::string_view field, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("{} {}", field, what));
}

absl::Status CheckCount(std::string_view field, int count, size_t max) {
  if (static_cast<size_t>(count) <= max) return absl::OkStatus();
  return Bad(field, fmt::format("has {} entries, at most {} are allowed", count, max));
}

absl::Status CheckText(std::string_view field, std::string_view text, size_t max = kMaxTextBytes) {
  if (text.size() <= max) return absl::OkStatus();
  return Bad(field, fmt::format("has {} bytes, at most {} are allowed", text.size(), max));
}

absl::Status CheckName(std::string_view field, std::string_view text) {
  return IsName(text) ? absl::OkStatus() : Bad(field, NotAName(text));
}

absl::Status CheckBootId(std::string_view boot_id) {
  return boot_id.size() == 16 ? absl::OkStatus() : Bad("boot_id", "must have 16 bytes");
}

grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(Message(status))};
}

}  // namespace

void NameVersion(v1::Policy* policy) {
  policy->clear_version();
  policy->set_version(Hex(AsBytes(Sha256::Of(policy->SerializeAsString()))).substr(0, 16));
}

FleetOptions::FleetOptions() {
  policy.set_heartbeat_interval_s(kDefaultIntervalSeconds);
  NameVersion(&policy);
}

absl::Status CheckHello(const v1::HelloRequest& hello) {
  RETURN_IF_ERROR(CheckBootId(hello.boot_id()));
  if (!hello.site().empty()) RETURN_IF_ERROR(CheckName("site", hello.site()));
  RETURN_IF_ERROR(CheckText("software_version", hello.software_version()));
  RETURN_IF_ERROR(CheckText("platform", hello.platform()));
  RETURN_IF_ERROR(CheckCount("cameras", hello.cameras_size(), kMaxCameras));
  for (const v1::CameraDescription& camera : hello.cameras()) {
    RETURN_IF_ERROR(CheckName("cameras.name", camera.name()));
    RETURN_IF_ERROR(CheckText("cameras.source", camera.source()));
    RETURN_IF_ERROR(CheckText("cameras.codec", camera.codec()));
    RETURN_IF_ERROR(CheckText("cameras.encoder", camera.encoder()));
  }
  RETURN_IF_ERROR(CheckCount("rules", hello.rules_size(), kMaxRules));
  for (const v1::RuleDescription& rule : hello.rules()) {
    RETURN_IF_ERROR(CheckName("rules.name", rule.name()));
    RETURN_IF_ERROR(CheckText("rules.expression", rule.expression()));
  }
  return absl::OkStatus();
}

absl::Status CheckHeartbeat(const v1::HeartbeatRequest& heartbeat) {
  RETURN_IF_ERROR(CheckBootId(heartbeat.boot_id()));
  RETURN_IF_ERROR(CheckText("policy_version", heartbeat.policy_version(), 64));
  RETURN_IF_ERROR(CheckText("upload.state", heartbeat.upload().state(), 64));
  RETURN_IF_ERROR(CheckText("problem", heartbeat.problem(), kMaxProblemBytes));
  RETURN_IF_ERROR(CheckCount("problems", heartbeat.problems_size(), kMaxProblems));
  for (const v1::Problem& problem : heartbeat.problems()) {
    RETURN_IF_ERROR(CheckText("problems.part", problem.part(), kMaxPartBytes));
    RETURN_IF_ERROR(CheckText("problems.text", problem.text(), kMaxProblemBytes));
  }
  RETURN_IF_ERROR(CheckCount("cameras", heartbeat.cameras_size(), kMaxCameras));
  for (const v1::CameraHealth& camera : heartbeat.cameras()) {
    RETURN_IF_ERROR(CheckName("cameras.name", camera.name()));
    RETURN_IF_ERROR(CheckText("cameras.problem", camera.problem()));
  }
  return absl::OkStatus();
}

FleetService::FleetService(Devices& devices, CameraDamage& damage, Clock& clock,
                           const FleetOptions& options)
    : devices_(devices),
      damage_(damage),
      clock_(clock),
      options_(options),
      pool_(kThreads, kMaxWaiting) {}

template <typename Request, typename Response>
grpc::ServerUnaryReactor* FleetService::Answer(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer& bytes, grpc::ByteBuffer* response,
    absl::Status (*check)(const Request&),
    std::function<absl::Status(const std::string& device, const Request&, Response*)> record) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto device = DeviceName(*context, options_.trust_metadata);
  if (!device.ok()) {
    reactor->Finish(ToGrpc(device.status()));
    return reactor;
  }
  auto request = ParseBounded<Request>(bytes, kMaxMessageBytes);
  const absl::Status checked = request.ok() ? check(*request) : request.status();
  if (!checked.ok()) {
    reactor->Finish(ToGrpc(checked));
  } else if (!pool_.TryPost([reactor, device = *device, request = *std::move(request), response,
                             record = std::move(record)] {
               Response answer;
               const absl::Status status = record(device, request, &answer);
               *response = Serialized(answer);
               reactor->Finish(ToGrpc(status));
             })) {
    reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "the server is busy; come again"});
  }
  return reactor;
}

grpc::ServerUnaryReactor* FleetService::Hello(grpc::CallbackServerContext* context,
                                              const grpc::ByteBuffer* request,
                                              grpc::ByteBuffer* response) {
  return Answer<v1::HelloRequest, v1::HelloResponse>(
      context, *request, response, &CheckHello,
      [this](const std::string& device, const v1::HelloRequest& hello, v1::HelloResponse* answer) {
        const int64_t now = clock_.WallNs();
        *answer->mutable_policy() = options_.policy;
        answer->set_server_unix_ns(now);
        return devices_.RecordHello(device, hello, now);
      });
}

grpc::ServerUnaryReactor* FleetService::Heartbeat(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* request,
                                                  grpc::ByteBuffer* response) {
  return Answer<v1::HeartbeatRequest, v1::HeartbeatResponse>(
      context, *request, response, &CheckHeartbeat,
      [this](const std::string& device, const v1::HeartbeatRequest& heartbeat,
             v1::HeartbeatResponse* answer) -> absl::Status {
        const int64_t now = clock_.WallNs();
        if (heartbeat.policy_version() != options_.policy.version()) {
          *answer->mutable_policy() = options_.policy;
        }
        answer->set_server_unix_ns(now);
        ASSIGN_OR_RETURN(const std::vector<v1::CameraNotice> notices, damage_.Notices(device, now));
        for (const v1::CameraNotice& notice : notices) *answer->add_notices() = notice;
        RETURN_IF_ERROR(devices_.RecordHeartbeat(device, heartbeat, now));
        if (options_.events != nullptr) options_.events->OnHeartbeat(device, heartbeat);
        return absl::OkStatus();
      });
}

}  // namespace gleaner::cloud
