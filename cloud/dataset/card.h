// A version's card: what is in it, how it was chosen, and what is missing.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/dataset/frozen_list.h"

namespace gleaner::cloud {

// Counts while a list is written; holds a line for each class, site and the like.
class CardMaker {
 public:
  // Why a labelled frame isn't in it, in words.
  void LeaveOut(const std::string& reason, uint64_t frames = 1) { left_out_[reason] += frames; }
  void Add(const FrozenFrame& frame);
  // Of `head` are the classes that are expected. `as_of_ns`: when the filter was read.
  std::string ToJson(std::string_view name, const FrozenHead& head, int64_t as_of_ns) const;

  uint64_t frames() const { return frames_; }
  uint64_t picture_bytes() const { return picture_bytes_; }
  // "12 in more than one split, 3 without a box"
  std::string LeftOut() const;

 private:
  struct Count {
    uint64_t frames = 0, boxes = 0;
    std::array<uint64_t, 3> by_split{};  // frames
  };
  using Counts = std::map<std::string, Count>;

  uint64_t frames_ = 0, boxes_ = 0, empty_ = 0, picture_bytes_ = 0;
  std::array<uint64_t, 3> by_split_{};
  Counts classes_, sites_, devices_, rules_, models_, roles_;
  std::map<std::string, uint64_t> left_out_;
};

// The same for people.
std::string CardText(std::string_view json);

}  // namespace gleaner::cloud
