// A network camera for tests, as well or badly behaved as a test wants it: RTSP (RFC 2326), RTP in
// the same TCP connection or over UDP, H.264 (RFC 6184), H.265 (RFC 7798) and Motion JPEG (RFC
// 2435).
//
//   const Film film = Film::Load(MakeFilm({…}));
//   RtspCamera camera(film, RtspBehavior{.stamp = stamps::Scaled(0.84), .loop = true});
//   options.address = *CameraAddress::Parse(camera.url());
//
// It sends as fast as its client takes what it sends, so that a test's time is whatever the
// client's clock says: a client that lets a frame's time pass for each packet it reads
// (paced_source.h) sees a camera in real time. What a camera's doors do, such as asking for a
// password, a test brings itself (`door`).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/file.h"
#include "tests/edge/camera/film.h"

namespace gleaner::edge {

// RTP timestamps in place of the true ones.
using RtpStamp = std::function<int64_t(int64_t picture, int64_t pts)>;

namespace stamps {
RtpStamp True(int64_t first = 0);
// A clock that counts `factor` seconds a second.
RtpStamp Scaled(double factor);
// From the frame of `at` on, `by` more. 90 kHz.
RtpStamp Jump(int64_t at, int64_t by);
// `length` frames of every `every` are off by `by`.
RtpStamp Glitch(int64_t every, int64_t by, int64_t length = 1);
RtpStamp Constant();
// Off by up to `most` to either side.
RtpStamp Jittered(uint64_t seed, int64_t most);
// Only every whole second has a stamp of its own.
RtpStamp WholeSeconds();
}  // namespace stamps

// A sender report (RFC 3550, 6.4.1) that says that the RTP timestamp `timestamp` was at the moment
// `ntp`, in 2^-32 s since 1900.
std::string SenderReport(uint64_t ntp, uint32_t timestamp);

struct RtspRequest {
  std::string method;
  std::string url;
  std::map<std::string, std::string> headers;  // names in lower case
};

struct RtspBehavior {
  // What is sent for the n-th picture since PLAY, whose true time is `pts` (90 kHz, the film's own,
  // going on through its rounds). Taken modulo 2^32.
  RtpStamp stamp = stamps::True();
  // The film's picture that PLAY begins with; what comes before in the first round is never sent.
  size_t start = 0;
  bool loop = false;    // else the stream ends as `then` says
  int64_t frames = -1;  // how many pictures to send in all; −1: as many as the film and `loop` give
  enum class Then { kHang, kClose } then = Then::kHang;
  bool sets_in_sdp = true;     // parameter sets in the session description
  bool sets_in_stream = true;  // and in front of each keyframe
  // A marker, which ends an access unit, on every slice, as some encoders set it.
  bool marker_on_slices = false;
  // True for an RTP packet that is lost: the picture's number since PLAY, and that of the packet
  // since PLAY.
  std::function<bool(int64_t picture, int64_t packet)> lost;
  // Called on the connection's thread before each picture; false ends the connection.
  std::function<bool(int64_t picture)> pace;
  // True for an RTP packet that is overtaken by the next, as lost().
  std::function<bool(int64_t picture, int64_t packet)> late;
  // By how much the sequence number of an RTP packet, of the n-th since PLAY, is greater than that
  // of a camera that counts by one; nothing is lost by it.
  std::function<int64_t(int64_t packet)> skips;
  // How often a picture is sent.
  std::function<int(int64_t picture)> copies;
  // An RTCP packet, of any content, in front of a picture; empty: none.
  std::function<std::string(int64_t picture, uint32_t timestamp)> rtcp;
  std::string more_sdp;  // other streams, at the end of the session description
  // Answers a request in the camera's place: the status line's rest ("401 Unauthorized") and more
  // header lines, each with its "\r\n"; without a status it hangs up. nullopt: the camera answers
  // itself.
  struct Answer {
    std::string status;
    std::string headers;
    std::string flood = {};  // in place of both: sent again and again, until the client hangs up
  };
  std::function<std::optional<Answer>(const RtspRequest&)> door;
};

// Thread-safe.
class RtspCamera {
 public:
  // The n-th connection gets the n-th behaviour; the last one is repeated. Without any, connections
  // are accepted and never answered.
  RtspCamera(Film film, std::vector<RtspBehavior> behaviors);
  RtspCamera(Film film, RtspBehavior behavior)
      : RtspCamera(std::move(film), std::vector<RtspBehavior>{std::move(behavior)}) {}
  ~RtspCamera();

  // With user and password, "admin" and "secret", which no camera asks for unless its door does.
  std::string url() const;
  int port() const { return port_; }
  int connections() const { return connections_; }
  // All that were received, in order.
  std::vector<RtspRequest> requests() const;

 private:
  class Connection;
  void Accept();
  void Note(RtspRequest request);

  const Film film_;
  const std::vector<RtspBehavior> behaviors_;
  Fd listener_;
  int port_ = 0;
  std::atomic<int> connections_{0};
  mutable std::mutex mutex_;
  std::vector<RtspRequest> requests_;                  // guarded by mutex_
  std::vector<std::unique_ptr<Connection>> accepted_;  // guarded by mutex_
  bool stopped_ = false;                               // guarded by mutex_
  std::thread thread_;
};

}  // namespace gleaner::edge
