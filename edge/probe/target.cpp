#include "edge/probe/target.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "common/name.h"
#include "common/status.h"
#include "edge/config.h"
#include "edge/health/status_socket.h"

namespace gleaner::edge {
namespace {

// Paths, urls and devices have one of these in them.
bool LooksLikeAName(const std::string& target) {
  return target.find_first_of("/:.@") == std::string::npos;
}

absl::StatusOr<ProbeTarget> FromConfig(const ProbeArguments& arguments) {
  for (const auto& [option, value] :
       {std::pair("--name", &arguments.name), std::pair("--user", &arguments.user),
        std::pair("--password-file", &arguments.password_file),
        std::pair("--password-env", &arguments.password_env)}) {
    if (!value->empty()) {
      return absl::InvalidArgumentError(
          fmt::format("{} is for a url: a camera of the configuration has its own", option));
    }
  }
  const auto loaded = Config::Load(arguments.config_path, /*only_spool=*/true);
  if (!loaded.ok()) return Annotate(loaded.status(), "looking for a camera of that name");
  const Config& config = *loaded;
  std::vector<std::string> names;
  for (const CameraOptions& camera : config.cameras) {
    if (camera.name == arguments.target) {
      return ProbeTarget{.camera = camera, .encoders = config.encoders};
    }
    names.push_back(camera.name);
  }
  return absl::InvalidArgumentError(fmt::format(
      "no camera in {} is called that; {}. A path has a / in it", arguments.config_path,
      names.empty() ? "there is none" : fmt::format("there are: {}", fmt::join(names, ", "))));
}

absl::StatusOr<CameraLogin> LoginOf(const ProbeArguments& arguments, const CameraAddress& address) {
  const bool given = !arguments.user.empty() || !arguments.password_file.empty() ||
                     !arguments.password_env.empty();
  if (!given) return CameraLogin{.user = address.user(), .password = address.password()};
  if (address.kind() != SourceKind::kRtsp) {
    return absl::InvalidArgumentError("only an RTSP camera has a login");
  }
  if (address.has_login()) {
    return absl::InvalidArgumentError("--user and a login in the url are both there: keep one");
  }
  if (arguments.user.empty()) {
    return absl::InvalidArgumentError("--password-file and --password-env need --user");
  }
  if (!arguments.password_file.empty() && !arguments.password_env.empty()) {
    return absl::InvalidArgumentError("--password-file and --password-env are both there");
  }
  CameraLogin login = {.user = arguments.user,
                       .password_file = arguments.password_file,
                       .password_env = arguments.password_env};
  if (const auto loaded = login.Load(); !loaded.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}", login.password_env.empty() ? "--password-file" : "--password-env",
                    Message(loaded.status())));
  }
  return login;
}

absl::StatusOr<ProbeTarget> FromUrl(const ProbeArguments& arguments) {
  auto address = CameraAddress::Parse(arguments.target);
  if (!address.ok()) return Annotate(address.status(), "the camera's address");
  if (address->kind() != SourceKind::kRtsp) {
    // The configuration stands in another folder.
    std::error_code none;
    const auto absolute = std::filesystem::absolute(address->path(), none);
    address = CameraAddress::Parse(absolute.lexically_normal().string());
    if (!address.ok()) return Annotate(address.status(), "the camera's address");
  }
  ProbeTarget target;
  target.camera.name = arguments.name.empty() ? "camera" : arguments.name;
  if (!IsName(target.camera.name)) {
    return absl::InvalidArgumentError("--name: " + NotAName(target.camera.name));
  }
  ASSIGN_OR_RETURN(target.camera.login, LoginOf(arguments, *address));
  target.camera.address = *std::move(address);
  return target;
}

bool AreSame(const CameraAddress& a, const CameraAddress& b) {
  if (a.kind() != b.kind()) return false;
  if (a.kind() == SourceKind::kRtsp) return a.uri() == b.uri();
  std::error_code none;  // a device has several names
  return a.path() == b.path() || std::filesystem::equivalent(a.path(), b.path(), none);
}

// Its name and how it does, where the daemon of this configuration runs and watches it.
std::optional<std::string> WatchedByDaemon(const std::string& config_path,
                                           const CameraAddress& address) {
  const auto config = Config::Load(config_path, /*only_spool=*/true);
  if (!config.ok()) return std::nullopt;
  const auto status = AskDaemon(config->spool.directory);
  if (!status.ok()) return std::nullopt;
  for (const CameraOptions& camera : config->cameras) {
    if (!AreSame(camera.address, address)) continue;
    for (const v1::CameraStatus& told : status->cameras()) {
      if (told.description().name() != camera.name) continue;
      const v1::CameraDescription& what = told.description();
      if (told.health().state() != v1::CameraHealth::STATE_STREAMING) return camera.name;
      return fmt::format("{} ({} {}×{}, {:.1f} frames/s)", camera.name, what.codec(), what.width(),
                         what.height(), told.health().frames_per_s());
    }
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<ProbeTarget> FindProbeTarget(const ProbeArguments& arguments) {
  ASSIGN_OR_RETURN(ProbeTarget target,
                   LooksLikeAName(arguments.target) ? FromConfig(arguments) : FromUrl(arguments));
  if (!arguments.transport.empty()) {
    if (target.camera.Kind() != SourceKind::kRtsp) {
      return absl::InvalidArgumentError("--transport: only an RTSP camera has one");
    }
    target.camera.transport = arguments.transport;
  }
  target.show_path = arguments.show_path;
  return target;
}

absl::Status ExplainBusy(const absl::Status& busy, const std::string& config_path,
                         const CameraAddress& address) {
  const auto camera = WatchedByDaemon(config_path, address);
  return absl::AbortedError(
      camera
          ? fmt::format("{}: the running gleaner-edge watches it as {}; `gleaner-edge status` "
                        "says how it does; to look at it here, stop the daemon meanwhile",
                        Message(busy), *camera)
          : fmt::format("{}: another program has it; end that one, or wait for it", Message(busy)));
}

}  // namespace gleaner::edge
