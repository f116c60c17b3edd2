#include "edge/camera/camera_opener.h"

#include <utility>
#include <vector>

#include "common/log.h"
#include "common/status.h"
#include "fmt/format.h"

namespace gleaner::edge {

absl::StatusOr<std::unique_ptr<Source>> CameraOpener::Open(SourceHooks hooks) {
  absl::StatusOr<std::unique_ptr<Source>> source;
  switch (options_.Kind()) {
    case SourceKind::kFile:
      source = Source::OpenFile(options_.address.path(), std::move(hooks.interrupted));
      break;
    case SourceKind::kRtsp:
      source = OpenRtsp(std::move(hooks));
      break;
    case SourceKind::kV4l2:
      source = OpenV4l2(hooks);
      break;
  }
  if (source.ok() && (*source)->has_audio() && !std::exchange(told_of_audio_, true)) {
    LOG_INFO("camera {}: its sound is left out; clips are video only", options_.name);
  }
  return source;
}

absl::StatusOr<std::unique_ptr<Source>> CameraOpener::OpenRtsp(SourceHooks hooks) {
  ASSIGN_OR_RETURN(Credentials credentials, Load());
  const RtspTransport transport = NextTransport();
  if (played_ && transport != transport_) {
    LOG_WARN("camera {}: nothing came over {}; trying {}", options_.name, ToString(transport_),
             ToString(transport));
  }
  played_ = false;
  auto came = std::make_shared<uint64_t>(0);
  ASSIGN_OR_RETURN(auto session,
                   RtspSession::Open({.address = options_.address,
                                      .credentials = std::move(credentials),
                                      .transport = transport,
                                      .either_transport = options_.transport == "auto",
                                      .arrived =
                                          [came, arrived = std::move(hooks.arrived)] {
                                            ++*came;
                                            arrived();
                                          }},
                                     guard_, clock_, std::move(hooks.interrupted)));
  transport_ = session->transport();
  played_ = true;
  came_ = std::move(came);
  return Source::OpenRtsp(std::move(session), options_.address.shown(), std::move(hooks));
}

RtspTransport CameraOpener::NextTransport() const {
  if (options_.transport != "auto") {
    return options_.transport == "udp" ? RtspTransport::kUdp : RtspTransport::kTcp;
  }
  if (!played_ || *came_ > 0) return transport_;
  return transport_ == RtspTransport::kTcp ? RtspTransport::kUdp : RtspTransport::kTcp;
}

absl::StatusOr<std::unique_ptr<Source>> CameraOpener::OpenV4l2(const SourceHooks& hooks) {
  const std::string& path = options_.address.path();
  ASSIGN_OR_RETURN(const std::vector<V4l2Mode> offered, ListV4l2Modes(path));
  auto chosen = ChooseV4l2Modes(offered, options_.v4l2);
  if (!chosen.ok()) return Annotate(chosen.status(), path);
  absl::Status failed;
  for (const V4l2Mode& mode : *chosen) {
    auto source = Source::OpenV4l2(path, mode, hooks);
    if (source.ok()) {
      const VideoFormat& format = (*source)->format();
      if (mode.width == 0 || (format.width == mode.width && format.height == mode.height)) {
        return source;
      }
      source = absl::UnavailableError(
          fmt::format("{}: {} was asked for, but the driver delivers "
                      "{} {}×{}",
                      path, ToString(mode), format.codec, format.width, format.height));
    }
    failed = source.status();
    if (hooks.interrupted()) break;
    LOG_WARN("camera {}: {}: {}", options_.name, ToString(mode), Message(failed));
  }
  return failed;
}

absl::StatusOr<Credentials> CameraOpener::Load() const {
  auto credentials = options_.login.Load();
  // A file that is just being written may be whole at the next try.
  if (!credentials.ok()) {
    return absl::UnavailableError(fmt::format("{}: no password: {}", options_.address.shown(),
                                              Message(credentials.status())));
  }
  return credentials;
}

int64_t CameraOpener::LoginWaitNs() const {
  if (options_.Kind() != SourceKind::kRtsp) return 0;
  const auto credentials = options_.login.Load();
  return credentials.ok() ? guard_.WaitNs(options_.address.host(), *credentials) : 0;
}

}  // namespace gleaner::edge
