// What the uploader tells about itself.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "common/log.h"

namespace gleaner::edge {

struct UploadStats {
  std::string state = "idle";  // see v1::UploadHealth
  uint64_t clips_total = 0;    // released by a receipt
  uint64_t sent_bytes = 0;     // chunk payload, repeated bytes included
  uint64_t resent_bytes = 0;   // of these, what had been sent before
  uint64_t durable_bytes = 0;  // that the cloud has said it keeps, since this process began
  uint64_t cuts = 0;           // streams that ended, not by our own wish, with a clip under way
  uint64_t quarantined = 0;
  uint64_t cap_bytes_per_s = 0;  // in force, 0 = none
  std::string last_error;        // the newest, for people; empty once data has flowed again
};

// One place for them, written by the loop and read by anyone. Thread-safe.
class UploadStatsBoard {
 public:
  template <typename F>
  void Change(F change) {
    std::lock_guard lock(mutex_);
    change(stats_);
  }
  UploadStats Get() const {
    std::lock_guard lock(mutex_);
    return stats_;
  }
  // Keeps the newest error and logs it; the same one again isn't worth another line.
  void Error(const std::string& message) {
    std::lock_guard lock(mutex_);
    if (stats_.last_error == message) return;
    stats_.last_error = message;
    LOG_WARN("{}", message);
  }

 private:
  mutable std::mutex mutex_;
  UploadStats stats_;
};

}  // namespace gleaner::edge
