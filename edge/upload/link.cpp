#include "edge/upload/link.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <sys/stat.h>

#include <charconv>
#include <utility>

#include "common/log.h"
#include "common/status.h"
#include "common/version.h"
#include "edge/upload/trouble.h"

namespace gleaner::edge {
namespace {

// What every connection has, in milliseconds where a name ends in _MS.
constexpr std::pair<const char*, int> kChannelArguments[] = {
    {GRPC_ARG_KEEPALIVE_TIME_MS, 30'000},
    {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000},
    {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
    {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0},
    // The next attempt is normally made by a caller with a fresh channel; these bound a channel
    // that nobody replaces.
    {GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 1'000},
    {GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 30'000},
    {GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10'000},  // how long an attempt may take, in fact
    // A fresh channel must not inherit the old one's connection or its back-off.
    {GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1},
    {GRPC_ARG_ENABLE_RETRIES, 0},
    {GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1},
    // The bound on messages is on what comes, not on what that unpacks to: see
    // cloud/rpc/device_server.h, which says the same of what we send.
    {GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1 << GRPC_COMPRESS_NONE},
    {GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0},
};
// A chunk or an offer is a little over 256 KiB, a ledger report may be longer. What comes back is
// small, two thousand keys at the most; parsed, a message may take forty times its size.
constexpr int kMaxSendBytes = 2 << 20;
constexpr int kMaxReceiveBytes = 256 << 10;

// "host:port" or "[v6]:port" → host, or empty if it isn't that.
std::string_view HostOf(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return {};
  const std::string_view port = text.substr(colon + 1);
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number == 0 || number > 65535) {
    return {};
  }
  std::string_view host = text.substr(0, colon);
  if (host.front() == '[') {
    if (host.size() < 4 || host.back() != ']') return {};
    return host.substr(1, host.size() - 2);
  }
  return host.find(':') == std::string_view::npos ? host : std::string_view{};
}

constexpr std::string_view kNotLoopback =
    "plaintext is for a server on this machine only (localhost, 127.0.0.1, [::1])";

}  // namespace

bool IsLoopback(std::string_view host_and_port) {
  const std::string host(HostOf(host_and_port));
  if (host == "localhost") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

LinkOptions LinkOptions::Read(ConfigReader& reader) {
  LinkOptions options;
  options.server = reader.RequiredString("address");
  options.plaintext = reader.Bool("plaintext", false);
  options.server_name = reader.String("server_name", "");
  if (!options.server.empty() && HostOf(options.server).empty()) {
    reader.Error("address", fmt::format("\"{}\" is not host:port", options.server));
  } else if (options.plaintext && !options.server.empty() && !IsLoopback(options.server)) {
    reader.Error("plaintext", kNotLoopback);
  }
  if (options.plaintext) {
    // Allowed to stay in the file, so that a switch to plaintext is one line.
    options.ca = reader.Path("ca", "");
    options.certificate = reader.Path("certificate", "");
    options.key = reader.Path("key", "");
  } else {
    options.ca = reader.RequiredPath("ca");
    options.certificate = reader.RequiredPath("certificate");
    options.key = reader.RequiredPath("key");
  }
  return options;
}

Link::Link(LinkOptions options, Clock& clock) : options_(std::move(options)), clock_(clock) {}

absl::StatusOr<std::unique_ptr<Link>> Link::Open(LinkOptions options, Clock& clock) {
  if (HostOf(options.server).empty()) {
    return absl::InvalidArgumentError(fmt::format("\"{}\" is not host:port", options.server));
  }
  if (options.plaintext && !IsLoopback(options.server)) {
    return absl::InvalidArgumentError(fmt::format("{}: {}", options.server, kNotLoopback));
  }
  std::unique_ptr<Link> link(new Link(std::move(options), clock));
  std::lock_guard lock(link->mutex_);
  RETURN_IF_ERROR(link->LoadFiles());
  link->channel_ = link->NewChannel();
  return link;
}

absl::Status Link::LoadFiles() {
  if (options_.plaintext) return absl::OkStatus();
  stamp_ = FilesStamp();
  ASSIGN_OR_RETURN(Identity identity, LoadIdentity(options_.ca, options_.certificate, options_.key,
                                                   clock_.WallNs() / kNanosPerSecond));
  if (channel_ != nullptr && identity.name != identity_.name) {
    return absl::FailedPreconditionError(
        fmt::format("{} is of \"{}\", but this is \"{}\": clips that wait carry that name; restart "
                    "to become another device",
                    options_.certificate, identity.name, identity_.name));
  }
  identity_ = std::move(identity);
  // Of the first files the configuration has told.
  if (channel_ != nullptr) {
    for (const std::string& warning : identity_.warnings) LOG_WARN("{}", warning);
  }
  return absl::OkStatus();
}

std::string Link::FilesStamp() const {
  std::string stamp;
  for (const std::string& path : {options_.ca, options_.certificate, options_.key}) {
    struct stat info {};
    if (stat(path.c_str(), &info) == 0) {
      stamp += fmt::format("{}:{}:{}:{};", info.st_ino, info.st_size, info.st_mtim.tv_sec,
                           info.st_mtim.tv_nsec);
    }
  }
  return stamp;
}

std::shared_ptr<grpc::Channel> Link::NewChannel() const {
  grpc::ChannelArguments arguments;
  for (const auto& [name, value] : kChannelArguments) arguments.SetInt(name, value);
  if (IsLoopback(options_.server)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxSendMessageSize(kMaxSendBytes);
  arguments.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  arguments.SetUserAgentPrefix(fmt::format("gleaner-edge/{}", Version()));

  if (options_.plaintext) {
    return grpc::CreateCustomChannel(options_.server, grpc::InsecureChannelCredentials(),
                                     arguments);
  }
  if (!options_.server_name.empty()) arguments.SetSslTargetNameOverride(options_.server_name);
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = identity_.ca_pem;
  tls.pem_cert_chain = identity_.certificate_pem;
  tls.pem_private_key = identity_.key_pem;
  return grpc::CreateCustomChannel(options_.server, grpc::SslCredentials(tls), arguments);
}

std::shared_ptr<grpc::Channel> Link::Channel() {
  std::lock_guard lock(mutex_);
  bool renew =
      std::exchange(forget_, false) || channel_->GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE;
  if (!options_.plaintext && FilesStamp() != stamp_) {
    const absl::Status status = LoadFiles();
    if (status.ok()) {
      LOG_INFO("identity files have changed; connecting anew as \"{}\"", identity_.name);
      renew = true;
    } else {
      // In the middle of a rotation, perhaps: go on as before, look again once the files change
      // again.
      LOG_WARN("identity files have changed but can't be used: {}", Message(status));
    }
  }
  if (renew) channel_ = NewChannel();
  return channel_;
}

void Link::Prepare(grpc::ClientContext* context) const {
  if (options_.plaintext && !options_.device.empty()) {
    context->AddMetadata("x-gleaner-device", options_.device);
  }
}

absl::Status Link::Heard(const grpc::Status& status) {
  absl::Status in_words = InWords(status, options_);
  const std::string trouble(IsUnreachable(in_words) ? Message(in_words) : "");
  std::lock_guard lock(mutex_);
  // Who gives up a call that waits for a connection knows nothing of that.
  if (trouble.empty() && !in_words.ok()) return in_words;
  if (trouble != told_ && !trouble.empty()) LOG_WARN("{}", trouble);
  told_ = trouble;
  return in_words;
}

void Link::Forget() {
  std::lock_guard lock(mutex_);
  forget_ = true;
}

std::string Link::certificate_name() const {
  std::lock_guard lock(mutex_);
  return identity_.name;
}

}  // namespace gleaner::edge
