#include "cloud/database/read_bound.h"

#include <algorithm>
#include <utility>

namespace gleaner::cloud {
namespace {

thread_local const ReadBound* current = nullptr;

}  // namespace

ReadBound::ReadBound(Clock::time_point until, std::function<bool()> gone)
    : until_(until), gone_(std::move(gone)) {
  current = this;
}

ReadBound::~ReadBound() {
  if (current == this) current = nullptr;
}

const ReadBound* ReadBound::Current() { return current; }

std::chrono::milliseconds ReadBound::Left() const {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until_ - Clock::now());
  return std::clamp<std::chrono::milliseconds>(left, std::chrono::milliseconds(1),
                                               std::chrono::hours(1));
}

}  // namespace gleaner::cloud
