#include "tests/edge/trigger/streams.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <vector>

#include "tests/data/footage.h"
#include "tests/data/paths.h"

namespace gleaner::edge {
namespace {

constexpr char kNoise[] = "noise=alls=4:allf=t";

std::string Camera(const std::string& bit_rate, int frames_per_s) {
  return fmt::format(
      "-c:v libx264 -preset veryfast -tune zerolatency -bf 0 -g {1} -b:v {0} -maxrate {0} "
      "-bufsize {0}",
      bit_rate, frames_per_s);
}

// All of the footage at 30 frames a second.
std::string Whole(const std::string& footage, const std::string& size) {
  return fmt::format("-i '{}' -vf fps=30,scale={}", Footage(footage), size);
}

// The footage cut at `cuts` (seconds), each piece behind `quiet_s` of its own first frame, all of
// it noisy.
std::string Rare(const std::string& footage, const std::string& size, double quiet_s,
                 const std::vector<double>& cuts) {
  std::string pieces;
  std::string joined;
  double from = 0;
  for (size_t i = 0; i < cuts.size(); ++i) {
    pieces += fmt::format(
        "[0:v]fps=30,trim={}:{},setpts=PTS-STARTPTS,tpad=start_mode=clone:start_duration={}:"
        "stop_mode=clone:stop_duration=0.5,scale={}[piece{}];",
        from, cuts[i], quiet_s, size, i);
    joined += fmt::format("[piece{}]", i);
    from = cuts[i];
  }
  return fmt::format("-i '{}' -filter_complex '{}{}concat=n={},{}[out]' -map '[out]'",
                     Footage(footage), pieces, joined, cuts.size(), kNoise);
}

std::string Quiet(const std::string& size, int seconds) {
  return fmt::format(
      "-i '{}' -vf 'fps=30,trim=0:0.1,tpad=stop_mode=clone:stop_duration={},scale={},{}'",
      Footage("box.mp4"), seconds, size, kNoise);
}

std::string SmallBox() { return Rare("box.mp4", "640:360", 10, {3.03, 6.21}); }

// Input and encoder options of ffmpeg.
std::string Recipe(const std::string& name) {
  static const auto& recipes = *new std::map<std::string, std::string (*)()>{
      {"box-720p", [] { return Whole("box.mp4", "1280:720") + " " + Camera("2M", 30); }},
      {"cup-720p", [] { return Whole("cup.mp4", "1280:720") + " " + Camera("2M", 30); }},
      {"box-rare-720p",
       [] {
         return Rare("box.mp4", "1280:720", 10, {3.03, 6.21, 9.07, 12.13, 15.1}) + " " +
                Camera("2M", 30);
       }},
      {"cup-rare-720p",
       [] {
         return Rare("cup.mp4", "1280:720", 10, {2.63, 4.17, 6.05, 8.1}) + " " + Camera("2M", 30);
       }},
      {"quiet-720p", [] { return Quiet("1280:720", 60) + " " + Camera("2M", 30); }},
      {"vtest", [] { return fmt::format("-i '{}' ", Footage("vtest.avi")) + Camera("1M", 10); }},
      {"tree",
       [] { return fmt::format("-i '{}' -r 15 ", Footage("tree.avi")) + Camera("500k", 15); }},
      {"quiet-360p", [] { return Quiet("640:360", 40) + " " + Camera("700k", 30); }},
      {"box-rare-360p", [] { return SmallBox() + " " + Camera("700k", 30); }},
      {"box-rare-vbr-360p",
       [] { return SmallBox() + " -c:v libx264 -preset veryfast -bf 0 -g 60 -crf 26"; }},
      {"box-rare-b-360p",
       [] { return SmallBox() + " -c:v libx264 -preset veryfast -bf 3 -g 60 -crf 26"; }},
      {"box-rare-hevc-360p",
       [] {
         return SmallBox() +
                " -c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=30:bframes=0";
       }},
      {"box-rare-cbr-360p",
       [] { return SmallBox() + " " + Camera("700k", 30) + " -x264-params nal-hrd=cbr:filler=1"; }},
  };
  const auto found = recipes.find(name);
  if (found == recipes.end()) throw std::runtime_error("no stream " + name);
  return found->second();
}

}  // namespace

std::string Stream(const std::string& name) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(BinDir()).parent_path() / "streams";
  const fs::path made = folder / (name + ".mp4");
  if (fs::exists(made)) return made;
  fs::create_directories(folder);
  // Tests that run at the same time may all make it; the last one wins with the same bytes.
  const fs::path partial = folder / fmt::format("{}.{}.mp4", name, getpid());
  const std::string command =
      fmt::format("ffmpeg -nostdin -v fatal -y -threads 1 {} -an -pix_fmt yuv420p -threads 1 '{}'",
                  Recipe(name), partial.string());
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
  fs::rename(partial, made);
  return made;
}

}  // namespace gleaner::edge
