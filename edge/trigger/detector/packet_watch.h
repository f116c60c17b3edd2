// Stage one of watching a compressed stream: is this packet larger than packets of its kind are
// when nothing happens? No decoding.
//
// An encoder spends bits on what it could not predict, so motion makes packets larger. How large a
// quiet packet is depends on the encoder, its rate control and the packet's place: keyframes are
// the largest, frames that others don't refer to the smallest, and behind a keyframe rate control
// lets P frames grow from almost nothing (60 bytes) to whatever the bit rate allows (8 kB) even
// when nothing moves. So packets are compared within classes by kind and place in the group of
// pictures, on a logarithmic scale, with the running median and the median absolute deviation of
// the quiet packets of the class. A single packet far out of its class raises the question, and so
// do several that are a little out, in whichever direction: rate control pays for a large packet
// with small ones (a CUSUM of the distances: Page, "Continuous Inspection Schemes", Biometrika,
// 1954).
//
// The threshold adapts itself to a constant rate of false questions: one that the pixels answer
// with no makes the next harder, quiet time and a change that was found without a question make it
// easier.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "edge/camera/packet.h"

namespace gleaner::edge {

// The bytes of an access unit without the filler that constant-bit-rate encoders append (H.264 NAL
// type 12, HEVC type 38: 0xff … 0x80).
size_t SignificantBytes(const uint8_t* data, size_t size);

// One camera's packets. Not thread-safe.
class PacketWatch {
 public:
  // Forgets everything: for a new format.
  void Reset() { *this = PacketWatch(); }

  // Judges the next packet in decode order. True: something may be happening.
  bool IsSuspicious(const Packet& packet);
  // Takes the packet judged last into its class: it was a quiet one.
  void Learn();
  // Whether every class that comes by has been seen often enough to be judged.
  bool trained() const { return untrained_run_ == 0; }
  // Whether what it takes to raise the question is little enough for silence to mean quiet. It
  // isn't before training, while an encoder's rate control is settling, or when sizes vary so much
  // by themselves that they say little.
  bool Trustworthy() const;

  // What the pixels said to a question.
  void Answer(bool something_happened);
  // The pixels changed and no question was raised.
  void Missed();
  // 1 when fresh; the factor on the threshold.
  double strictness() const { return strictness_; }

 private:
  static constexpr size_t kWindow = 24;
  static constexpr size_t kClasses = 24;

  struct SizeClass {
    std::array<float, kWindow> log_sizes;
    size_t count = 0;  // ever seen
    float median = 0;
    float deviation = 0;
  };

  size_t ClassOf(const Packet& packet);
  void Adapt(double factor);

  std::array<SizeClass, kClasses> classes_{};
  int64_t newest_pts_ = -1;
  int64_t newest_ns_ = 0;
  uint64_t place_ = 0;  // packets since the keyframe, those shown out of order left out
  size_t judged_class_ = 0;
  float judged_log_size_ = 0;
  double cusum_ = 0;
  double strictness_ = 1;
  double bluntness_ = 0;        // octaves by which a packet must be out of its class, running mean
  uint64_t untrained_run_ = 1;  // of packets, counting down
};

}  // namespace gleaner::edge
