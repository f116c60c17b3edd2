// One RTSP session with a camera (RFC 2326): asked what it has, its first video stream set up and
// played, its RTP packets received, and kept alive.
//
// The dialogue is ours; FFmpeg gets a description of the one stream and the RTP packets, and does
// what it does best: takes frames out of RTP. A proxy between its RTSP client and the camera that
// adds a better login would have to rewrite every URL in both directions, would need a port that
// other users of the device can reach, and couldn't pass UDP on. FFmpeg never learns an address or
// a password, so it can't tell them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "edge/camera/camera_address.h"
#include "edge/camera/camera_login.h"
#include "edge/camera/login_guard.h"
#include "edge/camera/rtp_numbers.h"
#include "edge/camera/rtp_sockets.h"
#include "edge/camera/rtsp_dialogue.h"
#include "edge/camera/session_description.h"

namespace gleaner::edge {

enum class RtspTransport { kTcp, kUdp };

// "TCP", "UDP".
std::string_view ToString(RtspTransport transport);

// Not thread-safe.
class RtspSession {
 public:
  struct Options {
    CameraAddress address;
    Credentials credentials;
    RtspTransport transport = RtspTransport::kTcp;
    bool either_transport = false;  // the other one where the camera doesn't know `transport`
    std::function<void()> arrived = [] {};  // hears of each RTP packet that has come
  };

  // `guard` and `clock` must outlive the session; `interrupted` ends every wait, of this call and
  // of later ones, with CANCELLED. For errors see RtspDialogue; all of them are worth another try.
  static absl::StatusOr<std::unique_ptr<RtspSession>> Open(const Options& options,
                                                           LoginGuard& guard, Clock& clock,
                                                           std::function<bool()> interrupted);
  // Says goodbye, without waiting for an answer.
  ~RtspSession();

  const SessionDescription& description() const { return description_; }
  RtspTransport transport() const { return udp_ ? RtspTransport::kUdp : RtspTransport::kTcp; }
  // What the camera says it is, printable; may be empty.
  const std::string& server() const { return server_; }
  // How it took the login; null where it asked for none.
  std::optional<LoginScheme> login() const { return dialogue_->login(); }

  // Waits for the next RTP or RTCP packet and returns its size; 0 when none came within a moment. A
  // longer one than `buffer` is cut. RTP packets are numbered as in rtp_numbers.h. UNAVAILABLE when
  // the camera has ended the session.
  absl::StatusOr<size_t> Receive(std::span<char> buffer);
  void SendRtcp(std::string_view packet);

 private:
  RtspSession(std::unique_ptr<RtspDialogue> dialogue, Clock& clock, std::function<void()> arrived,
              std::function<bool()> interrupted)
      : dialogue_(std::move(dialogue)),
        clock_(clock),
        arrived_(std::move(arrived)),
        interrupted_(std::move(interrupted)) {}

  // False: the camera is somewhere else, and that is in `redirect`.
  absl::StatusOr<bool> Describe(std::string* redirect);
  absl::Status SetUp(RtspTransport transport, bool either);
  absl::Status Play();
  absl::Status KeepAlive();
  absl::Status Take(const RtspMessage& message);
  // At a packet that has come.
  void Look(std::span<char> packet);

  std::unique_ptr<RtspDialogue> dialogue_;
  Clock& clock_;
  const std::function<void()> arrived_;
  const std::function<bool()> interrupted_;
  std::string server_;
  SessionDescription description_;
  std::string stream_uri_;
  std::string aggregate_uri_;
  std::string session_;                 // its id
  std::string keep_alive_ = "OPTIONS";  // the method
  int64_t keep_alive_every_ns_ = 0;
  int64_t keep_alive_at_ns_ = 0;
  bool renewed_ = false;  // this keep-alive has been sent again, with a new nonce
  bool playing_ = false;
  std::array<uint8_t, 2> channels_ = {0, 1};  // of RTP and RTCP, interleaved
  std::optional<RtpSockets> udp_;             // null: interleaved
  RtpNumbers numbers_;
};

}  // namespace gleaner::edge
