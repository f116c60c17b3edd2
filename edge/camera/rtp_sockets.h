// Where a camera sends RTP and RTCP over UDP: two sockets with neighbouring ports (RFC 3550, 11).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/file.h"
#include "edge/camera/net_address.h"

namespace gleaner::edge {

// Not thread-safe.
class RtpSockets {
 public:
  // On this side's `local` address, at two free ports.
  static absl::StatusOr<RtpSockets> Open(NetAddress local);

  // Takes packets from these hosts alone, and sends to the first's `ports` for RTP and RTCP (0: not
  // known). Sends to them at once, so that a firewall lets in what seems to answer.
  void Expect(std::vector<NetAddress> hosts, std::array<uint16_t, 2> ports);

  uint16_t rtp_port() const { return port_; }  // RTCP's is the next
  std::array<int, 2> fds() const { return {fds_[0].get(), fds_[1].get()}; }

  // The next packet that is there, of either kind: its size; nullopt when there is none. A longer
  // one than `buffer` is cut.
  std::optional<size_t> Receive(std::span<char> buffer);
  void SendRtcp(std::string_view bytes) { Send(1, bytes); }
  // How many packets came from other hosts and were not taken.
  uint64_t strangers() const { return strangers_; }

 private:
  void Send(size_t socket, std::string_view bytes);

  std::array<Fd, 2> fds_;
  uint16_t port_ = 0;
  std::vector<NetAddress> hosts_;
  std::array<uint16_t, 2> ports_{};
  uint64_t strangers_ = 0;
};

}  // namespace gleaner::edge
