// What happens to one camera's packets: into the recorder's ring, past the watcher, through the
// transcoder where the ring can't hold them as they are.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "edge/camera/camera.h"
#include "edge/clip/recorder.h"
#include "edge/clip/transcoder.h"
#include "edge/health/watchdog.h"
#include "edge/trigger/detector/detector.h"
#include "edge/trigger/stream_watcher.h"

namespace gleaner::edge {

// Lives on its camera's thread; encoder(), detector_reports() and decoded_frames() may be asked
// from any.
class CameraPipeline : public PacketSink {
 public:
  // `index`: the camera's place in the recorder. `recorder` and `clock` outlive the pipeline.
  // `samples` is told how far the camera has come.
  CameraPipeline(size_t index, std::string name, std::vector<std::unique_ptr<Detector>> detectors,
                 SampleSink& samples, std::vector<std::string> encoders, Recorder& recorder,
                 Clock& clock);

  void OnFormat(const VideoFormat& format) override;
  // Where no encoder works all of them are tried again after 30 s, from a keyframe on.
  void OnPacket(const Packet& packet) override;
  void OnReconnecting() override;
  // After the last packet: what the encoder still holds goes to the recorder, detectors have said
  // all that they have to say, and nothing more is expected.
  void End();
  // Told of every packet and every attempt to reconnect. Call it before the first.
  void SetProgress(std::shared_ptr<Progress> progress) { progress_ = std::move(progress); }

  std::string encoder() const;
  // Of detectors that have a thread of their own.
  std::vector<DetectorReport> detector_reports() const { return watcher_.reports(); }
  uint64_t decoded_frames() const { return decoded_frames_.load(std::memory_order_relaxed); }
  // Why nothing can be recorded from this camera, or how many frames were too damaged for it in the
  // last minute; for people. Empty when all is well.
  std::string problem() const;

  // What the server finds wrong with this camera's pictures, for people; empty when nothing. News
  // go to the log. Thread-safe.
  void SetNotice(std::string notice);
  std::string notice() const;

 private:
  void OpenTranscoder();
  void Transcode(const Packet& packet);
  void NoteFailure(const absl::Status& status);
  void Flush();
  void NoteDamage(int64_t now_ns);
  void SetEncoder(const std::string& encoder);
  void SetProblem(std::string problem);

  const size_t index_;
  const std::string name_;
  StreamWatcher watcher_;
  const std::vector<std::string> encoders_;
  Recorder& recorder_;
  Clock& clock_;
  std::shared_ptr<Progress> progress_;
  VideoFormat format_;  // of the camera
  bool remux_ = false;
  bool awaits_keyframe_ = false;            // what comes before it refers to frames that were lost
  std::unique_ptr<Transcoder> transcoder_;  // null while remuxing, or when no encoder works
  int64_t retry_ns_ = 0;                    // when to try again while none does
  uint64_t transcoded_frames_ = 0;
  uint64_t damaged_ = 0;       // frames that transcoder_ has left out
  int64_t damaged_at_ns_ = 0;  // the last of them, if problem_ still speaks of them
  std::atomic<uint64_t> decoded_frames_{0};
  mutable std::mutex mutex_;
  std::string encoder_;  // guarded by mutex_
  std::string problem_;  // guarded by mutex_
  std::string notice_;   // guarded by mutex_
};

}  // namespace gleaner::edge
