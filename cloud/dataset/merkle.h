// The root over a frozen list: a Merkle tree of SHA-256 as RFC 6962 (section 2.1) has it, so that
// one number stands for the whole list and a single frame can be proven to be in it.
//
//   leaf  = SHA-256(0x00 ‖ line)                 without its line end
//   node  = SHA-256(0x01 ‖ left ‖ right)         left: the largest power of two of leaves that is
//                                                smaller than all
//   root  = SHA-256("gleaner.dataset.v1\n" ‖ number of leaves, 8 bytes, big end first ‖ tree)
//   tree of no leaves = SHA-256("")
//
// The prefixes keep a leaf, a node and a root from ever being taken for one another.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "common/digest.h"

namespace gleaner::cloud {

// Takes leaves one after the other; holds a digest for each bit of their number.
class Merkle {
 public:
  void Add(std::string_view line);
  uint64_t leaves() const { return leaves_; }
  // Of what was added so far.
  Sha256Digest Root() const;

 private:
  uint64_t leaves_ = 0;
  std::vector<std::pair<int, Sha256Digest>>
      whole_;  // height and digest of whole trees, largest first
};

}  // namespace gleaner::cloud
