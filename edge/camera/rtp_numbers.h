// RTP sequence numbers (RFC 3550, 5.1) that go on where a camera's begin anew.
//
// A camera that restarts its encoder, or counts in a way of its own, steps to another number in
// mid-stream. FFmpeg takes a step of more than 3,000 forward, or of 100 back, for a stray packet,
// and leaves it out: a frame is lost. Smaller steps are losses and packets out of order, and stay.
#pragma once

#include <cstdint>

namespace gleaner::edge {

// Of one stream. Not thread-safe.
class RtpNumbers {
 public:
  // What the next packet is to be numbered whose camera says `number`.
  uint16_t Next(uint16_t number) {
    const auto step = static_cast<int16_t>(number - newest_);
    if (begun_ && (step <= -kMostLate || step >= kMostLost)) {
      moved_by_ = static_cast<uint16_t>(newest_ + moved_by_ + 1 - number);
      newest_ = number;
    } else if (!begun_ || step > 0) {
      newest_ = number;
    }
    begun_ = true;
    return static_cast<uint16_t>(number + moved_by_);
  }

 private:
  static constexpr int16_t kMostLate = 100;
  static constexpr int16_t kMostLost = 3000;

  bool begun_ = false;
  uint16_t newest_ = 0;    // the camera's
  uint16_t moved_by_ = 0;  // modulo 2^16
};

}  // namespace gleaner::edge
