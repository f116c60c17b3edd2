// One clip while it is being captured: a window of time over all cameras that may still grow.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/clip_key.h"
#include "edge/clip/evidence.h"
#include "edge/clip/ring.h"
#include "edge/clip/track.h"
#include "edge/spool/spool.h"
#include "edge/trigger/engine.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::edge {

// What a clip is to know beside its packets.
struct CaptureOptions {
  std::string device;
  std::string site;
  std::vector<std::string> cameras;
  std::vector<bool> had_keyframe;  // as `cameras`: whether it has sent any before the firing
  std::string policy_version;
  RuleOptions rule;
  std::vector<std::string> signals;  // that the rule reads
  int64_t latency_ns = 0;            // see Firing::latency_ns
  v1::Instant fired_at;
  // A camera, of what comes past the end while another one is waited for.
  uint64_t after_max_bytes = 0;
};

// Used by one thread. Any error means that the clip can't be kept: drop the capture, and the spool
// has its blocks back.
class Capture {
 public:
  Capture(CaptureOptions options, ClipKey key, std::unique_ptr<ClipWriter> writer,
          int64_t opened_ns);

  // Takes in a later firing of the rule if its window overlaps this clip's and the clip isn't at
  // its greatest length; false if not, and then the clip stays as it is.
  absl::StatusOr<bool> Extend(int64_t firing_ns);

  absl::Status Feed(size_t camera, const StreamPacket& packet);
  void EndCamera(size_t camera);
  // Every camera has passed the window's end, by so much that a firing that moves it would have
  // come, or has ended; or a bound of the contract is reached.
  bool Done() const;
  // The same, but 10 s after the end a camera that has been silent as long isn't waited for.
  // `last_arrival_ns`: by camera, when its newest packet came, 0 for none.
  bool DoneWithoutTheSilent(int64_t now_ns, const std::vector<int64_t>& last_arrival_ns) const;

  // Why a clip is committed before its window has come to its end.
  enum class Cut { kNot, kStopped, kStorageFellBehind };
  // Completes preview, samples, video and manifest, and hands all to the spool: on return the clip
  // is durable. What a cut costs is said in the shortfall.
  absl::Status Commit(const SampleHistory& history, Cut cut);

  const ClipKey& key() const { return key_; }
  const std::string& rule() const { return options_.rule.name; }
  int64_t start_ns() const { return start_ns_; }

 private:
  struct Object {
    v1::ClipObject::Kind kind;
    const char* content_type;
    std::unique_ptr<ObjectWriter> writer;
  };

  int64_t limit_ns() const { return start_ns_ + options_.rule.max_clip_ns; }
  bool full() const;
  bool Passed(size_t camera) const;
  void MakePreviewIfReady(bool last_chance);
  std::string Shortfall() const;
  v1::ClipManifest Describe(const SampleHistory& history, Cut cut) const;
  absl::Status AddObject(v1::ClipObject::Kind kind, const char* content_type,
                         const std::string& bytes);

  const CaptureOptions options_;
  const ClipKey key_;
  std::unique_ptr<ClipWriter> writer_;
  const int64_t opened_ns_;  // on the clock
  const int64_t start_ns_;   // requested; never before the boot, which is 0
  int64_t end_ns_;
  std::vector<int64_t> firings_;    // the first ones and the newest
  std::vector<Track> tracks_;       // one a camera
  std::vector<bool> ended_;         // by camera
  std::vector<int64_t> newest_ns_;  // packet, by camera
  size_t preview_camera_ = 0;       // where the preview is taken from, if it has a frame
  bool preview_tried_ = false;
  std::string preview_;  // JPEG; empty while there is none
  std::vector<Object> objects_;
};

}  // namespace gleaner::edge
