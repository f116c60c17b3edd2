// What the server and gleaner-media say to each other; both sides of every limit.
//
// Request: descriptor 3, a RequestHead and then a serialized v1::VideoTrack. Descriptor 0 is the
// video, read-only. Answer: standard output, any number of frames, each a FrameHead and its
// payload: thumbnails in their order, then exactly one verdict or trouble, then the end. Numbers
// are in the machine's byte order: both ends are the same machine. The server treats the answer as
// hostile: whoever broke the decoder writes it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gleaner::cloud::media {

inline constexpr int kVideoFd = 0;
inline constexpr int kAnswerFd = 1;
inline constexpr int kRequestFd = 3;

inline constexpr uint32_t kRequestMagic = 0x314d4c47;  // "GLM1"
inline constexpr uint32_t kMaxThumbnails = 12;
inline constexpr uint32_t kThumbnailWidth = 160;
inline constexpr uint32_t kMaxThumbnailHeight = 640;
inline constexpr uint32_t kMaxThumbnailBytes = 128 << 10;
inline constexpr uint32_t kMaxVerdictBytes = 4 << 10;
inline constexpr uint32_t kMaxTrackBytes = 512 << 10;
inline constexpr size_t kMaxAnswerBytes =
    kMaxThumbnails * (kMaxThumbnailBytes + 8) + kMaxVerdictBytes + 8;

struct RequestHead {
  uint32_t magic;
  uint32_t thumbnails;
  uint32_t cpu_seconds;
  uint32_t track_bytes;
};

enum class FrameKind : uint32_t {
  kThumbnail = 1,  // a JPEG
  kVerdict = 2,    // a serialized v1::MediaCheck
  kTrouble = 3,    // text: the worker could not begin, which is not the clip's fault
};

struct FrameHead {
  FrameKind kind;
  uint32_t bytes;
};

}  // namespace gleaner::cloud::media
