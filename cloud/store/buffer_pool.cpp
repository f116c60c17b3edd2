#include "cloud/store/buffer_pool.h"

#include <cstdlib>

#include "cloud/store/blob_place.h"

namespace gleaner::cloud {
namespace {

// Kept for the next time; more than that goes back to the allocator.
constexpr size_t kMaxFree = 256;

}  // namespace

BufferPool::~BufferPool() {
  for (char* memory : free_) std::free(memory);
}

BufferPool::Buffer BufferPool::Take() {
  char* memory = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      memory = free_.back();
      free_.pop_back();
    }
    ++in_use_;
  }
  if (memory == nullptr) {
    memory = static_cast<char*>(std::aligned_alloc(kDiskBlockBytes, kBufferBytes));
    if (memory == nullptr) {
      std::lock_guard lock(mutex_);
      --in_use_;
    }
  }
  return {memory, {this}};
}

uint64_t BufferPool::bytes_in_use() const {
  std::lock_guard lock(mutex_);
  return in_use_ * kBufferBytes;
}

void BufferPool::Give(char* memory) {
  std::lock_guard lock(mutex_);
  --in_use_;
  if (free_.size() < kMaxFree) {
    free_.push_back(memory);
  } else {
    std::free(memory);
  }
}

}  // namespace gleaner::cloud
