// A mutex for many who read and few who write, where who wants to write gets his turn however many
// read: glibc's own lets readers in as long as there is one.
#pragma once

#include <mutex>
#include <shared_mutex>

namespace gleaner::cloud {

// For std::unique_lock and std::shared_lock.
class FairMutex {
 public:
  void lock() {
    std::lock_guard turn(turn_);
    mutex_.lock();
  }
  void unlock() { mutex_.unlock(); }
  void lock_shared() {
    std::lock_guard turn(turn_);
    mutex_.lock_shared();
  }
  void unlock_shared() { mutex_.unlock_shared(); }

 private:
  std::mutex turn_;  // held by a writer while he waits for those who read
  std::shared_mutex mutex_;
};

}  // namespace gleaner::cloud
