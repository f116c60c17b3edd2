#include "edge/camera/rtsp_session.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "common/status.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

constexpr int kMaxRedirects = 4;
constexpr int kInvalidRange = 457;
constexpr int kUnsupportedTransport = 461;
constexpr int64_t kDefaultTimeoutS = 60;  // RFC 2326, 12.37
constexpr size_t kMaxShownServer = 80;
constexpr size_t kMaxSessionBytes = 256;

bool IsSuccess(int code) { return code / 100 == 2; }

// `word` in capitals.
bool Contains(std::string_view text, std::string_view word) {
  const std::string capitals = absl::AsciiStrToUpper({text.data(), text.size()});
  return capitals.find(word) != std::string::npos;
}

// What each status means to somebody who sets up a camera. The camera's own words stay unsaid: they
// may hold the URL.
absl::Status AnswerStatus(const CameraAddress& address, std::string_view method, int code) {
  const auto says = [&](std::string_view meaning) {
    return fmt::format("{} answers {} with {}: {}", address.shown(), method, code, meaning);
  };
  switch (code) {
    case 400:
      return absl::UnavailableError(says("it doesn't understand the path of the url"));
    case 404:
    case 410:
      return absl::NotFoundError(
          says("it has no stream at the path of the url; the camera's manual has the right one"));
    case 453:
    case 503:
      return absl::UnavailableError(says("it has too many viewers"));
    case 454:
      return absl::UnavailableError(says("it has forgotten the session"));
    case kUnsupportedTransport:
      return absl::UnimplementedError(
          says("it doesn't send this way; set transport to \"auto\", \"tcp\" or \"udp\""));
    default:
      return absl::UnavailableError(says("it can't or won't"));
  }
}

std::array<uint16_t, 2> Pair(const std::optional<std::string>& text) {
  std::array<uint16_t, 2> pair{};
  if (!text) return pair;
  const size_t dash = std::min(text->find('-'), text->size());
  uint32_t first = 0, second = 0;
  if (!absl::SimpleAtoi(text->substr(0, dash), &first) || first > 65534) return pair;
  if (dash == text->size() || !absl::SimpleAtoi(text->substr(dash + 1), &second) ||
      second > 65535) {
    second = first + 1;
  }
  return {static_cast<uint16_t>(first), static_cast<uint16_t>(second)};
}

constexpr size_t kRtpHeaderBytes = 12;

// And not RTCP (RFC 5761, 4).
bool IsRtp(std::span<const char> packet) {
  const int type = packet.size() < 2 ? 0 : static_cast<uint8_t>(packet[1]);
  return type < 192 || type > 223;
}

std::string Printable(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, kMaxShownServer)) {
    if (absl::ascii_isprint(static_cast<unsigned char>(c))) shown += c;
  }
  return shown;
}

}  // namespace

std::string_view ToString(RtspTransport transport) {
  return transport == RtspTransport::kTcp ? "TCP" : "UDP";
}

absl::StatusOr<std::unique_ptr<RtspSession>> RtspSession::Open(const Options& options,
                                                               LoginGuard& guard, Clock& clock,
                                                               std::function<bool()> interrupted) {
  CameraAddress address = options.address;
  Credentials credentials = options.credentials;
  for (int redirects = 0; redirects <= kMaxRedirects; ++redirects) {
    ASSIGN_OR_RETURN(auto dialogue, RtspDialogue::Open(address, credentials, guard, interrupted));
    std::unique_ptr<RtspSession> session(
        new RtspSession(std::move(dialogue), clock, options.arrived, interrupted));
    std::string redirect;
    ASSIGN_OR_RETURN(const bool here, session->Describe(&redirect));
    if (here) {
      RETURN_IF_ERROR(session->SetUp(options.transport, options.either_transport));
      RETURN_IF_ERROR(session->Play());
      return session;
    }
    auto next = CameraAddress::Parse(redirect, "rtsp");
    if (!next.ok()) {
      return absl::UnavailableError(address.shown() + " sends on to an address that is none");
    }
    // The password is for the camera that it was given for, and not to be read along the way.
    if (next->host() != address.host() || (address.tls() && !next->tls())) credentials = {};
    address = *std::move(next);
  }
  return absl::UnavailableError(options.address.shown() + " sends on and on to other addresses");
}

absl::StatusOr<bool> RtspSession::Describe(std::string* redirect) {
  const CameraAddress& address = dialogue_->address();
  // What it can do. Cameras that don't know the question can still be watched.
  ASSIGN_OR_RETURN(const RtspMessage can, dialogue_->Ask("OPTIONS", address.uri(), {}));
  if (Contains(can.Header("public"), "GET_PARAMETER")) keep_alive_ = "GET_PARAMETER";
  ASSIGN_OR_RETURN(const RtspMessage answer,
                   dialogue_->Ask("DESCRIBE", address.uri(), {{"Accept", "application/sdp"}}));
  server_ =
      Printable(answer.Header("server").empty() ? can.Header("server") : answer.Header("server"));
  if (answer.code >= 300 && answer.code < 400 && !answer.Header("location").empty()) {
    *redirect = answer.Header("location");
    return false;
  }
  if (!IsSuccess(answer.code)) return AnswerStatus(address, "DESCRIBE", answer.code);
  auto description = SessionDescription::Parse(answer.body);
  if (!description.ok()) return dialogue_->Annotated(description.status());
  description_ = *std::move(description);

  std::string base = address.uri();
  for (const char* name : {"content-location", "content-base"}) {
    const std::string_view value = answer.Header(name);
    if (value.starts_with("rtsp://") || value.starts_with("rtsps://")) base = value;
  }
  aggregate_uri_ = ResolveControl(base, description_.session_control);
  stream_uri_ = ResolveControl(aggregate_uri_, description_.control);
  return true;
}

absl::Status RtspSession::SetUp(RtspTransport transport, bool either) {
  std::string asked = "RTP/AVP/TCP;unicast;interleaved=0-1";
  if (transport == RtspTransport::kUdp) {
    auto sockets = RtpSockets::Open(dialogue_->connection().local());
    if (!sockets.ok()) return dialogue_->Annotated(sockets.status());
    udp_ = *std::move(sockets);
    asked =
        fmt::format("RTP/AVP;unicast;client_port={}-{}", udp_->rtp_port(), udp_->rtp_port() + 1);
  }
  ASSIGN_OR_RETURN(const RtspMessage answer,
                   dialogue_->Ask("SETUP", stream_uri_, {{"Transport", asked}}));
  if (answer.code == kUnsupportedTransport && either) {
    udp_.reset();
    return SetUp(transport == RtspTransport::kTcp ? RtspTransport::kUdp : RtspTransport::kTcp,
                 false);
  }
  if (!IsSuccess(answer.code)) return AnswerStatus(dialogue_->address(), "SETUP", answer.code);

  session_ = answer.Header("session").substr(0, answer.Header("session").find(';'));
  int64_t timeout_s = kDefaultTimeoutS;
  const auto timeout = Parameter(answer.Header("session"), "timeout");
  if (timeout && !absl::SimpleAtoi(*timeout, &timeout_s)) timeout_s = kDefaultTimeoutS;
  keep_alive_every_ns_ = std::clamp<int64_t>(timeout_s / 2, 1, 30) * kNanosPerSecond;
  if (session_.size() > kMaxSessionBytes) {
    return absl::UnavailableError(dialogue_->address().shown() + " gives a session id without end");
  }

  const std::string_view agreed = answer.Header("transport");
  const std::string_view first = agreed.substr(0, agreed.find(','));
  if (Contains(first, "MULTICAST")) {
    return absl::UnimplementedError(dialogue_->address().shown() +
                                    " sends by multicast alone, which is not read here");
  }
  const bool interleaved = Contains(first, "/TCP") || Parameter(first, "interleaved");
  if (interleaved) {  // whatever was asked for: here it can be read
    const auto channels = Pair(Parameter(first, "interleaved"));
    if (Parameter(first, "interleaved")) {
      channels_ = {static_cast<uint8_t>(channels[0]), static_cast<uint8_t>(channels[1])};
    }
    udp_.reset();
  } else if (udp_) {
    std::vector<NetAddress> hosts = {dialogue_->connection().peer()};
    if (auto source = NetAddress::Parse(Parameter(first, "source").value_or(""))) {
      hosts.push_back(*source);
    }
    udp_->Expect(std::move(hosts), Pair(Parameter(first, "server_port")));
  } else if (!agreed.empty()) {
    return AnswerStatus(dialogue_->address(), "SETUP", kUnsupportedTransport);
  }
  return absl::OkStatus();
}

absl::Status RtspSession::Play() {
  RtspHeaders headers;
  if (!session_.empty()) headers.emplace_back("Session", session_);
  headers.emplace_back("Range", "npt=0.000-");  // of a recording, from its start
  ASSIGN_OR_RETURN(RtspMessage answer, dialogue_->Ask("PLAY", aggregate_uri_, headers));
  if (answer.code == kInvalidRange) {
    headers.pop_back();
    ASSIGN_OR_RETURN(answer, dialogue_->Ask("PLAY", aggregate_uri_, headers));
  }
  if (!IsSuccess(answer.code)) return AnswerStatus(dialogue_->address(), "PLAY", answer.code);
  playing_ = true;
  keep_alive_at_ns_ = clock_.MonotonicNs() + keep_alive_every_ns_;
  return absl::OkStatus();
}

RtspSession::~RtspSession() {
  if (session_.empty()) return;
  dialogue_->SendIfRoom("TEARDOWN", aggregate_uri_, {{"Session", session_}});
}

absl::Status RtspSession::KeepAlive() {
  keep_alive_at_ns_ = clock_.MonotonicNs() + keep_alive_every_ns_;
  RtspHeaders headers;
  if (!session_.empty()) headers.emplace_back("Session", session_);
  return dialogue_->Send(keep_alive_, aggregate_uri_, headers);
}

absl::StatusOr<size_t> RtspSession::Receive(std::span<char> buffer) {
  const auto from_udp = [&]() -> size_t {
    const auto size = udp_ ? udp_->Receive(buffer) : std::nullopt;
    if (size) Look(buffer.first(*size));
    return size.value_or(0);
  };
  for (bool waited = false;;) {
    // Waiting asks this itself, but packets may come without a pause.
    if (interrupted_()) return absl::CancelledError(dialogue_->address().shown());
    if (clock_.MonotonicNs() >= keep_alive_at_ns_) {
      renewed_ = false;
      RETURN_IF_ERROR(KeepAlive());
    }
    if (const size_t size = from_udp()) return size;
    if (waited) return 0;
    const std::array<int, 2> sockets = udp_ ? udp_->fds() : std::array<int, 2>{};
    auto next = dialogue_->Next(std::span(sockets.data(), udp_ ? sockets.size() : 0));
    if (!next.ok()) {
      // What came over UDP before the end may have come after the look above.
      if (const size_t size = from_udp()) return size;
      return next.status();
    }
    const auto& item = *next;
    if (const auto* message = std::get_if<RtspMessage>(&item)) {
      RETURN_IF_ERROR(Take(*message));
    } else if (const auto* data = std::get_if<RtspData>(&item)) {
      if (data->channel != channels_[0] && data->channel != channels_[1]) continue;
      const size_t size = std::min(buffer.size(), data->bytes.size());
      if (size == 0) continue;
      std::memcpy(buffer.data(), data->bytes.data(), size);
      Look(buffer.first(size));
      return size;
    } else {
      waited = true;
    }
  }
}

void RtspSession::Look(std::span<char> packet) {
  if (!IsRtp(packet)) return;
  arrived_();
  if (packet.size() < kRtpHeaderBytes) return;
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(packet[at]); };
  const uint16_t number = numbers_.Next(static_cast<uint16_t>(byte(2) << 8 | byte(3)));
  packet[2] = static_cast<char>(number >> 8);
  packet[3] = static_cast<char>(number);
}

absl::Status RtspSession::Take(const RtspMessage& message) {
  if (message.code == 0) {
    if (message.method == "TEARDOWN" || message.method == "REDIRECT") {
      dialogue_->Answer(message, 200, "OK");
      return absl::UnavailableError(dialogue_->address().shown() + " has ended the session");
    }
    const bool known = message.method == "OPTIONS" || message.method == "ANNOUNCE" ||
                       message.method.ends_with("_PARAMETER");
    dialogue_->Answer(message, known ? 200 : 501, known ? "OK" : "Not Implemented");
    return absl::OkStatus();
  }
  // The answer to a keep-alive.
  if (message.code == 401) {
    RETURN_IF_ERROR(dialogue_->Relogin(message));
    if (std::exchange(renewed_, true)) return absl::OkStatus();
    return KeepAlive();
  }
  if (message.code == 454) return AnswerStatus(dialogue_->address(), keep_alive_, message.code);
  if (message.code >= 400) keep_alive_ = "OPTIONS";
  return absl::OkStatus();
}

void RtspSession::SendRtcp(std::string_view packet) {
  if (udp_) {
    udp_->SendRtcp(packet);
  } else {
    dialogue_->SendData(channels_[1], packet);
  }
}

}  // namespace gleaner::edge
