// The recorder keeps the last seconds of every camera as encoded packets, and turns firings into
// clips in the spool.
//
// How a clip comes about: a firing takes the next number from the spool (durable), a clip is opened
// over all cameras from the pre-roll rings, packets are written into the spool's objects as they
// come (at most one fragment of video a camera is in memory), later firings of the same rule whose
// windows overlap move the end, and when every camera has passed the end, the preview, the samples
// and the manifest are added and the clip is committed. While one camera is waited for, at most
// 10 s beyond the end, what the others send is held for a firing that moves the end: as much as a
// ring holds, a clip and camera. Rules don't share clips.
//
// Threads: cameras and rules only put packets and firings into an inbox, under a short lock. All
// that touches the disk happens on one thread of the recorder's own, in the order of the inbox, so
// that no camera waits for it; the clips themselves (open_clips.h) belong to that thread. The inbox
// is bounded: when it is full cameras wait for room, which is what paces a file that is read fast;
// when storage hasn't made any in 2 s, the open clips end there, with that in their shortfall.
//
// What can't be kept is never silent: a number whose clip can't be written ends FAILED with the
// reason, a firing that the spool gives no number is counted in problem(), and the recorder goes
// on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "edge/camera/packet.h"
#include "edge/clip/evidence.h"
#include "edge/spool/spool.h"
#include "edge/trigger/engine.h"
#include "edge/trigger/signal.h"

namespace gleaner::edge {

struct RecorderOptions {
  std::string device;  // for manifests
  std::string site;
  std::vector<std::string> cameras;  // names, in configuration order; at most kMaxCameras
  // How far back the ring goes: the longest `pre` of any rule. It holds a little more, so that a
  // firing that comes late, or is of another camera, finds all of it.
  int64_t pre_roll_ns = 0;
  // How much later than its frame a firing may come, see Firing::latency_ns; the ring goes back so
  // much further.
  int64_t latency_ns = 0;
  // A camera; what is older goes first, and the manifest's shortfall says so.
  uint64_t ring_max_bytes = 64ull << 20;
  SignalUnits units;  // of those that have some, for evidence
};

// Thread-safe: cameras call it from their own threads, firings come on any.
class Recorder {
 public:
  // `spool` and `clock` outlive the recorder.
  Recorder(RecorderOptions options, Spool& spool, Clock& clock);
  // As Finish().
  ~Recorder();

  // What a camera's clips are made of: its own packets, or the encoder's (`encoder` names it,
  // "remux" for the former). Before the camera's first packet, and at every change.
  void OnFormat(size_t camera, const VideoFormat& format, const std::string& encoder);
  void OnPacket(size_t camera, const Packet& packet);
  // Every sample of every signal, for evidence and the samples object.
  void OnSample(const SignalSample& sample);
  // Takes a number and opens a clip over all cameras, or extends the rule's clip that is open.
  // While paused: the number ends SUPPRESSED. `signals`: what the rule reads, for evidence; the
  // preview is taken from the camera of the first one.
  void OnFiring(const Firing& firing, const std::vector<std::string>& signals);
  // `gone` is called for each extending firing that finds no clip (it ended early: its cameras'
  // format changed, it failed, …), so that the rule doesn't wait for one that isn't there. Not
  // while paused. On the recorder's thread or on the firing's, with no lock held. Set it before
  // firings come.
  void SetClipGone(std::function<void(const std::string& rule, int64_t monotonic_ns)> gone);
  void SetPaused(bool paused, std::string reason);
  void SetPolicyVersion(std::string version);

  // A camera has ended for good: open clips need not wait for it.
  void OnCameraEnd(size_t camera);
  // Closes open clips with what is there, marked as truncated and with the reason in the shortfall,
  // and commits them. What comes after is ignored. Takes as long as the spool needs to store at
  // most one fragment a camera and clip.
  void Finish();

  // Clips being captured.
  uint64_t open_clips() const;
  // What was lost last, for people; empty once a clip has been committed since. Firings that got no
  // number are told of for a good hour, whatever comes after: nothing else ever tells of them.
  std::string problem() const;
  // `alive` is called on the recorder's thread while that makes progress: at least every ten
  // seconds while there is nothing to do, and for each packet and clip that is stored, in Finish()
  // as well. It must not block.
  void SetAlive(std::function<void()> alive);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gleaner::edge
