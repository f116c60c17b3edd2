// Videos in a real Chromium: what play.mjs saw.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/data/paths.h"
#include "tests/data/shell.h"

namespace gleaner {

struct Played {
  std::string error;  // what the browser said when it gave up
  bool ended = false;
  int frames = 0;  // decoded
  double first_s = -1, last_s = -1;
  int width = 0, height = 0;  // as it is shown
  std::vector<std::array<int, 3>> pixels;
};

struct PlayOptions {
  std::string pixels;  // "x,y;x,y…" in shares of the picture
  int rate = 1;        // how many times as fast; at most 16
};

// Throws when there is no browser.
inline std::vector<Played> PlayInChromium(const std::vector<std::string>& files,
                                          const PlayOptions& options = {}) {
  std::string command = fmt::format("node '{}/tests/web/play.mjs'", SourceDir());
  if (options.rate != 1) command += fmt::format(" --rate {}", options.rate);
  if (!options.pixels.empty()) command += fmt::format(" --pixels '{}'", options.pixels);
  for (const std::string& file : files) command += fmt::format(" '{}'", file);
  const auto [status, text] = Shell(command);
  if (status != 0) throw std::runtime_error("failed: " + command);
  std::vector<Played> all;
  for (const nlohmann::json& seen : nlohmann::json::parse(text)) {
    Played& played = all.emplace_back();
    played.error = seen["error"];
    played.ended = seen["ended"];
    played.frames = seen["frames"];
    if (seen["firstS"].is_number()) played.first_s = seen["firstS"];
    if (seen["lastS"].is_number()) played.last_s = seen["lastS"];
    played.width = seen["width"];
    played.height = seen["height"];
    for (const auto& pixel : seen["pixels"]) played.pixels.push_back(pixel);
  }
  return all;
}

}  // namespace gleaner
