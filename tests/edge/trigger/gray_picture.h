// One picture as ffmpeg makes it, by its brightness alone: for detectors that need no stream.
#pragma once

extern "C" {
#include <libavutil/frame.h>
}

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

namespace gleaner::edge {

// `arguments`: inputs and filters whose first frame measures `width` × `height`. Throws when there
// is none.
inline std::shared_ptr<AVFrame> GrayPicture(const std::string& arguments, int width, int height) {
  const std::shared_ptr<AVFrame> picture(av_frame_alloc(), [](AVFrame* f) { av_frame_free(&f); });
  picture->format = AV_PIX_FMT_GRAY8;
  picture->width = width;
  picture->height = height;
  av_frame_get_buffer(picture.get(), 0);
  const std::string command =
      "ffmpeg -v error -nostdin " + arguments + " -frames:v 1 -f rawvideo -pix_fmt gray -";
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("can't run " + command);
  bool whole = true;
  for (int y = 0; y < height; ++y) {
    const auto bytes = static_cast<size_t>(width);
    whole = fread(picture->data[0] + y * picture->linesize[0], 1, bytes, pipe) == bytes && whole;
  }
  if (pclose(pipe) != 0 || !whole) throw std::runtime_error(command);
  return picture;
}

}  // namespace gleaner::edge
