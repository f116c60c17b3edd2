// A small RTSP server for tests (RFC 2326, RTP interleaved in TCP, RFC 6184 packets): serves a
// file's H.264 packets at 30 frames a second of RTP time, as fast as the client takes them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/file.h"
#include "edge/camera/ffmpeg.h"
#include "fmt/format.h"

extern "C" {
#include <libavutil/base64.h>
}

namespace gleaner::edge {

class RtspServer {
 public:
  enum class Then { kHang, kClose };
  struct Visit {
    int frames = 0;  // how many to send
    Then then = Then::kHang;
    uint32_t first_timestamp = 0;
  };

  // `packets`: H.264 in MP4 framing, with `extradata` an avcC. The n-th connection gets the n-th
  // visit; the last one is repeated. An empty list: connections are accepted and never answered.
  RtspServer(std::vector<Packet> packets, std::string extradata, std::vector<Visit> visits)
      : packets_(std::move(packets)), extradata_(std::move(extradata)), visits_(std::move(visits)) {
    listener_ = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(listener_.get(), 8);
    socklen_t size = sizeof address;
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~RtspServer() {
    stopped_ = true;
    shutdown(listener_.get(), SHUT_RDWR);
    {
      std::lock_guard lock(mutex_);
      if (connection_ >= 0) shutdown(connection_, SHUT_RDWR);
    }
    thread_.join();
  }

  std::string url() const { return fmt::format("rtsp://admin:secret@127.0.0.1:{}/live", port_); }
  int connections() const { return connections_; }

 private:
  void Serve() {
    for (int n = 0; !stopped_; ++n) {
      Fd connection(accept(listener_.get(), nullptr, nullptr));
      if (!connection.valid()) return;
      {
        std::lock_guard lock(mutex_);
        connection_ = connection.get();
      }
      ++connections_;
      const Visit visit =
          visits_.empty() ? Visit{} : visits_[std::min<size_t>(n, visits_.size() - 1)];
      Talk(connection.get(), visit);
      std::lock_guard lock(mutex_);
      connection_ = -1;
    }
  }

  void Talk(int fd, const Visit& visit) {
    std::string input;
    char buffer[4096];
    for (;;) {
      const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0) return;
      if (visits_.empty()) continue;
      input.append(buffer, static_cast<size_t>(got));
      for (size_t end; (end = input.find("\r\n\r\n")) != std::string::npos;) {
        const std::string request = input.substr(0, end);
        input.erase(0, end + 4);
        if (Answer(fd, request)) {
          Stream(fd, visit);
          if (visit.then == Then::kClose) return;
        }
      }
    }
  }

  // True when the client wants to play.
  bool Answer(int fd, const std::string& request) {
    const size_t at = request.find("CSeq: ");
    const std::string sequence = request.substr(at + 6, request.find("\r\n", at) - at - 6);
    std::string headers, body;
    if (request.starts_with("DESCRIBE")) {
      headers = "Content-Type: application/sdp\r\n";
      body = Sdp();
    } else if (request.starts_with("SETUP")) {
      headers = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 7\r\n";
    } else if (request.starts_with("OPTIONS")) {
      headers = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n";
    }
    Send(fd, fmt::format("RTSP/1.0 200 OK\r\nCSeq: {}\r\n{}Content-Length: {}\r\n\r\n{}", sequence,
                         headers, body.size(), body));
    return request.starts_with("PLAY");
  }

  std::string Sdp() const {
    // avcC: one SPS and one PPS, each after a 16-bit length (ISO 14496-15, 5.3.3.1).
    const auto* data = reinterpret_cast<const uint8_t*>(extradata_.data());
    const int sps = data[6] << 8 | data[7];
    const int pps = data[9 + sps] << 8 | data[10 + sps];
    auto base64 = [](const uint8_t* bytes, int size) {
      std::string text(AV_BASE64_SIZE(size), '\0');
      av_base64_encode(text.data(), static_cast<int>(text.size()), bytes, size);
      return std::string(text.c_str());
    };
    return fmt::format(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
        "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1; sprop-parameter-sets={},{}\r\n"
        "a=control:track1\r\n",
        base64(data + 8, sps), base64(data + 11 + sps, pps));
  }

  void Stream(int fd, const Visit& visit) {
    uint16_t sequence = 0;
    for (int i = 0; i < visit.frames; ++i) {
      const AVPacket& packet = *packets_[i % packets_.size()].data;
      const uint32_t timestamp = visit.first_timestamp + static_cast<uint32_t>(i) * 3000;
      for (int at = 0; at + 4 < packet.size;) {
        const uint8_t* p = packet.data + at;
        const int size = p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
        at += 4 + size;
        SendNal(fd, p + 4, size, timestamp, at + 4 >= packet.size, &sequence);
      }
    }
  }

  // Whole, or in fragments (FU-A).
  void SendNal(int fd, const uint8_t* nal, int size, uint32_t timestamp, bool last,
               uint16_t* sequence) {
    constexpr int kMax = 1200;
    if (size <= kMax) {
      SendRtp(fd, std::string(reinterpret_cast<const char*>(nal), size), timestamp, last, sequence);
      return;
    }
    for (int at = 1; at < size; at += kMax) {
      const int part = std::min(kMax, size - at);
      const bool end = at + part == size;
      std::string payload;
      payload += static_cast<char>((nal[0] & 0xe0) | 28);
      payload += static_cast<char>((nal[0] & 0x1f) | (at == 1 ? 0x80 : 0) | (end ? 0x40 : 0));
      payload.append(reinterpret_cast<const char*>(nal + at), part);
      SendRtp(fd, payload, timestamp, last && end, sequence);
    }
  }

  void SendRtp(int fd, const std::string& payload, uint32_t timestamp, bool marker,
               uint16_t* sequence) {
    std::string packet = {'$', 0, 0, 0, '\x80', static_cast<char>(96 | (marker ? 0x80 : 0))};
    const uint16_t number = (*sequence)++;
    packet += {static_cast<char>(number >> 8), static_cast<char>(number)};
    for (int shift = 24; shift >= 0; shift -= 8) packet += static_cast<char>(timestamp >> shift);
    packet += std::string("\0\0\0\1", 4) + payload;
    const size_t size = packet.size() - 4;
    packet[2] = static_cast<char>(size >> 8);
    packet[3] = static_cast<char>(size);
    Send(fd, packet);
  }

  static void Send(int fd, const std::string& bytes) {
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t sent = send(fd, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) return;
      at += static_cast<size_t>(sent);
    }
  }

  const std::vector<Packet> packets_;
  const std::string extradata_;
  const std::vector<Visit> visits_;
  Fd listener_;
  uint16_t port_ = 0;
  std::atomic<bool> stopped_{false};
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  int connection_ = -1;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace gleaner::edge
