#include "edge/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <utility>

#include "common/clock.h"
#include "common/limits.h"
#include "common/name.h"
#include "common/status.h"
#include "edge/clip/encoder.h"
#include "edge/upload/identity.h"

namespace gleaner::edge {
namespace {

// As InitLogging takes them.
constexpr std::array<std::string_view, 5> kLogLevels = {"trace", "debug", "info", "warn", "error"};

// The device's name: the common name of its certificate. With `only_spool` as far as it can be had.
std::string CertificateName(ConfigReader& server, const LinkOptions& link, bool only_spool) {
  if (only_spool) {
    const auto identity = LoadIdentity(link.ca, link.certificate, link.key, 0);
    return identity.ok() ? identity->name : "";
  }
  const std::vector<ConfigReader::File> files = {
      {"ca", link.ca}, {"certificate", link.certificate}, {"key", link.key}};
  if (!server.CheckFiles(files)) return "";
  const auto identity =
      LoadIdentity(link.ca, link.certificate, link.key, RealClock().WallNs() / kNanosPerSecond);
  if (!identity.ok()) {
    const std::string_view why = Message(identity.status());
    server.Error(ConfigReader::KeyOf(files, why), why);
    return "";
  }
  for (const std::string& warning : identity->warnings) {
    server.Warn(ConfigReader::KeyOf(files, warning), warning);
  }
  return identity->name;
}

// With plaintext there is no certificate to name the device, so the file says it.
std::string DeviceName(ConfigReader& reader, ConfigReader& server, const LinkOptions& link,
                       bool only_spool) {
  if (link.plaintext) {
    std::string name = reader.RequiredString("device");
    if (!name.empty() && !IsName(name)) reader.Error("device", NotAName(name));
    return name;
  }
  if (reader.Has("device")) {
    reader.Error("device", "is the common name of the certificate and can't be set here");
    reader.String("device", "");
  }
  return CertificateName(server, link, only_spool);
}

// Names must differ, or evidence, ledgers and the page could not tell things apart.
template <typename Item>
void CheckNames(ConfigReader& reader, std::string_view table, std::vector<ConfigReader>& tables,
                const std::vector<Item>& items, size_t most) {
  std::set<std::string> seen;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i].name.empty() && !seen.insert(items[i].name).second) {
      tables[i].Error("name", fmt::format("\"{}\" is there twice", items[i].name));
    }
  }
  if (items.size() > most) {
    reader.Error(table, fmt::format("there are {}, at most {} are allowed", items.size(), most));
  }
}

// A camera that is not there delivers nothing, and the others go on.
void CheckSource(ConfigReader& reader, const CameraOptions& camera) {
  const std::string& path = camera.address.path();
  std::error_code error;
  if (path.empty()) return;
  const bool device = camera.Kind() == SourceKind::kV4l2;
  if (std::filesystem::is_directory(path, error)) {
    reader.Error("url", fmt::format("{} is a folder, not a {}", path, device ? "camera" : "film"));
  } else if (device && std::filesystem::is_regular_file(path, error)) {
    reader.Error("url", fmt::format("{} is a file, not a V4L2 device", path));
  }
  if (std::filesystem::exists(path, error)) return;
  reader.Warn("url", device ? fmt::format("there is no {} now; it is opened once it is there", path)
                            : fmt::format("there is no {}: the camera delivers nothing", path));
}

void ReadSensors(ConfigReader& reader, Config* config) {
  std::vector<ConfigReader> tables = reader.Tables("sensor");
  for (ConfigReader& table : tables) config->sensors.push_back(SensorOptions::Read(table));
  CheckNames(reader, "sensor", tables, config->sensors, kMaxSensors);
  size_t signals = 0;
  for (const SensorOptions& sensor : config->sensors) signals += sensor.Signals().size();
  if (signals > kMaxSensors) {
    reader.Error("sensor", fmt::format("they have {} numbers together, at most {} are allowed",
                                       signals, kMaxSensors));
  }
  ConfigReader socket = reader.Table("sensors");
  config->sensor_socket = SensorSocketOptions::Read(socket);
}

void WarnOfAbsence(ConfigReader& reader, const Config& config) {
  if (config.cameras.empty() && !reader.Has("camera")) {
    reader.Warn("camera", "there is none: nothing is watched; a [[camera]] table adds one");
  }
  if (config.rules.empty() && !reader.Has("rule")) {
    reader.Warn("rule", "there is none: no clip is ever kept; a [[rule]] table adds one");
  }
}

}  // namespace

bool IsLive(const CameraOptions& camera) {
  return camera.Kind() != SourceKind::kFile || camera.pace == "realtime";
}

std::vector<SignalSource> SignalsOf(const std::vector<CameraOptions>& cameras,
                                    const std::vector<SensorOptions>& sensors) {
  std::vector<SignalSource> signals;
  for (const CameraOptions& camera : cameras) {
    for (SignalSource& signal : SignalsOf(camera.name, IsLive(camera))) {
      signals.push_back(std::move(signal));
    }
  }
  for (const SensorOptions& sensor : sensors) {
    for (SignalSource& signal : sensor.Signals()) signals.push_back(std::move(signal));
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
  config.device = DeviceName(reader, server, config.link, only_spool);
  config.link.device = config.device;
  config.site = reader.String("site", "");
  if (!config.site.empty() && !IsName(config.site)) reader.Error("site", NotAName(config.site));
  ConfigReader log = reader.Table("log");
  config.log_level = log.String("level", "info");
  if (std::find(kLogLevels.begin(), kLogLevels.end(), config.log_level) == kLogLevels.end()) {
    log.Error("level", fmt::format("must be one of {}", fmt::join(kLogLevels, ", ")));
  }

  ConfigReader spool = reader.Table("spool");
  config.spool = SpoolOptions::Read(spool);
  if (!only_spool) config.spool.CheckDisk(spool);
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

  std::vector<ConfigReader> cameras = reader.Tables("camera");
  for (ConfigReader& camera : cameras) {
    config.cameras.push_back(CameraOptions::Read(camera, /*try_login=*/!only_spool));
    config.detectors.push_back(ReadDetectors(camera));
    if (!only_spool) CheckSource(camera, config.cameras.back());
  }
  ReadSensors(reader, &config);
  const std::vector<SignalSource> signals = SignalsOf(config.cameras, config.sensors);
  std::vector<ConfigReader> rules = reader.Tables("rule");
  for (ConfigReader& rule : rules) {
    config.rules.push_back(RuleOptions::Read(rule, signals));
  }
  CheckNames(reader, "camera", cameras, config.cameras, kMaxCameras);
  CheckNames(reader, "rule", rules, config.rules, kMaxRules);
  if (!only_spool) WarnOfAbsence(reader, config);
  RETURN_IF_ERROR(reader.Finish());
  config.warnings = reader.warnings();
  return config;
}

}  // namespace gleaner::edge
