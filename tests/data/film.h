// Films that a test makes for itself with FFmpeg's encoders: moving, every frame another one.
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace gleaner {

inline void RunFfmpeg(const std::string& arguments) {
  const std::string command =
      fmt::format("ffmpeg -nostdin -hide_banner -v error -y -threads 1 {}", arguments);
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

struct Film {
  double seconds = 6;
  int rate = 10;
  std::string size = "160x120";
  std::string encoder;  // arguments, such as "-c:v libx264 -g 10"
};

// Returns `path`.
inline std::string MakeFilm(const Film& film, const std::string& path) {
  RunFfmpeg(fmt::format("-f lavfi -i testsrc2=s={}:r={}:d={} -pix_fmt yuv420p {} '{}'", film.size,
                        film.rate, film.seconds, film.encoder, path));
  return path;
}

}  // namespace gleaner
