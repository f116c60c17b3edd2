// One camera's part of a clip: decides which packets belong to the window, writes them, and knows
// every frame's time for the manifest.
//
// Which packets: from a keyframe at or before the window's start (or the first there is) to the
// last frame before its end. Which keyframe: the last IDR picture, unless that is a minute older
// than it need be; else the last one from which pictures are whole when the window starts (ring.h).
// Frames that follow the first keyframe in decode order but come before it in presentation are left
// out: what they refer to isn't in the clip. With B-frames, a frame that others in the window refer
// to is kept although it is shown a little after the end.
//
// A camera that refreshes its picture bit by bit has no keyframe that shows all of it. Its file
// begins with a lead-in: packets from a recovery point up to the first whole picture, which is the
// track's first frame. A decoder needs them; no frame of the manifest is among them.
//
// Of two frames at one time the second is left out: a manifest can't say it, and nothing else
// writes one.
//
// A change of the stream ends the track, and so does a jump of the camera's clock. One exception:
// an encoder that took over from another (see encoder.h) with the same codec, size and time base
// goes on in the same file.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "edge/clip/muxer.h"
#include "edge/clip/open_start.h"
#include "edge/clip/ring.h"
#include "edge/spool/spool.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::edge {

// True when packets of both can stand in one file, one after the other.
bool Continues(const StreamInfo& before, const StreamInfo& after);

// Used by one thread.
class Track {
 public:
  // `clip` outlives the track. `fired_ns`: the frame shown then is kept for the preview. Of what
  // comes past the end `after_max_bytes` are held for Extend().
  Track(std::string camera, int64_t start_ns, int64_t end_ns, int64_t fired_ns,
        uint64_t after_max_bytes, ClipWriter& clip);

  // Every packet of the camera, in order, from one at or before the window's start on where there
  // is one. An error means that the clip can't be stored.
  absl::Status Feed(const StreamPacket& packet);
  // Moves the end of the window, never back; packets that have come since the old end are written.
  // Where more of them came than could be held the track goes as far as those do, and is cut there.
  absl::Status Extend(int64_t end_ns);
  // No more packets: `reason` says why, for people; it is kept only where it cut the window short.
  // Writes what is left and completes the object.
  absl::Status Finish(const std::string& reason);

  // The window has been passed, or the track can't go on: nothing will be written before Extend().
  bool complete() const { return past_end_ || !cut_.empty(); }
  // The bounds of the contract are near: the clip must be closed.
  bool full() const;
  bool empty() const { return frames_.empty(); }

  // From here on what was written; the track isn't empty.
  int64_t first_ns() const { return first_ns_; }
  // When the last frame ends.
  int64_t end_ns() const;
  // In the file's ticks.
  v1::VideoTrack Describe() const;
  std::unique_ptr<ObjectWriter> TakeObject() { return std::move(object_); }

  // How the video starts where that isn't at an IDR picture, for people; else empty.
  std::string start_note() const;
  // Why the track ended before its window did; empty if it didn't. Complete after Finish().
  const std::string& cut() const { return cut_; }
  const std::string& camera() const { return camera_; }
  // Frames that came in vain, because no keyframe did, nor was one in the pre-roll ring.
  uint64_t without_keyframe() const { return muxer_ == nullptr ? without_keyframe_ : 0; }
  // Frames that were left out because another one is shown at their time.
  uint64_t same_time() const { return same_time_; }
  // How many bytes of a manifest Describe() and the object's checksums take, at most.
  uint64_t manifest_bytes() const;

  // Packets from a keyframe at or before the firing to the frame shown then.
  std::vector<StreamPacket> preview() const { return preview_.From(fired_ns_); }
  bool has_preview() const { return !preview_.empty(); }
  bool preview_ready() const { return preview_ready_; }
  void DropPreview();

 private:
  absl::Status Start(const std::vector<StreamPacket>& packets);
  absl::Status Write(const StreamPacket& packet);
  // Into the file, mended where the start isn't clean.
  absl::Status Mux(const Packet& packet);
  bool HasFrameAt(int64_t pts) const;
  void KeepForExtend(const StreamPacket& packet);
  void KeepForPreview(const StreamPacket& packet, int64_t dts_ns);

  const std::string camera_;
  const int64_t start_ns_;
  int64_t end_ns_;
  const int64_t fired_ns_;
  const uint64_t after_max_bytes_;
  ClipWriter& clip_;
  std::unique_ptr<ObjectWriter> object_;
  std::unique_ptr<Muxer> muxer_;              // null before the start
  PacketRing waiting_;                        // before the start
  std::deque<StreamPacket> after_;            // past the end, for Extend()
  uint64_t after_bytes_ = 0;                  // of after_
  bool after_full_ = false;                   // some of what came past the end was let go
  std::shared_ptr<const StreamInfo> stream_;  // of the newest packet written
  std::string encoder_;                       // "a", or "a+b" after a fail-over
  VideoFormat format_;                        // of the file
  bool clean_start_ = true;                   // the file starts at an IDR picture
  bool has_lead_in_ = false;                  // and not all of what it holds is whole
  int64_t file_pts_ = 0;                      // of the keyframe that the file starts at
  int64_t file_ns_ = 0;                       // the moment of that
  uint32_t lead_in_left_ = 0;                 // reference frames until pictures are whole
  std::unique_ptr<OpenStart> open_start_;     // null where there is nothing to mend (any more)
  std::vector<int64_t> frames_;               // PTS in decode order, in the camera's ticks
  uint64_t delta_bytes_ = 0;                  // of pts_delta in the manifest, estimated
  int64_t first_pts_ = 0;
  int64_t first_ns_ = 0;
  int64_t last_pts_ = INT64_MIN;  // greatest
  int64_t last_ns_ = 0;
  int64_t last_duration_ = 1;
  int64_t last_dts_ = INT64_MIN;
  uint32_t run_ = 0;
  uint64_t without_keyframe_ = 0;
  uint64_t same_time_ = 0;
  bool past_end_ = false;
  bool finished_ = false;
  std::string cut_;
  PacketRing preview_;
  bool preview_ready_ = false;
};

}  // namespace gleaner::edge
