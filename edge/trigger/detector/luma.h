// A picture's brightness, whole or reduced.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

struct AVFrame;
struct SwsContext;

namespace gleaner::edge {

// The most that a reduced picture measures; its sides stay in proportion, and it is never larger
// than the camera's. 0: whole.
struct PictureSize {
  int width = 0;
  int height = 0;

  bool operator==(const PictureSize&) const = default;
};

// A value type: copies share the cells, which nobody changes.
struct LumaPicture {
  int width = 0;
  int height = 0;
  int stride = 0;  // bytes from row to row; what is behind the width is padding
  std::shared_ptr<const uint8_t[]> cells;

  bool empty() const { return cells == nullptr; }
  const uint8_t* row(int y) const { return cells.get() + static_cast<ptrdiff_t>(y) * stride; }
};

// FFmpeg's scaler, kept for frames of one size and format after another. Not thread-safe.
class LumaReducer {
 public:
  explicit LumaReducer(PictureSize most) : most_(most) {}
  ~LumaReducer();
  LumaReducer(LumaReducer&& other) noexcept;
  LumaReducer& operator=(LumaReducer&&) = delete;

  PictureSize most() const { return most_; }
  // The 8-bit luma of `frame`, each cell the mean of its pixels. Where the frame has a plane of
  // luma it is the only one that is read, and a whole picture is that plane itself. Empty for
  // pixels that are not in memory (hardware surfaces) or of a format that the scaler doesn't know.
  LumaPicture Reduce(const std::shared_ptr<const AVFrame>& frame);

 private:
  const PictureSize most_;
  SwsContext* scaler_ = nullptr;
};

}  // namespace gleaner::edge
