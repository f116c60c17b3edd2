// Chance that can be repeated: what a seed decides of a frame, whatever else there is and in
// whatever order it comes.
#pragma once

#include <cstdint>
#include <string_view>

#include "gleaner/v1/label_task.pb.h"

namespace gleaner::cloud {

// From 0 to below 1, evenly. `of`: what is decided, so that decisions don't depend on each other.
double Chance(uint64_t seed, std::string_view of, const v1::FrameId& frame);

struct Shares {
  double control = 0, known_wrong = 0, pair = 0;
};

struct Chosen {
  v1::Task::Kind kind = v1::Task::KIND_BARE;
  bool pair = false;
};

// `predicted`: there is a pre-label. Without one there is nothing to keep back or to make wrong.
Chosen Choose(const Shares& shares, uint64_t seed, const v1::FrameId& frame, bool predicted);

// The annotation with one plausible mistake, in its most confident part: another class, a box
// beside its thing, something that isn't there or is missing, another character. Never says the
// same as before. `chance`: from 0 to below 1, decides which.
v1::Annotation MadeWrong(const v1::LabelSchema& schema, v1::Annotation annotation, double chance);

// Whether all of that mistake is still in what was said: what was put in is there, and what was
// taken away is not. `shown`: MadeWrong of `predicted`.
bool KeepsMistake(v1::LabelSchema::Kind kind, const v1::Annotation& predicted,
                  const v1::Annotation& shown, const v1::Annotation& said);

}  // namespace gleaner::cloud
