// Memory for bytes on their way to the disk: buffers of one size, aligned for O_DIRECT, and used
// again, so that taking one touches no memory that the kernel has yet to find.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace gleaner::cloud {

// Thread-safe. Outlives its buffers.
class BufferPool {
 public:
  static constexpr size_t kBufferBytes = 256 << 10;

  struct GiveBack {
    BufferPool* pool;
    void operator()(char* memory) const { pool->Give(memory); }
  };
  using Buffer = std::unique_ptr<char, GiveBack>;

  ~BufferPool();

  // kBufferBytes of memory, with whatever was in them; null if there is none to be had.
  Buffer Take();
  uint64_t bytes_in_use() const;

 private:
  void Give(char* memory);

  mutable std::mutex mutex_;
  size_t in_use_ = 0;
  std::vector<char*> free_;
};

}  // namespace gleaner::cloud
