#include "tests/edge/camera/rtsp_camera.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <random>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "fmt/format.h"

extern "C" {
#include <libavutil/base64.h>
}

namespace gleaner::edge {
namespace {

constexpr size_t kMaxPayload = 1200;
constexpr int kPayloadType = 96;
constexpr int kJpegPayloadType = 26;  // of RFC 3551

std::string Base64(const std::string& bytes) {
  std::string text(AV_BASE64_SIZE(bytes.size()), '\0');
  av_base64_encode(text.data(), static_cast<int>(text.size()),
                   reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(text.find('\0'));
  return text;
}

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

struct Payload {
  std::string bytes;
  bool ends_nal = false;
};

// A NAL unit whole, or in fragments (FU-A of RFC 6184, FU of RFC 7798).
std::vector<Payload> Packetise(const std::string& nal, bool hevc) {
  if (nal.size() <= kMaxPayload) return {{nal, true}};
  const auto first = static_cast<uint8_t>(nal[0]);
  const size_t header = hevc ? 2 : 1;
  std::string indicator;
  uint8_t type = 0;
  if (hevc) {
    indicator = {static_cast<char>((first & 0x81) | 49 << 1), nal[1]};
    type = first >> 1 & 63;
  } else {
    indicator = {static_cast<char>((first & 0xe0) | 28)};
    type = first & 31;
  }
  std::vector<Payload> payloads;
  for (size_t at = header; at < nal.size(); at += kMaxPayload) {
    const bool begins = at == header;
    const bool ends = at + kMaxPayload >= nal.size();
    const uint8_t flags = (begins ? 0x80 : 0) | (ends ? 0x40 : 0) | type;
    payloads.push_back({indicator + static_cast<char>(flags) + nal.substr(at, kMaxPayload), ends});
  }
  return payloads;
}

// A JPEG image whose Huffman tables are the usual ones, as RFC 2435 sends it: tables and
// entropy-coded data without the markers around them.
std::vector<Payload> PacketiseJpeg(const std::string& jpeg) {
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(jpeg.at(at)); };
  std::string tables;
  uint8_t type = 0, width = 0, height = 0;
  size_t at = 2;  // after SOI
  for (uint8_t marker = 0; marker != 0xda; at += 2 + (byte(at + 2) << 8 | byte(at + 3))) {
    marker = byte(at + 1);
    const size_t body = at + 4;
    if (marker == 0xdb) {
      const size_t end = at + 2 + (byte(at + 2) << 8 | byte(at + 3));
      for (size_t table = body; table + 65 <= end; table += 65) {
        tables += jpeg.substr(table + 1, 64);
      }
    } else if (marker == 0xc0) {
      height = static_cast<uint8_t>((byte(body + 1) << 8 | byte(body + 2)) / 8);
      width = static_cast<uint8_t>((byte(body + 3) << 8 | byte(body + 4)) / 8);
      type = byte(body + 7) == 0x22 ? 1 : 0;  // 4:2:0 or 4:2:2
    }
  }
  if (tables.size() == 64) tables += tables;  // one for both luma and chroma
  const std::string scan = jpeg.substr(at, jpeg.rfind("\xff\xd9") - at);
  std::vector<Payload> payloads;
  for (size_t offset = 0; offset < scan.size(); offset += kMaxPayload) {
    std::string header = {0,
                          static_cast<char>(offset >> 16),
                          static_cast<char>(offset >> 8),
                          static_cast<char>(offset),
                          static_cast<char>(type),
                          static_cast<char>(255),  // the tables are sent along
                          static_cast<char>(width),
                          static_cast<char>(height)};
    if (offset == 0) header += std::string("\0\0\0\x80", 4) + tables;
    payloads.push_back(
        {header + scan.substr(offset, kMaxPayload), offset + kMaxPayload >= scan.size()});
  }
  return payloads;
}

// Of the form "client_port=5000-5001".
int ClientPort(const std::string& transport) {
  const size_t at = transport.find("client_port=");
  return at == std::string::npos ? 0 : std::atoi(transport.c_str() + at + 12);
}

}  // namespace

namespace stamps {

RtpStamp True(int64_t first) {
  return [first](int64_t, int64_t pts) { return first + pts; };
}
RtpStamp Scaled(double factor) {
  return [factor](int64_t, int64_t pts) {
    return static_cast<int64_t>(static_cast<double>(pts) * factor);
  };
}
RtpStamp Jump(int64_t at, int64_t by) {
  return [at, by](int64_t, int64_t pts) { return pts + (pts >= at ? by : 0); };
}
RtpStamp Glitch(int64_t every, int64_t by, int64_t length) {
  return [every, by, length](int64_t picture, int64_t pts) {
    return pts + (picture % every >= every - length ? by : 0);
  };
}
RtpStamp Constant() {
  return [](int64_t, int64_t) { return int64_t{1000}; };
}
RtpStamp Jittered(uint64_t seed, int64_t most) {
  return [seed, most](int64_t picture, int64_t pts) {
    std::minstd_rand random(static_cast<uint32_t>(seed * 7919 + static_cast<uint64_t>(picture)));
    random.discard(8);
    return pts + std::uniform_int_distribution<int64_t>(-most, most)(random);
  };
}
RtpStamp WholeSeconds() {
  return [](int64_t, int64_t pts) { return pts / 90'000 * 90'000; };
}

}  // namespace stamps

std::string SenderReport(uint64_t ntp, uint32_t timestamp) {
  std::string report("\x80\xc8\0\6\0\0\0\1", 8);  // 28 bytes, of the source that the packets name
  for (int shift = 56; shift >= 0; shift -= 8) report += static_cast<char>(ntp >> shift);
  for (int shift = 24; shift >= 0; shift -= 8) report += static_cast<char>(timestamp >> shift);
  return report + std::string(8, '\0');  // packets and bytes sent so far
}

// One client: its requests on a thread, and its stream on another.
class RtspCamera::Connection {
 public:
  Connection(RtspCamera& camera, Fd socket, const RtspBehavior* behavior)
      : camera_(camera), socket_(std::move(socket)), behavior_(behavior) {
    thread_ = std::thread([this] { Talk(); });
  }
  ~Connection() {
    stopped_ = true;
    shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
    if (stream_.joinable()) stream_.join();
  }

 private:
  void Talk() {
    std::string input;
    char buffer[4096];
    for (;;) {
      const ssize_t got = recv(socket_.get(), buffer, sizeof buffer, 0);
      if (got <= 0) break;
      if (behavior_ == nullptr) continue;
      input.append(buffer, static_cast<size_t>(got));
      while (TakeMessage(&input)) {
      }
    }
    stopped_ = true;
  }

  // One request, or one of the client's RTCP packets, from the front of `input`.
  bool TakeMessage(std::string* input) {
    if (input->size() >= 4 && input->front() == '$') {
      const size_t size =
          4 + (static_cast<uint8_t>((*input)[2]) << 8) + static_cast<uint8_t>((*input)[3]);
      if (input->size() < size) return false;
      input->erase(0, size);
      return true;
    }
    const size_t end = input->find("\r\n\r\n");
    if (end == std::string::npos) return false;
    RtspRequest request;
    std::istringstream lines(input->substr(0, end));
    input->erase(0, end + 4);
    lines >> request.method >> request.url;
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
      const size_t colon = line.find(':');
      if (colon == std::string::npos) continue;
      std::string name = line.substr(0, colon);
      std::transform(name.begin(), name.end(), name.begin(), [](char c) {
        return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      });
      std::string value = line.substr(colon + 1);
      value.erase(0, value.find_first_not_of(' '));
      value.erase(value.find_last_not_of("\r ") + 1);
      request.headers[name] = value;
    }
    Answer(request);
    camera_.Note(std::move(request));
    return true;
  }

  void Answer(const RtspRequest& request) {
    const auto header = [&](const char* name) {
      const auto found = request.headers.find(name);
      return found == request.headers.end() ? std::string() : found->second;
    };
    std::string status = "200 OK", headers, body;
    bool plays = false;
    const auto refused = behavior_->door ? behavior_->door(request) : std::nullopt;
    while (refused.has_value() && !refused->flood.empty() && !stopped_) Send(refused->flood);
    if (refused.has_value() && refused->status.empty()) {
      shutdown(socket_.get(), SHUT_RDWR);
      return;
    }
    if (refused.has_value()) {
      status = refused->status;
      headers = refused->headers;
    } else if (request.method == "DESCRIBE") {
      headers = "Content-Type: application/sdp\r\n";
      body = Sdp();
    } else if (request.method == "SETUP") {
      const std::string transport = header("transport");
      if (const int port = ClientPort(transport); port > 0) {
        udp_ = Fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        client_ = Loopback(port);
        sockaddr_in mine = Loopback(0);
        socklen_t size = sizeof mine;
        bind(udp_.get(), reinterpret_cast<sockaddr*>(&mine), size);
        getsockname(udp_.get(), reinterpret_cast<sockaddr*>(&mine), &size);
        headers = fmt::format("Transport: RTP/AVP;unicast;client_port={}-{};server_port={}-{}\r\n",
                              port, port + 1, ntohs(mine.sin_port), ntohs(mine.sin_port) + 1);
      } else {
        headers = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
      }
      headers += "Session: 7;timeout=60\r\n";
    } else if (request.method == "OPTIONS") {
      headers = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n";
    } else if (request.method == "PLAY") {
      headers = "Session: 7\r\nRange: npt=0-\r\n";
      plays = true;
    }
    Send(fmt::format("RTSP/1.0 {}\r\nCSeq: {}\r\n{}Content-Length: {}\r\n\r\n{}", status,
                     header("cseq"), headers, body.size(), body));
    if (plays && !stream_.joinable()) stream_ = std::thread([this] { Stream(); });
  }

  std::string Sdp() const {
    const Film& film = camera_.film_;
    if (film.codec == "mjpeg") {
      return "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\na=control:*\r\n"
             "m=video 0 RTP/AVP 26\r\na=control:track1\r\n";
    }
    const bool hevc = film.codec == "hevc";
    std::string format = hevc ? "" : "packetization-mode=1";
    if (behavior_->sets_in_sdp) {
      const auto set = [&](size_t i) { return Base64(film.parameter_sets.at(i)); };
      format = hevc ? fmt::format("sprop-vps={};sprop-sps={};sprop-pps={}", set(0), set(1), set(2))
                    : format + fmt::format(";sprop-parameter-sets={},{}", set(0), set(1));
    }
    return fmt::format(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\na=control:*\r\n"
        "m=video 0 RTP/AVP {0}\r\na=rtpmap:{0} {1}/90000\r\n{2}a=control:track1\r\n{3}",
        kPayloadType, hevc ? "H265" : "H264",
        format.empty() ? "" : fmt::format("a=fmtp:{} {}\r\n", kPayloadType, format),
        behavior_->more_sdp);
  }

  void Stream() {
    const Film& film = camera_.film_;
    size_t at = behavior_->start % film.pictures.size();
    int64_t round_start = 0;
    for (int64_t n = 0; !stopped_ && n != behavior_->frames; ++n, ++at) {
      if (at == film.pictures.size()) {
        if (!behavior_->loop) break;
        at = 0;
        round_start += film.length;
      }
      if (behavior_->pace && !behavior_->pace(n)) break;
      for (int copies = behavior_->copies ? behavior_->copies(n) : 1; copies > 0; --copies) {
        SendPicture(film.pictures[at], n, round_start + film.pictures[at].pts);
      }
    }
    if (behavior_->then == RtspBehavior::Then::kClose) shutdown(socket_.get(), SHUT_RDWR);
  }

  void SendPicture(const Film::Picture& picture, int64_t number, int64_t pts) {
    const Film& film = camera_.film_;
    std::vector<std::string> nals;
    if (picture.keyframe && behavior_->sets_in_stream) nals = film.parameter_sets;
    const size_t sets = nals.size();
    nals.insert(nals.end(), picture.nals.begin(), picture.nals.end());
    const auto timestamp = static_cast<uint32_t>(behavior_->stamp(number, pts));
    if (const std::string report = behavior_->rtcp ? behavior_->rtcp(number, timestamp) : "";
        !report.empty()) {
      SendPacket(report, /*control=*/true);
    }
    for (size_t i = 0; i < nals.size(); ++i) {
      const bool marks = i + 1 == nals.size() || (behavior_->marker_on_slices && i >= sets);
      for (const Payload& payload : film.codec == "mjpeg"
                                        ? PacketiseJpeg(nals[i])
                                        : Packetise(nals[i], film.codec == "hevc")) {
        SendRtp(payload.bytes, timestamp, marks && payload.ends_nal, number);
      }
    }
  }

  void SendRtp(const std::string& payload, uint32_t timestamp, bool marker, int64_t picture) {
    const int type = camera_.film_.codec == "mjpeg" ? kJpegPayloadType : kPayloadType;
    const int64_t number = packets_++;
    const auto sequence =
        static_cast<uint16_t>(1 + number + (behavior_->skips ? behavior_->skips(number) : 0));
    if (behavior_->lost && behavior_->lost(picture, number)) return;
    std::string packet = {'\x80', static_cast<char>(type | (marker ? 0x80 : 0)),
                          static_cast<char>(sequence >> 8), static_cast<char>(sequence)};
    for (int shift = 24; shift >= 0; shift -= 8) packet += static_cast<char>(timestamp >> shift);
    packet += std::string("\0\0\0\1", 4) + payload;
    if (behavior_->late && late_.empty() && behavior_->late(picture, number)) {
      late_ = std::move(packet);
      return;
    }
    SendPacket(packet);
    if (!late_.empty()) SendPacket(std::exchange(late_, ""));
  }

  void SendPacket(const std::string& packet, bool control = false) {
    if (udp_.valid()) {
      sockaddr_in to = client_;
      if (control) to.sin_port = htons(static_cast<uint16_t>(ntohs(to.sin_port) + 1));
      sendto(udp_.get(), packet.data(), packet.size(), MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&to), sizeof to);
      return;
    }
    Send(std::string{'$', static_cast<char>(control ? 1 : 0), static_cast<char>(packet.size() >> 8),
                     static_cast<char>(packet.size())} +
         packet);
  }

  void Send(const std::string& bytes) {
    std::lock_guard lock(mutex_);
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t sent = send(socket_.get(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) {
        stopped_ = true;
        return;
      }
      at += static_cast<size_t>(sent);
    }
  }

  RtspCamera& camera_;
  const Fd socket_;
  const RtspBehavior* const behavior_;  // null: never answers
  std::atomic<bool> stopped_{false};
  Fd udp_;  // valid where the client wants UDP
  sockaddr_in client_{};
  int64_t packets_ = 0;
  std::string late_;  // a packet that waits to be overtaken; empty: none
  std::mutex mutex_;  // one message after the other on the socket
  std::thread thread_, stream_;
};

RtspCamera::RtspCamera(Film film, std::vector<RtspBehavior> behaviors)
    : film_(std::move(film)), behaviors_(std::move(behaviors)) {
  listener_ = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_.get(), 8) != 0) {
    throw std::runtime_error("no port to listen at");
  }
  getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Accept(); });
}

RtspCamera::~RtspCamera() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
  // Without the lock: a connection that ends may still note a request.
  accepted_.clear();
}

void RtspCamera::Accept() {
  for (size_t n = 0;; ++n) {
    Fd socket(accept(listener_.get(), nullptr, nullptr));
    std::lock_guard lock(mutex_);
    if (!socket.valid() || stopped_) return;
    const RtspBehavior* behavior =
        behaviors_.empty() ? nullptr : &behaviors_[std::min(n, behaviors_.size() - 1)];
    accepted_.push_back(std::make_unique<Connection>(*this, std::move(socket), behavior));
    ++connections_;
  }
}

void RtspCamera::Note(RtspRequest request) {
  std::lock_guard lock(mutex_);
  requests_.push_back(std::move(request));
}

std::string RtspCamera::url() const {
  return fmt::format("rtsp://admin:secret@127.0.0.1:{}/live", port_);
}

std::vector<RtspRequest> RtspCamera::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

}  // namespace gleaner::edge
