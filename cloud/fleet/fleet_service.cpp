#include "cloud/fleet/fleet_service.h"

#include <fmt/format.h>

#include <utility>

#include "cloud/ingest/identity.h"
#include "common/clip_key.h"
#include "common/digest.h"
#include "common/limits.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kThreads = 4;  // they wait for commits that they share
constexpr size_t kMaxWaiting = 20'000;
constexpr uint32_t kDefaultIntervalSeconds = 10;
constexpr size_t kMaxRules = 64;
constexpr size_t kMaxTextBytes = 4096;
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

// What is kept of every device is read whole for each list of devices.
absl::Status CheckSize(const google::protobuf::Message& message) {
  const size_t size = message.ByteSizeLong();
  if (size <= kMaxMessageBytes) return absl::OkStatus();
  return Bad("the message",
             fmt::format("has {} bytes, at most {} are allowed", size, kMaxMessageBytes));
}

// Without what this server doesn't know: it could not show it anyway.
template <typename Message>
Message Known(const Message& message) {
  Message known = message;
  known.DiscardUnknownFields();
  return known;
}

absl::Status CheckName(std::string_view field, std::string_view text) {
  return IsName(text) ? absl::OkStatus() : Bad(field, "must be 1 to 63 of [a-z0-9-]");
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
  RETURN_IF_ERROR(CheckSize(hello));
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
  RETURN_IF_ERROR(CheckSize(heartbeat));
  RETURN_IF_ERROR(CheckBootId(heartbeat.boot_id()));
  RETURN_IF_ERROR(CheckText("policy_version", heartbeat.policy_version(), 64));
  RETURN_IF_ERROR(CheckText("upload.state", heartbeat.upload().state(), 64));
  RETURN_IF_ERROR(CheckText("problem", heartbeat.problem(), 512));
  RETURN_IF_ERROR(CheckCount("cameras", heartbeat.cameras_size(), kMaxCameras));
  for (const v1::CameraHealth& camera : heartbeat.cameras()) {
    RETURN_IF_ERROR(CheckName("cameras.name", camera.name()));
    RETURN_IF_ERROR(CheckText("cameras.problem", camera.problem()));
  }
  return absl::OkStatus();
}

FleetService::FleetService(Catalog& catalog, Clock& clock, const FleetOptions& options)
    : catalog_(catalog), clock_(clock), options_(options), pool_(kThreads, kMaxWaiting) {}

grpc::ServerUnaryReactor* FleetService::Answer(
    grpc::CallbackServerContext* context, const absl::Status& checked,
    std::function<absl::Status(const std::string& device)> record) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto device = DeviceName(*context, options_.trust_metadata);
  if (!device.ok()) {
    reactor->Finish(ToGrpc(device.status()));
  } else if (!checked.ok()) {
    reactor->Finish(ToGrpc(checked));
  } else if (!pool_.TryPost([reactor, device = *device, record = std::move(record)] {
               reactor->Finish(ToGrpc(record(device)));
             })) {
    reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "the server is busy; come again"});
  }
  return reactor;
}

grpc::ServerUnaryReactor* FleetService::Hello(grpc::CallbackServerContext* context,
                                              const v1::HelloRequest* request,
                                              v1::HelloResponse* response) {
  return Answer(context, CheckHello(*request), [this, request, response](const auto& device) {
    const int64_t now = clock_.WallNs();
    *response->mutable_policy() = options_.policy;
    response->set_server_unix_ns(now);
    return catalog_.RecordHello(device, Known(*request), now);
  });
}

grpc::ServerUnaryReactor* FleetService::Heartbeat(grpc::CallbackServerContext* context,
                                                  const v1::HeartbeatRequest* request,
                                                  v1::HeartbeatResponse* response) {
  return Answer(context, CheckHeartbeat(*request), [this, request, response](const auto& device) {
    const int64_t now = clock_.WallNs();
    if (request->policy_version() != options_.policy.version()) {
      *response->mutable_policy() = options_.policy;
    }
    response->set_server_unix_ns(now);
    return catalog_.RecordHeartbeat(device, Known(*request), now);
  });
}

}  // namespace gleaner::cloud
