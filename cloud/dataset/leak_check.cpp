#include "cloud/dataset/leak_check.h"

#include <fmt/format.h>

#include "cloud/frames/frame_facts.h"
#include "common/status.h"

namespace gleaner::cloud {

absl::Status LeakCheck::Add(const FrozenFrame& frame) {
  const auto named = [&] {
    return fmt::format("frame {}/{}/{}", frame.name.clip, frame.name.camera, frame.name.pts);
  };
  if (!last_.clip.empty() && !Before(last_, frame.name)) {
    return absl::FailedPreconditionError(
        fmt::format("the dataset leaks: {} is in it twice, or out of order", named()));
  }
  last_ = frame.name;
  const auto [group, is_new] = groups_.emplace(frame.group, frame.split);
  if (is_new) ++groups_of_[static_cast<size_t>(frame.split)];
  if (group->second != frame.split) {
    return absl::FailedPreconditionError(
        fmt::format("the dataset leaks: group {} is in {} and, by {}, in {}", frame.group,
                    SplitWord(group->second), named(), SplitWord(frame.split)));
  }
  ASSIGN_OR_RETURN(const Seal seal, database_.Read([&](Sql& sql) -> absl::StatusOr<Seal> {
    return ReadSeal(sql, frame.name);
  }));
  if (seal.group != frame.group) {
    return absl::FailedPreconditionError(
        fmt::format("the dataset leaks: {} is said to be of group {}, and is sealed in group {}",
                    named(), frame.group, seal.group.empty() ? "none" : seal.group));
  }
  for (const std::string& other : seal.ties) {
    if (SplitOf(key_, schema_, other) == frame.split) continue;
    return absl::FailedPreconditionError(
        fmt::format("the dataset leaks: {} is in {}, and looks like one of group {}, which isn't",
                    named(), SplitWord(frame.split), other));
  }
  if (!is_new) return absl::OkStatus();
  if (const Split sealed = SplitOf(key_, schema_, frame.group); sealed != frame.split) {
    return absl::FailedPreconditionError(
        fmt::format("the dataset leaks: {} is in {}, and its group {} is sealed in {}", named(),
                    SplitWord(frame.split), frame.group, SplitWord(sealed)));
  }
  return absl::OkStatus();
}

}  // namespace gleaner::cloud
