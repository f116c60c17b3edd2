// What a camera sees when nothing is there, learnt from its own frames, and whether a frame is
// that.
//
// The whole picture is compared, as a grid of brightness (media/worker_protocol.h): nothing in it
// is found, named or cut out. The background is, cell by cell, the median of the last kMost quiet
// frames: something that stands there for less than half of them never gets into it, and by and by
// it follows the light, the season and what was put there to stay. That the whole picture became
// brighter or darker counts for nothing.
//
// Deterministic: the same frames in the same order make the same background. Which is which is
// written in the transaction that records the frames, so it depends on the order of checks alone.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/media/worker_answer.h"
#include "gleaner/v1/frames.pb.h"

namespace gleaner::cloud {

class Background {
 public:
  // With fewer it isn't known.
  static constexpr size_t kLeast = 3;
  static constexpr size_t kMost = 15;

  // Of Serialize's bytes; nothing is known where they are none.
  explicit Background(std::string_view bytes = "");
  std::string Serialize() const;

  size_t learnt() const { return samples_.size(); }
  v1::Frame::Background Judge(const media::LumaGrid& grid) const;
  void Learn(const media::LumaGrid& grid);

 private:
  // The background, and how far from it what was learnt lies, mostly.
  void Settle();

  std::vector<media::LumaGrid> samples_;  // oldest first
  media::LumaGrid median_{}, spread_{};
};

// Nothing moves around it, and something can be seen: one to learn from.
bool IsQuiet(const media::ChosenFrame& frame);

// Says of each frame of a clip what it is, and learns from the first and the last quiet one, so
// that a clip counts as much as any other. `learn`: the clip is a new one.
std::vector<v1::Frame::Background> JudgeClip(const std::vector<media::ChosenFrame>& frames,
                                             bool learn, Background& background);

}  // namespace gleaner::cloud
