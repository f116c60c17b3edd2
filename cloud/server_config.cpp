#include "cloud/server_config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "cloud/database/database_config.h"
#include "cloud/http/access.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/limits.h"
#include "common/status.h"
#include "common/text.h"

namespace gleaner::cloud {
namespace {

constexpr int64_t kSecond = kNanosPerSecond;
constexpr size_t kMaxTokenBytes = 1024;

// A path that counts from where this program is.
std::string BesideProgram(const std::string& path, const std::filesystem::path& program_dir) {
  return (program_dir / path).lexically_normal().string();
}

ListenAddress ReadAddress(ConfigReader& table, std::string_view key,
                          const ListenAddress& fallback) {
  const auto address = ParseListenAddress(table.String(key, fallback.ToString()), fallback.port);
  if (address.ok()) return *address;
  table.Error(key, Message(address.status()));
  return fallback;
}

// That the files are there and what is in them.
void CheckCredentials(ConfigReader& tls, const TlsFiles& tls_files) {
  const std::vector<ConfigReader::File> files = {
      {"ca", tls_files.ca}, {"certificate", tls_files.certificate}, {"key", tls_files.key}};
  if (!tls.CheckFiles(files)) return;
  std::vector<std::string> warnings;
  const absl::Status status =
      CheckTlsFiles(tls_files, RealClock().WallNs() / kNanosPerSecond, &warnings);
  if (!status.ok()) tls.Error(ConfigReader::KeyOf(files, Message(status)), Message(status));
  for (const std::string& warning : warnings) {
    tls.Warn(ConfigReader::KeyOf(files, warning), warning);
  }
}

// A worker that can't be started checks nothing, and every clip would stay pending.
std::string ReadWorker(ConfigReader& media, const std::string& program_dir) {
  std::string path = media.Path("worker", BesideProgram("gleaner-media", program_dir));
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error) || ::access(path.c_str(), X_OK) != 0) {
    media.Error("worker", fmt::format("{} is not a program that can be run", path));
  }
  return path;
}

media::FrameChoice ReadFrameChoice(ConfigReader& table) {
  media::FrameChoice choice;
  const auto read = [&table](const char* key, uint32_t fallback) {
    return static_cast<uint32_t>(table.Int(key, fallback, {0, media::FrameChoice::kMaxOfAKind}));
  };
  choice.firings = read("firings", choice.firings);
  choice.peaks = read("peaks", choice.peaks);
  choice.keyframes = read("keyframes", choice.keyframes);
  choice.evenly = read("evenly", choice.evenly);
  choice.gap_ns = table.DurationNs("gap", choice.gap_ns, {0, 60 * kSecond});
  return choice;
}

std::string ReadToken(ConfigReader& http) {
  std::string token = http.String("token", "");
  std::string_view key = "token";
  const std::string file = http.Path("token_file", "");
  if (!file.empty()) {
    key = "token_file";
    if (!token.empty()) http.Error(key, "token is set as well; only one of the two");
    auto text = ReadSecret(file, kMaxTokenBytes + 2);
    if (!text.ok()) {
      http.Error(key, Message(text.status()));
      return "";
    }
    token = *std::move(text);
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
    if (token.empty()) http.Error(key, fmt::format("{} is empty", file));
  }
  if (token.empty()) return token;
  if (token.size() < kMinTokenBytes || token.size() > kMaxTokenBytes) {
    http.Error(key, fmt::format("a token has {} to {} characters", kMinTokenBytes, kMaxTokenBytes));
  }
  for (const char c : token) {
    // The HTTP library decodes percent signs in headers.
    if (c <= ' ' || c > '~' || c == '%') {
      http.Error(key, "a token has visible ASCII characters only, and no %");
      break;
    }
  }
  return token;
}

// New clips wait while less than free_floor is left.
void CheckDisk(ConfigReader& ingest, const ServerConfig& config) {
  const auto disk = SpaceAt(config.data_dir);
  if (config.data_dir.empty() || !disk.ok()) return;  // opening the folder says why
  const auto floor = static_cast<uint64_t>(config.ingest.free_bytes_floor);
  if (floor >= disk->total_bytes) {
    ingest.Error("free_floor",
                 fmt::format("is {}, and the disk under {} has {} in all: no clip "
                             "would ever be taken in",
                             HumanBytes(floor), config.data_dir, HumanBytes(disk->total_bytes)));
  } else if (floor >= disk->free_bytes) {
    ingest.Warn(
        "free_floor",
        fmt::format("is {}, and the disk under {} has {} left: clips wait until there is more",
                    HumanBytes(floor), config.data_dir, HumanBytes(disk->free_bytes)));
  }
}

v1::Policy ReadPolicy(ConfigReader table) {
  v1::Policy policy;
  policy.set_heartbeat_interval_s(
      static_cast<uint32_t>(table.Int("heartbeat_interval_s", 10, {1, 3600})));
  const int64_t cap = table.Bytes("upload_cap", 0);
  if (cap != 0 && static_cast<uint64_t>(cap) < kMinUploadCapBytesPerS) {
    table.Error("upload_cap", fmt::format("must be 0 for none, or {} a second or more",
                                          HumanBytes(kMinUploadCapBytesPerS)));
  }
  policy.set_upload_cap_bytes_per_s(static_cast<uint64_t>(cap));
  policy.set_capture_paused(table.Bool("capture_paused", false));
  NameVersion(&policy);
  return policy;
}

// One of several servers needs what they share: everything that is missing is said at once.
void ReadRoles(ConfigReader& server, const std::string* given, ServerConfig& config) {
  const std::string configured = server.String("role", "all");
  const std::string whose = given == nullptr ? "" : "--role: ";
  const auto roles = ParseRoles(given == nullptr ? configured : *given);
  if (!roles.ok()) return server.Error("role", fmt::format("{}{}", whose, Message(roles.status())));
  config.roles = *roles;
  if (roles->all()) return;
  if (config.database.empty()) {
    server.Error("role", whose +
                             "several servers share one catalog: set database.url (or url_file) "
                             "to a PostgreSQL");
  }
  if (!config.store.in_bucket) {
    server.Error("role", whose +
                             "several servers share one place for objects: set store.kind to "
                             "\"s3\", and store.endpoint, bucket, access_key and "
                             "secret_key_file");
  }
}

}  // namespace

absl::StatusOr<Roles> ParseRoles(std::string_view word) {
  if (word == "all") return Roles{};
  const Roles roles{word == "ingest", word == "api", word == "worker"};
  if (roles.ingest || roles.api || roles.worker) return roles;
  return absl::InvalidArgumentError(
      fmt::format("\"{}\" is none of all, ingest, api, worker", word));
}

absl::StatusOr<ServerConfig> LoadServerConfig(const std::string& path,
                                              const std::string& program_dir,
                                              const std::string* role) {
  ASSIGN_OR_RETURN(ConfigReader root, ConfigReader::Load(path));
  auto config = ReadServerConfig(root, program_dir, role);
  if (config.ok()) return config;
  // A screen full of remarks, one a line, says at its end what it comes to.
  const std::string all(Message(config.status()));
  const size_t warnings = root.warnings().size();
  const auto lines = static_cast<size_t>(std::count(all.begin(), all.end(), '\n')) + 1;
  return absl::Status(config.status().code(),
                      fmt::format("{}\n{}: {}{}", all, path, Count(lines - warnings, "mistake"),
                                  warnings == 0 ? "" : " and " + Count(warnings, "warning")));
}

absl::StatusOr<ServerConfig> ReadServerConfig(ConfigReader& root, const std::string& program_dir,
                                              const std::string* role) {
  ServerConfig config;

  ConfigReader server = root.Table("server");
  config.data_dir = server.RequiredFolder("data_dir");
  config.database = ReadDatabaseConfig(root.Table("database"));
  config.store = ReadStoreConfig(root.Table("store"));
  ReadRoles(server, role, config);

  ConfigReader grpc = root.Table("grpc");
  DeviceServerOptions& devices = config.devices;
  devices.listen = ReadAddress(grpc, "listen", devices.listen);
  devices.connections.all = static_cast<size_t>(
      grpc.Int("connections", static_cast<int64_t>(devices.connections.all), {16, 1'000'000}));
  devices.connections.per_address = static_cast<size_t>(
      grpc.Int("connections_per_address", static_cast<int64_t>(devices.connections.per_address),
               {2, 1'000'000}));
  devices.memory_bytes =
      grpc.Bytes("memory", devices.memory_bytes, {.min = 32 << 20, .max = int64_t{1} << 40});
  devices.plaintext = grpc.Bool("plaintext", false);
  if (devices.plaintext && !devices.listen.IsLoopback()) {
    grpc.Error("plaintext", fmt::format("without TLS any device can name itself as it likes, so "
                                        "that is allowed on loopback only, not on {}",
                                        devices.listen.ToString()));
  }
  ConfigReader tls = root.Table("tls");
  if (config.roles.ingest && !devices.plaintext) {
    devices.tls.ca = tls.RequiredPath("ca");
    devices.tls.certificate = tls.RequiredPath("certificate");
    devices.tls.key = tls.RequiredPath("key");
    CheckCredentials(tls, devices.tls);
  } else {  // no device connects here, or none has a certificate
    for (const char* key : {"ca", "certificate", "key"}) tls.String(key, "");
  }
  ConfigReader ingest = root.Table("ingest");
  config.ingest = IngestOptions::Read(ingest);
  CheckDisk(ingest, config);
  config.ingest.trust_metadata = devices.plaintext;

  ConfigReader http = root.Table("http");
  config.http_listen = ReadAddress(http, "listen", config.http_listen);
  config.token = ReadToken(http);
  config.web_dir = http.Path("web_dir", BesideProgram("../share/gleaner/web", program_dir));
  std::error_code error;
  if (!std::filesystem::exists(config.web_dir + "/index.html", error)) {
    http.Warn("web_dir",
              fmt::format("there is no page in {}: the API works without it", config.web_dir));
  }

  ConfigReader media = root.Table("media");
  config.media_workers = static_cast<size_t>(media.Int("workers", 1, {1, 64}));
  config.media_cpu_ns = media.DurationNs("timeout", 120 * kSecond, {1 * kSecond, 3600 * kSecond});
  config.media_worker = ReadWorker(media, program_dir);

  ConfigReader frames = root.Table("frames");
  config.frames = ReadFrameChoice(frames);
  config.pictures_at_once = static_cast<size_t>(
      frames.Int("pictures_at_once", static_cast<int64_t>(config.pictures_at_once), {1, 16}));
  config.picture_cache_bytes = static_cast<uint64_t>(
      frames.Bytes("picture_cache", static_cast<int64_t>(config.picture_cache_bytes)));

  config.models = ReadModels(root, program_dir);

  config.fleet.policy = ReadPolicy(root.Table("policy"));
  config.fleet.trust_metadata = devices.plaintext;

  ConfigReader log = root.Table("log");
  config.log_level = log.String("level", "info");
  static constexpr std::string_view kLevels[] = {"trace", "debug", "info", "warn", "error"};
  if (std::find(std::begin(kLevels), std::end(kLevels), config.log_level) == std::end(kLevels)) {
    log.Error("level", "must be one of trace, debug, info, warn, error");
  }
  RETURN_IF_ERROR(root.Finish());
  config.warnings = root.warnings();
  return config;
}

}  // namespace gleaner::cloud
