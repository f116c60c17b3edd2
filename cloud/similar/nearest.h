// The best few of many.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "cloud/similar/vector_index.h"

namespace gleaner::cloud {

inline bool Nearer(const Hit& a, const Hit& b) {
  return a.score != b.score ? a.score > b.score : a.id < b.id;
}

class Nearest {
 public:
  explicit Nearest(size_t count) : count_(count) { hits_.reserve(count + 1); }

  // What has to be reached to be one of them.
  float least() const {
    return hits_.size() < count_ ? -std::numeric_limits<float>::infinity() : hits_.front().score;
  }
  void Add(const Hit& hit) {
    if (count_ == 0 || (hits_.size() == count_ && !Nearer(hit, hits_.front()))) return;
    hits_.push_back(hit);
    std::push_heap(hits_.begin(), hits_.end(), Nearer);
    if (hits_.size() > count_) {
      std::pop_heap(hits_.begin(), hits_.end(), Nearer);
      hits_.pop_back();
    }
  }
  std::vector<Hit> Take() {
    std::sort(hits_.begin(), hits_.end(), Nearer);
    return std::move(hits_);
  }

 private:
  const size_t count_;
  std::vector<Hit> hits_;  // a heap, the worst first
};

}  // namespace gleaner::cloud
