// The clips that are being captured at this moment. A firing opens one or moves the end of one that
// is open, every packet goes into all of them, and each number that is taken here comes to an end:
// COMMITTED, FAILED with the reason, or SUPPRESSED.
//
// When one is done, and what it then holds, is the capture's to say (capture.h); in which order
// things happen, and on which thread, is the recorder's (recorder.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clip_key.h"
#include "common/clock.h"
#include "edge/clip/capture.h"
#include "edge/clip/losses.h"
#include "edge/clip/recent_samples.h"
#include "edge/clip/ring.h"
#include "edge/spool/spool.h"

namespace gleaner::edge {

// Used by one thread, which waits for the disk here; only size() may be asked on any.
//
// No call returns an error: whoever fires or sends packets could do nothing about it. A clip that
// can't be written fails alone, the others go on, and `losses` is told.
class OpenClips {
 public:
  // Each has a block and a fragment a camera in memory.
  static constexpr size_t kMax = 16;

  // `cameras`: how many there are. All else outlives this.
  OpenClips(size_t cameras, Spool& spool, Clock& clock, RecentSamples& samples, Losses& losses);

  // Takes a later firing into the rule's clip that is open and that it still belongs to; false if
  // there is none. True also when that clip fails over it: the rule hears of it at its next firing.
  bool Extend(const std::string& rule, int64_t fired_ns);
  // Takes the next number and opens its clip. `pre_rolls`: by camera, what it has sent until now.
  void Open(CaptureOptions options, const std::vector<std::vector<StreamPacket>>& pre_rolls);
  // Takes the next number for a firing that is to have no clip, and says why.
  void Suppress(const std::string& rule, const std::string& why);

  // The camera's next packet; commits the clips that are done with it.
  void Feed(size_t camera, const StreamPacket& packet);
  // No clip waits for this camera from now on, those that are opened later included.
  void EndCamera(size_t camera);

  // Commits the clips that wait only for cameras that have fallen silent. `last_arrival_ns`: by
  // camera, when its newest packet came, 0 for none.
  void CommitDone(const std::vector<int64_t>& last_arrival_ns);
  // Commits the oldest with what is there, as cut short by the end of the daemon; false if there is
  // none.
  bool CommitOne();
  // Commits all with what is there: what came next was lost, and a clip has no hole.
  void CutAll();

  bool empty() const { return clips_.empty(); }
  size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  absl::StatusOr<std::unique_ptr<Capture>> Begin(
      const ClipKey& key, CaptureOptions options,
      const std::vector<std::vector<StreamPacket>>& pre_rolls);
  // Whether it was; on return the clip is to be dropped in either case.
  bool Commit(Capture& clip, Capture::Cut cut);
  void Fail(const ClipKey& key, const absl::Status& why);
  // After each change of clips_.
  void Changed();

  Spool& spool_;
  Clock& clock_;
  RecentSamples& samples_;
  Losses& losses_;
  std::vector<bool> ended_;  // by camera
  std::vector<std::unique_ptr<Capture>> clips_;
  std::atomic<size_t> size_{0};  // of clips_
};

}  // namespace gleaner::edge
