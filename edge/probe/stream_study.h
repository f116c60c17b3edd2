// What some seconds of a stream say of a camera: how its pictures are coded, how regular its times
// are. Packets' headers are read; no more than one keyframe is decoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "edge/camera/arrival_clock.h"
#include "edge/camera/ffmpeg.h"
#include "edge/camera/h264_repair.h"
#include "edge/camera/live_stamps.h"
#include "edge/camera/packet.h"
#include "edge/camera/timeline.h"

namespace gleaner::edge {

struct StreamFindings {
  std::string codec;
  std::string profile;       // "High, level 4.0"; empty if it isn't known
  std::string pixel_format;  // FFmpeg's name: "yuv420p"; empty if it isn't known
  std::string colours;       // "bt709, limited range"; empty where the stream says nothing of them
  int width = 0;
  int height = 0;
  double declared_frames_per_s = 0;  // 0: not declared
  double frames_per_s = 0;           // counted, by the camera's time where that makes sense
  double bits_per_s = 0;
  uint64_t frames = 0;
  uint64_t missing_stamps = 0;  // frames without a PTS, but for the first live one

  // Keyframes, and the frames from one to the next.
  uint64_t keyframes = 0;
  uint64_t clean_keyframes = 0;    // IDR, or of a codec that has nothing else
  uint64_t gradual_keyframes = 0;  // pictures are whole only some frames later (intra refresh)
  uint64_t shortest_gop = 0;       // 0 where there was no second keyframe
  uint64_t longest_gop = 0;
  size_t reorder_depth = 0;     // 0: no B-frames that are shown earlier than they are sent
  bool sets_in_stream = false;  // parameter sets, in front of keyframes
  bool sets_at_all_keyframes = false;

  // Of frames' times, in the order in which they are shown.
  double usual_step_ms = 0;   // from one frame to the next; the median
  double step_spread_ms = 0;  // within which 19 of 20 steps lie from the usual one
  // Live: of their arrival, behind the promptest.
  double lateness_ms = 0;  // 19 of 20 frames are less late
  // Live: seconds that the camera counts in one of the device's; 0 where so short a look can't
  // tell.
  double clock_rate = 0;
  LiveStamps::Counts stamps;  // glitches, jumps, stamps of no use
};

// Not thread-safe.
class StreamStudy {
 public:
  // A study of ten minutes at 240 frames a second.
  static constexpr size_t kMaxFrames = 144'000;
  // Of kept packets.
  static constexpr size_t kMaxKeptBytes = 64 << 20;

  // `live`: arrivals mean something.
  StreamStudy(const VideoFormat& format, bool live);

  // The next packet, in decode order, and when it came. No more once there are kMaxFrames.
  void Add(AvPtr<AVPacket> packet, int64_t arrival_ns);
  bool full() const { return findings_.frames == kMaxFrames; }
  // No packet follows. Once.
  StreamFindings Finish();

  // After Finish(): the stream's first packets, up to kMaxKeptBytes, timed as the daemon times
  // them.
  const std::vector<Packet>& packets() const { return packets_; }

 private:
  void StudyKeyframe(const AVPacket& packet);
  void LearnPicture(const AVPacket& keyframe);
  void TakeTimed();
  void NotePlace(int64_t pts);
  // `monotonic_ns`: of the PTS; null for a file, whose times count from 0.
  void Keep(AvPtr<AVPacket> packet, std::optional<int64_t> monotonic_ns);
  void StudySteps();
  void StudyArrivals();
  bool StampsAreOfUse() const;

  const VideoFormat format_;
  const bool live_;
  ArrivalClock clock_;
  LiveStamps stamps_;          // live
  PresentationRepair repair_;  // a file
  Timeline timeline_;
  StreamFindings findings_;
  std::vector<int64_t> pts_ns_;       // live: of the frames that bear one, as they do
  std::vector<int64_t> arrivals_ns_;  // of the same; live
  uint64_t timed_frames_ = 0;
  int64_t first_ns_ = 0, last_ns_ = 0;  // moments of them
  uint64_t bytes_ = 0;
  uint64_t keyframes_with_sets_ = 0;
  uint64_t since_keyframe_ = 0;  // frames, the keyframe included; 0 before the first
  std::vector<int64_t> newest_;  // the greatest PTS so far, for the depth of reordering
  std::vector<Packet> packets_;
  size_t kept_bytes_ = 0;
};

}  // namespace gleaner::edge
