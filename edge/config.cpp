#include "edge/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "common/clip_key.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/status.h"
#include "edge/clip/encoder.h"
#include "edge/trigger/detector/detector.h"
#include "edge/upload/identity.h"

namespace gleaner::edge {
namespace {

// As InitLogging takes them.
constexpr std::array<std::string_view, 5> kLogLevels = {"trace", "debug", "info", "warn", "error"};

// The device's name, from its certificate; with plaintext there is none, so the file says it.
std::string DeviceName(ConfigReader& reader, const LinkOptions& link, bool only_spool) {
  if (link.plaintext) {
    std::string name = reader.RequiredString("device");
    if (!name.empty() && !IsName(name)) {
      reader.Error("device", "must be 1 to 63 of a-z, 0-9 and -");
    }
    return name;
  }
  if (reader.Has("device")) {
    reader.Error("device", "is the common name of the certificate and can't be set here");
    reader.String("device", "");
  }
  if (only_spool || link.certificate.empty()) return "";  // the reader has noted the latter
  auto identity =
      LoadIdentity(link.ca, link.certificate, link.key, RealClock().WallNs() / kNanosPerSecond);
  if (!identity.ok()) {
    reader.Error("server", Message(identity.status()));
    return "";
  }
  if (!IsName(identity->name)) {
    reader.Error("server",
                 fmt::format("the common name \"{}\" of {} must be 1 to 63 of a-z, 0-9 and -",
                             identity->name, link.certificate));
  }
  return identity->name;
}

// Names must differ, or evidence, ledgers and the page could not tell things apart.
template <typename Item>
void CheckNames(ConfigReader& reader, std::string_view table, const std::vector<Item>& items,
                size_t most) {
  std::set<std::string> seen;
  for (const Item& item : items) {
    if (!item.name.empty() && !seen.insert(item.name).second) {
      reader.Error(table, fmt::format("\"{}\" is there twice", item.name));
    }
  }
  if (items.size() > most) {
    reader.Error(table, fmt::format("there are {}, at most {} are allowed", items.size(), most));
  }
}

}  // namespace

std::string SignalName(std::string_view camera, std::string_view detector) {
  return fmt::format("camera.{}.{}", camera, detector);
}

std::vector<std::string> SignalsOf(const std::vector<CameraOptions>& cameras) {
  std::vector<std::string> signals;
  for (const CameraOptions& camera : cameras) {
    for (std::string_view detector : DetectorNames()) {
      signals.push_back(SignalName(camera.name, detector));
    }
  }
  return signals;
}

absl::StatusOr<Config> Config::Load(const std::string& path, bool only_spool) {
  ASSIGN_OR_RETURN(ConfigReader reader, ConfigReader::Load(path));
  return Read(reader, only_spool);
}

absl::StatusOr<Config> Config::Read(ConfigReader& reader, bool only_spool) {
  Config config;
  ConfigReader server = reader.Table("server");
  config.link = LinkOptions::Read(server);
  config.device = DeviceName(reader, config.link, only_spool);
  config.link.device = config.device;
  config.site = reader.String("site", "");
  if (!config.site.empty() && !IsName(config.site)) {
    reader.Error("site", "must be empty or 1 to 63 of a-z, 0-9 and -");
  }
  ConfigReader log = reader.Table("log");
  config.log_level = log.String("level", "info");
  if (std::find(kLogLevels.begin(), kLogLevels.end(), config.log_level) == kLogLevels.end()) {
    log.Error("level", fmt::format("must be one of {}", fmt::join(kLogLevels, ", ")));
  }

  ConfigReader spool = reader.Table("spool");
  config.spool = SpoolOptions::Read(spool);
  ConfigReader upload = reader.Table("upload");
  config.upload = UploaderOptions::Read(upload);

  ConfigReader heartbeat = reader.Table("heartbeat");
  config.heartbeat = HeartbeatOptions::Read(heartbeat);

  ConfigReader clip = reader.Table("clip");
  config.ring_max_bytes = static_cast<uint64_t>(
      clip.Bytes("ring_max", 64 << 20, {.min = 1 << 20, .max = int64_t{4} << 30}));
  config.encoders = clip.Strings("encoders");
  for (const std::string& name : config.encoders) {
    if (!IsEncoder(name)) {
      clip.Error("encoders",
                 fmt::format("\"{}\" is not one of {}", name, fmt::join(DefaultEncoders(), ", ")));
    }
  }

  for (ConfigReader& camera : reader.Tables("camera")) {
    config.cameras.push_back(CameraOptions::Read(camera, /*try_login=*/!only_spool));
  }
  const std::vector<std::string> signals = SignalsOf(config.cameras);
  for (ConfigReader& rule : reader.Tables("rule")) {
    config.rules.push_back(RuleOptions::Read(rule, signals));
  }
  CheckNames(reader, "camera", config.cameras, kMaxCameras);
  CheckNames(reader, "rule", config.rules, kMaxRules);
  RETURN_IF_ERROR(reader.Finish());
  return config;
}

}  // namespace gleaner::edge
