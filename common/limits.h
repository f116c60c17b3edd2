// Sizes that the wire contract fixes (see proto/gleaner/v1); both sides check them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gleaner {

// A block of the spool, a chunk of an upload, the unit of checksum and of resuming.
inline constexpr size_t kBlockBytes = 256 * 1024;
inline constexpr size_t kMaxManifestBytes = 256 * 1024;
inline constexpr uint64_t kMaxObjectBytes = 4ull << 30;
inline constexpr size_t kMaxCameras = 8;
inline constexpr size_t kMaxObjects = kMaxCameras + 2;  // a video each, preview and samples
inline constexpr size_t kMaxSignals = 32;
inline constexpr size_t kMaxFrames = 65536;
inline constexpr uint32_t kMaxPriority = 9;
// Of a cap on uploads, whoever sets it: with less, a chunk would take minutes.
inline constexpr uint64_t kMinUploadCapBytesPerS = 1024;

// The largest picture that is watched, recorded and decoded: 7680×4320 and the tall ones of
// panorama cameras. It bounds what decoding one frame may cost, in memory above all.
inline constexpr uint32_t kMaxPictureSide = 8192;
inline constexpr uint64_t kMaxPicturePixels = 36'000'000;

// Whether a picture of so many pixels is within that; none has no pixels.
inline constexpr bool PictureFits(int64_t width, int64_t height) {
  return width > 0 && height > 0 && width <= kMaxPictureSide && height <= kMaxPictureSide &&
         static_cast<uint64_t>(width * height) <= kMaxPicturePixels;
}

// How many blocks an object of `size` bytes has; the last may be shorter.
inline constexpr uint64_t BlockCount(uint64_t size) {
  return (size + kBlockBytes - 1) / kBlockBytes;
}

}  // namespace gleaner
