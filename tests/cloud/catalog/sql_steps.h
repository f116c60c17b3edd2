// Counts what SQLite does, in steps of its virtual machine, so that a test can say that something
// costs the same without a clock.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <functional>

namespace gleaner::cloud {

// Counts for every connection of this process that is opened while it lives. One at a time.
class SqlSteps {
 public:
  SqlSteps() { ::sqlite3_auto_extension(reinterpret_cast<void (*)()>(&Attach)); }
  ~SqlSteps() { ::sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(&Attach)); }

  static uint64_t Of(const std::function<void()>& work) {
    const uint64_t before = steps_;
    work();
    return steps_ - before;
  }

 private:
  static int Attach(sqlite3* db, const char**, const void*) {
    ::sqlite3_progress_handler(
        db, 1,
        [](void*) {
          ++steps_;
          return 0;
        },
        nullptr);
    return SQLITE_OK;
  }
  static inline std::atomic<uint64_t> steps_{0};
};

}  // namespace gleaner::cloud
