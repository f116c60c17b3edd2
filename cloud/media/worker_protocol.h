// What the server and gleaner-media say to each other; both sides of every limit.
//
// Request: descriptor 3, a RequestHead, a serialized v1::VideoTrack, and the presentation times
// (int64_t, ascending) of the frames that are wanted. Descriptor 0 is the video, read-only. Answer:
// standard output, any number of frames, each a FrameHead and its payload, then the end:
//
//   kCheck     thumbnails in their order, chosen frames in the order of their times, exactly one
//              verdict or trouble
//   kPicture   a picture, or exactly one verdict (why there is none) or trouble
//   kPackets   packets in the order in which they are coded, exactly one verdict or trouble
//   kPictures  pictures in the order of their times, of those frames that could be had, then
//              exactly one verdict (why some are missing) or trouble
//
// Numbers are in the machine's byte order: both ends are the same machine. The server treats the
// answer as hostile: whoever broke the decoder writes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "cloud/sandbox/descriptors.h"

namespace gleaner::cloud::media {

inline constexpr int kVideoFd = sandbox::kInputFd;

inline constexpr uint32_t kRequestMagic = 0x334d4c47;  // "GLM3"
inline constexpr uint32_t kMaxThumbnails = 12;
inline constexpr uint32_t kThumbnailWidth = 160;
inline constexpr uint32_t kMaxThumbnailHeight = 640;
inline constexpr uint32_t kMaxThumbnailBytes = 128 << 10;
inline constexpr uint32_t kMaxVerdictBytes = 4 << 10;
inline constexpr uint32_t kMaxTrackBytes = 512 << 10;
// Of one video, those at keyframes included.
inline constexpr uint32_t kMaxChosenFrames = 64;
// Of the largest picture that is decoded, with more detail than any camera shows.
inline constexpr uint32_t kMaxPictureBytes = 64 << 20;
// Of several pictures that are asked for together.
inline constexpr uint32_t kMaxPicturesAtOnce = 16;
inline constexpr uint32_t kMaxSmallPictureBytes = 4 << 20;

// Of a packet that is handed out as it is.
inline constexpr uint32_t kMaxPacketBytes = 64 << 20;

enum class Task : uint32_t {
  kCheck = 1,     // is the video what its manifest says? With thumbnails, and chosen frames
  kPicture = 2,   // the one frame that is wanted, at full size
  kPackets = 3,   // all of the video's packets, decoded by nobody
  kPictures = 4,  // the frames that are wanted, of at most max_side
};

struct RequestHead {
  uint32_t magic;
  Task task;
  uint32_t thumbnails;
  uint32_t cpu_seconds;
  uint32_t track_bytes;
  uint32_t frames;     // wanted, by their times
  uint32_t keyframes;  // so many besides at most, spread over the video
  uint32_t max_side;   // of kPictures; 0: as large as they are
  uint64_t gap_ticks;  // no keyframe is taken that is nearer than this to another chosen frame
};

enum class FrameKind : uint32_t {
  kThumbnail = 1,  // a JPEG
  kVerdict = 2,    // a serialized v1::MediaCheck
  kTrouble = 3,    // text: the worker could not begin, which is not the clip's fault
  kChosen = 4,     // a ChosenHead and the frame's thumbnail
  kPicture = 5,    // a JPEG
  kPacket = 6,     // a PacketHead and the packet, in Annex B
  kPictureAt = 7,  // a PTS (int64_t) and a JPEG
};

// A picture's brightness in a grid of cells, row by row, upright, 0 (black) to 255.
inline constexpr int kGridSide = 32;
using LumaGrid = std::array<uint8_t, size_t{kGridSide} * kGridSide>;

// A frame that was chosen. What is measured goes from 0 to 1: see worker/measures.h.
struct ChosenHead {
  int64_t pts;
  uint64_t phash;
  float sharpness;
  float exposure;
  float clipped;
  float blocked;
  float motion;
  uint32_t reserved;
  LumaGrid grid;
};

struct PacketHead {
  int64_t pts;
  uint32_t keyframe;  // 0 or 1
  uint32_t reserved;
};

// A sandbox::PieceHead.
struct FrameHead {
  FrameKind kind;
  uint32_t bytes;
};
static_assert(sizeof(FrameHead) == sizeof(sandbox::PieceHead));

}  // namespace gleaner::cloud::media
