#include "cloud/dataset/sealing.h"

#include <algorithm>

#include "cloud/dataset/splits.h"

namespace gleaner::cloud {

void SealChecked(Sql& sql, const CheckedClip& clip) {
  std::vector<FrameFacts> frames;
  // Without a filter there is nothing to be wrong.
  ReadFrameFacts(sql, {std::string(clip.id)}, {}, [&](const FrameFacts& frame) {
    frames.push_back(frame);
  }).IgnoreError();
  // The same order on every database.
  std::sort(frames.begin(), frames.end(),
            [](const auto& a, const auto& b) { return Before(a.name, b.name); });
  SealFrames(sql, frames);
}

}  // namespace gleaner::cloud
