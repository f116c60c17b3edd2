// Makes an H.264 stream that starts in the middle of a coded sequence one that every decoder takes.
//
// A clip of a camera without IDR pictures starts at the I-frame of an open GOP, or at a recovery
// point. The pictures from there on are whole (or become so), but they still say what is to become
// of reference pictures that came before the start: "forget the one four frames ago"
// (memory_management_control_operation, ITU-T H.264 8.2.5.4). FFmpeg's command line shrugs at that;
// Chromium and its hardware decoders give up on the whole file. So those operations, and nothing
// else, are cut out of the slice headers. Not one bit of a picture changes.
//
// Also, a first picture that says nowhere that decoding may start at it gets a recovery point SEI
// (D.2.8) that does.
#pragma once

#include <cstdint>
#include <deque>
#include <set>

#include "edge/camera/ffmpeg.h"
#include "edge/clip/h264_headers.h"

namespace gleaner::edge {

// From the first packet of such a file up to the next IDR picture, then it is of no more use. Not
// thread-safe.
class OpenStart {
 public:
  // Of H.264: the parameter sets may stand in the extradata or in the packets.
  explicit OpenStart(std::shared_ptr<const AVCodecParameters> parameters);

  // The packet as it is to be written, in decode order; the very same where nothing is to mend.
  std::shared_ptr<const AVPacket> Mend(const std::shared_ptr<const AVPacket>& packet);
  // An IDR picture has come: everything is mended that will ever be.
  bool done() const { return done_; }

 private:
  // A decoder's reference pictures, as far as operations can name them (8.2.5). FFmpeg's habit
  // counts, since browsers have it: pictures that frame_num says are missing exist.
  void BeginPicture(const H264Slice& slice);
  void EndPicture(const H264Slice& slice, const std::vector<Mmco>& operations);
  void Slide(const H264Slice& slice);
  // Those of a slice's operations whose picture there is.
  std::vector<Mmco> Possible(const H264Slice& slice) const;

  const std::shared_ptr<const AVCodecParameters> parameters_;
  const int length_bytes_;
  H264Headers headers_;
  bool first_ = true;
  bool done_ = false;
  int64_t previous_ = -1;       // frame_num of the picture before
  std::deque<uint32_t> short_;  // frame_num of short-term references, the oldest first
  std::set<uint32_t> long_;     // LongTermPicNum
};

}  // namespace gleaner::edge
