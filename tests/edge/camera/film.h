// Films for tests of cameras: made by ffmpeg when first asked for, with the number of each frame
// written into its picture, so that any copy of a frame, decoded from wherever, says which it is.
//
// The picture: still bars; a white box that crosses them while `moves_from_s` ≤ t < `moves_to_s`;
// and in the upper left corner the frame's number in binary, too small for motion detectors to
// mind.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "edge/camera/ffmpeg.h"

namespace gleaner::edge {

struct FilmOptions {
  double seconds = 10;
  int frames_per_s = 25;
  int width = 320;
  int height = 180;
  double moves_from_s = 0;
  double moves_to_s = 0;  // 0: nothing moves
  std::string filter;     // more of ffmpeg's filters, behind what draws the picture: "select=…"
  // ffmpeg's options for the encoder.
  std::string encode = "-c:v libx264 -preset veryfast -g 50 -bf 0 -pix_fmt yuv420p";
  std::string extension = "mp4";  // and with it the container
};

// The path of such a file. Made once a build folder, whoever asks.
std::string MakeFilm(const FilmOptions& options);

// The number of the frame that `picture` shows, from 0; -1 where it can't be read. Any size and
// format whose first plane is luma.
int FrameNumber(const AVFrame& picture);

// A frame as a decoder shows it.
struct ShownFrame {
  int64_t pts = 0;  // in the file's ticks
  int number = -1;
  std::string digest;  // of the pixels
};
// Every frame of a video file in the order of presentation, decoded strictly: `errors` counts what
// the decoder had to complain of. `time_base`: where not null, the file's.
std::vector<ShownFrame> ShowFile(const std::string& path, int* errors,
                                 AVRational* time_base = nullptr);

// A film taken apart, as a camera's encoder hands it to its network: H.264, H.265 or Motion JPEG.
struct Film {
  struct Picture {                  // an access unit
    std::vector<std::string> nals;  // without parameter sets and delimiters; a JPEG as it is
    int64_t pts = 0;                // 90 kHz, the first one shown at 0
    bool keyframe = false;
  };
  std::string codec;                        // "h264", "hevc", "mjpeg"
  std::vector<std::string> parameter_sets;  // (VPS,) SPS, PPS
  std::vector<Picture> pictures;            // in decode order
  int64_t length = 0;                       // 90 kHz: where the next round begins when looped

  // Any file that FFmpeg reads.
  static Film Load(const std::string& path);
};

}  // namespace gleaner::edge
