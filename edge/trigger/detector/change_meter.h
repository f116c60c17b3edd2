// How much of a picture has changed: the fraction of cells whose luma differs by more than the
// camera's own noise.
#pragma once

#include <cstdint>
#include <deque>

#include "edge/trigger/detector/luma.h"

namespace gleaner::edge {

// One camera's luma pictures of kSize, in order of time. Not thread-safe.
class ChangeMeter {
 public:
  // The size at which pictures are compared.
  static constexpr PictureSize kSize{320, 180};
  // Pictures closer than this are not worth a look.
  static constexpr int64_t kLookNs = 90'000'000;
  // A picture is compared with one this much older: long enough for a slow hand to have left its
  // place, short enough for a thing put down to be at rest soon.
  static constexpr int64_t kDistanceNs = 180'000'000;

  void Reset();

  // From the newest picture to the next that is worth a look; 0 while there is none.
  int64_t IntervalNs() const { return recent_.empty() ? 0 : kLookNs; }
  // The fraction of cells, 0 to 1, that differ from the picture about 200 ms before; 0 while there
  // is none.
  double Look(LumaPicture luma, int64_t monotonic_ns);
  // Whether the newest look compared over the whole distance.
  bool spans_distance() const {
    return !recent_.empty() &&
           recent_.back().monotonic_ns - recent_.front().monotonic_ns >= kDistanceNs;
  }
  // Forgets the newest pictures but not the background: the next one comes after a pause.
  void Pause() { recent_.clear(); }

  // The fraction of cells that differ from the background, however long ago that was; 0 while there
  // is none.
  double LookFromAfar(const LumaPicture& luma);
  void SetBackground(LumaPicture luma);
  // The newest picture of Look() becomes the background.
  void SettleBackground();

  // Luma steps by which a cell must differ to count.
  double threshold() const;

 private:
  struct Picture {
    LumaPicture luma;
    int64_t monotonic_ns;
  };

  double Compare(const LumaPicture& a, const LumaPicture& b);

  std::deque<Picture> recent_;  // at most three or four
  LumaPicture background_;
  double noise_ = 0;  // mean absolute difference of quiet cells, running
};

}  // namespace gleaner::edge
