// Which frames of a clip are worth a look, as far as its manifest tells: those where the trigger
// fired, where a signal of the evidence was highest, and some that are spread evenly. The worker
// adds keyframes, which are known only once the video is read.
//
// Pure, and the same for the same manifest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "gleaner/v1/clip.pb.h"
#include "gleaner/v1/frames.pb.h"

namespace gleaner::cloud::media {

// [frames] of the server's configuration: at most so many of each kind, of one video.
struct FrameChoice {
  static constexpr uint32_t kMaxOfAKind = 16;

  uint32_t firings = 8;
  uint32_t peaks = 4;
  uint32_t keyframes = 4;
  uint32_t evenly = 4;
  // Nearer to each other than this two moments are one: the frame has both reasons.
  int64_t gap_ns = 200'000'000;
};

// Reasons of a frame, several in one number.
constexpr uint32_t ReasonBit(v1::Frame::Reason reason) { return 1u << reason; }

struct PlannedFrame {
  int64_t pts = 0;
  uint32_t reasons = 0;  // of ReasonBit
};

struct FramePlan {
  std::vector<PlannedFrame> frames;  // in the order of their times, each one of the track's
  uint32_t keyframes = 0;            // so many besides at most
  uint64_t gap_ticks = 0;
};

// Of the manifest's video number `video`, which it has. A manifest that was checked when it came
// (ingest/manifest_check.h).
FramePlan PlanFrames(const v1::ClipManifest& manifest, size_t video, const FrameChoice& choice);

}  // namespace gleaner::cloud::media
