// What was lost last, in a sentence for people.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "common/clip_key.h"
#include "common/clock.h"

namespace gleaner::edge {

// Thread-safe. Everything goes to the log as well.
class Losses {
 public:
  // `clock` outlives this.
  explicit Losses(Clock& clock) : clock_(clock) {}

  // Told of until the next clip is committed; its number tells the cloud.
  void ClipFailed(const ClipKey& key, const absl::Status& why);
  void ClipCommitted();
  // So many clips were committed, and hold less than they should. Told of as a failed clip is.
  void ClipsCut(uint64_t clips, const std::string& why);
  // A firing that the spool gave no number. Told of for a good hour, whatever comes after: nothing
  // else ever tells of it.
  void NoNumber(const std::string& rule, const absl::Status& why);

  // Empty when there is nothing to tell.
  std::string Problem() const;

 private:
  Clock& clock_;
  mutable std::mutex mutex_;   // guards what follows
  std::string failed_;         // of the clip that failed last, or those cut short since
  std::string no_number_;      // of the firings without a number
  uint64_t unnumbered_ = 0;    // how many those are
  int64_t unnumbered_ns_ = 0;  // when the last of them came
};

}  // namespace gleaner::edge
