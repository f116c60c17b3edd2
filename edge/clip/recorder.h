// The recorder keeps the last seconds of every camera as encoded packets, and turns firings into clips in the spool.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/config.h"
#include "edge/camera/packet.h"
#include "edge/spool/spool.h"
#include "edge/trigger/engine.h"
#include "edge/trigger/signal.h"

namespace gleaner::edge {

struct RecorderOptions {
  std::string device;  // for manifests
  std::string site;
  std::vector<std::string> cameras;  // names, in configuration order
  int64_t pre_roll_ns = 0;           // how far back the ring goes: the longest `pre` of any rule
  uint64_t ring_max_bytes = 64ull << 20;  // a camera; what is older goes first, and the manifest's shortfall says so
};

// Thread-safe: cameras call it from their own threads, firings come on any.
class Recorder {
 public:
  // `spool` and `clock` outlive the recorder.
  Recorder(RecorderOptions options, Spool& spool, Clock& clock);
  ~Recorder();

  // What a camera's clips are made of: its own packets, or the encoder's (`encoder` names it, "remux" for the former).
  void OnFormat(size_t camera, const VideoFormat& format, const std::string& encoder);
  void OnPacket(size_t camera, const Packet& packet);
  // Every sample of every signal, for evidence and the samples object.
  void OnSample(const SignalSample& sample);
  // Takes a number and opens a clip over all cameras, or extends the rule's clip that is open. While paused: the number ends SUPPRESSED.
  void OnFiring(const Firing& firing, const std::vector<std::string>& signals);
  void SetPaused(bool paused, std::string reason);
  void SetPolicyVersion(std::string version);

  // A camera has ended for good: open clips need not wait for it.
  void OnCameraEnd(size_t camera);
  // Closes open clips with what is there, marked in the manifest's shortfall, and commits them.
  void Finish();

  uint64_t open_clips() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gleaner::edge
