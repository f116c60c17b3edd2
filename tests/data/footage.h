// The real footage that tests, benchmarks and the demo run on: Debian's package opencv-doc.
//
//   box.mp4    640×480, H.264 with B-frames, time base 1/1000000: a hand moves a box over a table.
//              455 frames are shown, the 456th is cut off by the edit list; two keyframes, 8.3 s
//              apart. Its packets carry no composition offsets: PTS = DTS in decode order.
//   cup.mp4    640×480, H.264 without B-frames, time base 1/26777, 217 frames, a keyframe every 30:
//              a hand with a bottle
//   vtest.avi  768×576, msmpeg4v3, time base 1/10, 795 frames: pedestrians
//   tree.avi   320×240, cinepak, time base 66667/1000000, 68 frames at uneven times: foliage
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "tests/data/paths.h"

namespace gleaner {

// The path of a file of the list above. What the package ships compressed is unpacked once, beside
// the build's bin/ folder; tests that run at the same time may all ask for it.
inline std::string Footage(const std::string& name) {
  namespace fs = std::filesystem;
  const fs::path package = "/usr/share/doc/opencv-doc";
  if (fs::path plain = package / "examples/data" / name; fs::exists(plain)) return plain;
  const fs::path packed = package / "opencv4/html" / (name + ".gz");
  if (!fs::exists(packed)) {
    throw std::runtime_error("no footage " + name + ": install the package opencv-doc");
  }
  const fs::path folder = fs::path(BinDir()).parent_path() / "footage";
  const fs::path unpacked = folder / name;
  if (fs::exists(unpacked)) return unpacked;
  fs::create_directories(folder);
  const fs::path partial = folder / (name + "." + std::to_string(getpid()));
  const std::string command = "gzip -dc '" + packed.string() + "' > '" + partial.string() + "'";
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
  fs::rename(partial, unpacked);
  return unpacked;
}

}  // namespace gleaner
