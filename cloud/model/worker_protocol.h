// What the server and gleaner-model say to each other; both sides of every limit.
//
// Request: descriptor 3, a RequestHead, the names of the layers (each with a zero behind it:
// scores, boxes, embedding; empty for none), the sizes of the pictures (uint32_t), the pictures
// (JPEG). Descriptor 0 is the model, ONNX, read-only. Answer: standard output, pieces as
// sandbox/descriptors.h has them: of each picture, in their order, a result or a refusal, then the
// end; or, at any place, a fault or trouble, and then the end.
//
// The server treats the answer as hostile: whoever broke the network's or the JPEG's reader writes
// it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gleaner::cloud::model {

inline constexpr uint32_t kRequestMagic = 0x314e4c47;  // "GLN1"
inline constexpr uint64_t kMaxModelBytes = 512 << 20;
inline constexpr uint32_t kMaxInputSide = 2048;
inline constexpr uint32_t kMaxLabels = 10'000;
inline constexpr uint32_t kMaxLayerBytes = 200;
inline constexpr uint32_t kMaxPictures = 64;
inline constexpr uint32_t kMaxPicturesBytes = 64 << 20;  // of all together
inline constexpr uint32_t kMaxDetections = 100;          // of a picture
inline constexpr uint32_t kMaxDims = 4096;
inline constexpr uint32_t kMaxTextBytes = 300;

struct RequestHead {
  uint32_t magic;
  uint32_t kind;  // ModelKind
  uint32_t width, height;
  uint32_t rgb;  // 0: BGR
  float mean[3], scale[3];
  float threshold;
  uint32_t labels;
  uint32_t cpu_seconds;
  uint64_t memory_bytes;
  uint32_t names_bytes;
  uint32_t pictures;
};

enum class PieceKind : uint32_t {
  kResult = 1,   // a ResultHead, that many Detections, that many floats
  kRefused = 2,  // text: why this picture can't be read
  kFault = 3,    // text: why the model can't be used
  kTrouble = 4,  // text: the worker could not begin, which is nobody's fault
};

struct ResultHead {
  uint32_t detections;
  uint32_t dims;
};

struct Detection {
  uint32_t label;
  float score;
  float left, top, right, bottom;  // 0 to 1 of the picture
};

}  // namespace gleaner::cloud::model
