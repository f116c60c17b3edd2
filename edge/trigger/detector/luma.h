// A picture's brightness at the size that motion is looked for in: at most 320×180, the sides in
// proportion.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

struct AVFrame;
struct SwsContext;

namespace gleaner::edge {

struct LumaPicture {
  int width = 0;
  int height = 0;
  int stride = 0;              // bytes from row to row; what is behind the width is padding
  std::vector<uint8_t> cells;  // stride × height

  bool empty() const { return cells.empty(); }
  const uint8_t* row(int y) const { return cells.data() + static_cast<size_t>(y) * stride; }
};

// FFmpeg's scaler, kept for frames of one size and format after another. Not thread-safe.
class LumaReducer {
 public:
  LumaReducer() = default;
  ~LumaReducer();
  LumaReducer(const LumaReducer&) = delete;
  LumaReducer& operator=(const LumaReducer&) = delete;

  // Writes the reduced 8-bit luma of `frame` to `out`, each cell the mean of its pixels. Where the
  // frame has a plane of luma it is the only one that is read. False, with `out` untouched, for
  // pixels that are not in memory (hardware surfaces) or of a format that the scaler doesn't know.
  bool Reduce(const AVFrame& frame, LumaPicture& out);

 private:
  SwsContext* scaler_ = nullptr;
};

}  // namespace gleaner::edge
