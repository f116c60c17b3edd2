// Runs a detector that takes its time on a thread of its own, so that the camera's never waits.
//
// Between them is one place for a picture. Where the one before hasn't been taken when the next
// comes, the older is dropped and counted: a detector that can't keep up sees fewer pictures, and
// none that is old. What it says counts at the time of the picture that it speaks of (engine.h).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "edge/trigger/detector/detector.h"

namespace gleaner::edge {

// Called as any detector, by the camera's thread; report() by any.
//
// The slow one is called by the other thread alone, its samples come on that thread, and it hears
// of formats and pictures only: no packets, nothing to teach. What it needs never changes.
class OffThread : public Detector {
 public:
  // `name`: for the report. `latency_ns`: within this of a picture's time its samples come, as
  // rules rely on; what comes later is counted.
  OffThread(std::string name, std::unique_ptr<Detector> slow, int64_t latency_ns);
  // Waits for the picture that is being looked at.
  ~OffThread() override;

  void OnFormat(const VideoFormat& format, PacketWatch& sizes) override;
  Need need() const override { return need_; }
  void OnPicture(const Picture& picture) override;
  void OnPacketDone(int64_t now_ns) override;
  // Waits until what was given has been looked at; not longer than a detector may ever take.
  void Finish() override;
  std::optional<DetectorReport> report() const override;

 private:
  void Work(std::stop_token stop);
  void Advance(int64_t now_ns);  // under mutex_

  const std::unique_ptr<Detector> slow_;  // the worker's
  const Need need_;
  const int64_t latency_ns_;
  PacketWatch untaught_;  // what the slow one is given for sizes

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any wake_;
  std::condition_variable_any idle_;
  std::optional<VideoFormat> format_;  // that the slow one hasn't heard of
  std::optional<Picture> slot_;
  bool busy_ = false;
  int64_t newest_ns_ = INT64_MIN;  // of packets and pictures
  DetectorReport report_;

  std::jthread worker_;
};

}  // namespace gleaner::edge
