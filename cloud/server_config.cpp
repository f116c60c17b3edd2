#include "cloud/server_config.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "cloud/http/access.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr int64_t kSecond = kNanosPerSecond;
constexpr size_t kMaxTokenBytes = 1024;
constexpr int64_t kMinUploadCap = 1024;

// A path in the file counts from the file's own folder.
std::string Resolve(const std::string& path, const std::filesystem::path& folder) {
  if (path.empty()) return path;
  return (folder / path).lexically_normal().string();
}

ListenAddress ReadAddress(ConfigReader& table, std::string_view key,
                          const ListenAddress& fallback) {
  const auto address = ParseListenAddress(table.String(key, fallback.ToString()));
  if (address.ok()) return *address;
  table.Error(key, Message(address.status()));
  return fallback;
}

std::string ReadPemPath(ConfigReader& table, std::string_view key,
                        const std::filesystem::path& folder) {
  const std::string text = table.RequiredString(key);
  std::string path = Resolve(text, folder);
  if (text.empty()) return path;
  if (const auto file = OpenFile(path, O_RDONLY); !file.ok()) {
    table.Error(key, Message(file.status()));
  }
  return path;
}

// A worker that can't be started checks nothing, and every clip would stay pending.
std::string ReadWorker(ConfigReader& media, const std::filesystem::path& folder,
                       const std::string& program_dir) {
  std::string path = media.Has("worker") ? Resolve(media.String("worker", ""), folder)
                                         : Resolve("gleaner-media", program_dir);
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error) || ::access(path.c_str(), X_OK) != 0) {
    media.Error("worker", fmt::format("{} is not a program that can be run", path));
  }
  return path;
}

std::string ReadToken(ConfigReader& http, const std::filesystem::path& folder) {
  std::string token = http.String("token", "");
  std::string_view key = "token";
  const std::string file = Resolve(http.String("token_file", ""), folder);
  if (!file.empty()) {
    key = "token_file";
    if (!token.empty()) http.Error(key, "token is set as well; only one of the two");
    struct stat info {};
    if (::stat(file.c_str(), &info) == 0 && (info.st_mode & 0007) != 0) {
      http.Error(key, fmt::format("{} can be read by everyone; chmod o= it", file));
    }
    auto text = ReadFile(file, kMaxTokenBytes + 2);
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

v1::Policy ReadPolicy(ConfigReader table) {
  v1::Policy policy;
  policy.set_heartbeat_interval_s(
      static_cast<uint32_t>(table.Int("heartbeat_interval_s", 10, {1, 3600})));
  const int64_t cap = table.Bytes("upload_cap", 0);
  if (cap != 0 && cap < kMinUploadCap) {
    table.Error("upload_cap",
                fmt::format("0 for none, or {} bytes a second or more", kMinUploadCap));
  }
  policy.set_upload_cap_bytes_per_s(static_cast<uint64_t>(cap));
  policy.set_capture_paused(table.Bool("capture_paused", false));
  NameVersion(&policy);
  return policy;
}

}  // namespace

absl::StatusOr<ServerConfig> LoadServerConfig(const std::string& path,
                                              const std::string& program_dir) {
  ASSIGN_OR_RETURN(ConfigReader root, ConfigReader::Load(path));
  std::error_code error;
  return ReadServerConfig(root, std::filesystem::absolute(path, error).parent_path(), program_dir);
}

absl::StatusOr<ServerConfig> ReadServerConfig(ConfigReader& root, const std::string& directory,
                                              const std::string& program_dir) {
  const std::filesystem::path folder = directory;
  ServerConfig config;

  ConfigReader server = root.Table("server");
  config.data_dir = Resolve(server.RequiredString("data_dir"), folder);

  ConfigReader grpc = root.Table("grpc");
  DeviceListenerOptions& devices = config.devices;
  const ListenAddress listen = ReadAddress(grpc, "listen", {"0.0.0.0", 7443});
  devices.address = listen.ToString();
  devices.memory_bytes =
      grpc.Bytes("memory", devices.memory_bytes, {.min = 32 << 20, .max = int64_t{1} << 40});
  devices.plaintext = grpc.Bool("plaintext", false);
  if (devices.plaintext && !listen.IsLoopback()) {
    grpc.Error("plaintext", fmt::format("without TLS any device can name itself as it likes, so "
                                        "that is allowed on loopback only, not on {}",
                                        devices.address));
  }
  ConfigReader tls = root.Table("tls");
  if (!devices.plaintext) {
    devices.ca = ReadPemPath(tls, "ca", folder);
    devices.certificate = ReadPemPath(tls, "certificate", folder);
    devices.key = ReadPemPath(tls, "key", folder);
  } else {
    for (const char* key : {"ca", "certificate", "key"}) tls.String(key, "");
  }
  ConfigReader ingest = root.Table("ingest");
  config.ingest = IngestOptions::Read(ingest);
  config.ingest.trust_metadata = devices.plaintext;

  ConfigReader http = root.Table("http");
  config.http_listen = ReadAddress(http, "listen", config.http_listen);
  config.token = ReadToken(http, folder);
  if (config.token.empty() && !config.http_listen.IsLoopback()) {
    http.Error("listen", fmt::format("{} can be reached from other machines: set token or "
                                     "token_file, or listen on 127.0.0.1",
                                     config.http_listen.ToString()));
  }
  config.web_dir = http.Has("web_dir") ? Resolve(http.String("web_dir", ""), folder)
                                       : Resolve("../share/gleaner/web", program_dir);

  ConfigReader media = root.Table("media");
  config.media_workers = static_cast<size_t>(media.Int("workers", 1, {1, 64}));
  config.media_cpu_ns = media.DurationNs("timeout", 120 * kSecond, {1 * kSecond, 3600 * kSecond});
  config.media_worker = ReadWorker(media, folder, program_dir);

  config.fleet.policy = ReadPolicy(root.Table("policy"));
  config.fleet.trust_metadata = devices.plaintext;

  ConfigReader log = root.Table("log");
  config.log_level = log.String("level", "info");
  static constexpr std::string_view kLevels[] = {"trace", "debug", "info", "warn", "error"};
  if (std::find(std::begin(kLevels), std::end(kLevels), config.log_level) == std::end(kLevels)) {
    log.Error("level", "one of trace, debug, info, warn, error");
  }
  RETURN_IF_ERROR(root.Finish());
  // What is in the files, once it is sure that they are there.
  RETURN_IF_ERROR(MakeServerCredentials(devices).status());
  return config;
}

}  // namespace gleaner::cloud
