#include "edge/probe/camera_table.h"

#include <fmt/format.h>

#include <filesystem>
#include <string_view>

#include "common/clock.h"

namespace gleaner::edge {
namespace {

// Of TOML.
std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

// A url's own login isn't told: there a password may stand in front of the host by itself.
std::string LoginKeys(const ProbeTarget& target) {
  const CameraLogin& login = target.camera.login;
  const bool told = !target.camera.address.has_login();
  std::string keys = fmt::format("user = {}\n", told ? Quoted(login.user) : "\"…\"");
  if (!login.password_env.empty()) {
    return keys + fmt::format("password_env = {}\n", Quoted(login.password_env));
  }
  if (!login.password_file.empty()) {
    std::error_code none;
    const auto path = std::filesystem::absolute(login.password_file, none);
    return keys + fmt::format("password_file = {}\n", Quoted(path.lexically_normal().string()));
  }
  return keys + fmt::format(
                    "password_file = \"/etc/gleaner/{}.password\"  # its first line; to be read by "
                    "the group gleaner and nobody else\n",
                    target.camera.name);
}

std::string RtspKeys(const ProbeTarget& target, const v1::CameraProbe& probe) {
  const CameraAddress& address = target.camera.address;
  std::string keys;
  if (target.show_path || address.uri() == address.shown()) {
    keys = fmt::format("url = {}\n", Quoted(address.uri()));
  } else {
    keys = fmt::format(
        "url = {}  # its path belongs here; it may be a secret and is only told with --show-path\n",
        Quoted(address.shown() + "/…"));
  }
  if (!probe.login().empty()) keys += LoginKeys(target);
  if (probe.transport() == "UDP") {
    keys += "transport = \"udp\"\n";
  } else if (target.camera.transport != "auto") {
    keys += fmt::format("transport = {}\n", Quoted(target.camera.transport));
  }
  return keys;
}

std::string V4l2Keys(const CameraOptions& camera, const v1::CameraProbe& probe) {
  const v1::CameraDescription& what = probe.description();
  std::string keys = fmt::format("size = \"{}x{}\"\n", what.width(), what.height());
  if (camera.v4l2.frames_per_s > 0) keys += fmt::format("rate = {}\n", camera.v4l2.frames_per_s);
  const std::string format = what.codec() == "rawvideo" ? camera.v4l2.format : what.codec();
  if (format != "auto") keys += fmt::format("format = {}\n", Quoted(format));
  return keys;
}

}  // namespace

std::string CameraTable(const ProbeTarget& target, const v1::CameraProbe& probe) {
  const CameraOptions& camera = target.camera;
  std::string table = fmt::format("[[camera]]\nname = {}\n", Quoted(camera.name));
  if (camera.Kind() == SourceKind::kRtsp) {
    table += RtspKeys(target, probe);
  } else {
    table += fmt::format("url = {}\n", Quoted(camera.address.path()));
    const auto guessed = CameraAddress::Parse(camera.address.path());
    if (!guessed.ok() || guessed->kind() != camera.Kind()) {
      table += fmt::format("source = {}\n", Quoted(ToString(camera.Kind())));
    }
  }
  if (camera.Kind() == SourceKind::kV4l2) table += V4l2Keys(camera, probe);
  // What the configuration asks for of a camera that is there already.
  const CameraOptions usual;
  if (camera.pace != usual.pace) table += fmt::format("pace = {}\n", Quoted(camera.pace));
  if (camera.loop) table += "loop = true\n";
  if (camera.stall_timeout_ns != usual.stall_timeout_ns) {
    table += fmt::format("stall_timeout = \"{}ms\"\n", camera.stall_timeout_ns / kNanosPerMilli);
  }
  return table;
}

}  // namespace gleaner::edge
