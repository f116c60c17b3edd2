// Tells the cloud what became of every sequence number (IngestService.ReportLedger), and hears
// which ones nobody can account for: a gap is an alarm, on the device as in the cloud.
#pragma once

#include <cstdint>
#include <mutex>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "common/clock.h"
#include "edge/spool/spool.h"
#include "edge/upload/link.h"
#include "edge/upload/waker.h"

namespace gleaner::edge {

struct LedgerReporterOptions {
  int64_t interval_ns = 300 * kNanosPerSecond;  // at least this often
  int64_t debounce_ns =
      2 * kNanosPerSecond;  // changes within this time of the first share a report
  int64_t deadline_ns = 15 * kNanosPerSecond;  // of a call
  int64_t backoff_base_ns = kNanosPerSecond;
  int64_t backoff_cap_ns = 60 * kNanosPerSecond;
  uint64_t seed = 0;  // of the jitter; 0 = from the machine's randomness
};

struct LedgerStats {
  uint64_t reports = 0;  // that the cloud took
  uint64_t gaps = 0;     // in the last one
  std::string problem;   // for people; empty when the last report went well and had no gaps
};

// Thread-safe but for Run().
class LedgerReporter {
 public:
  // `spool`, `link` and `clock` outlive the reporter.
  LedgerReporter(LedgerReporterOptions options, Spool& spool, Link& link, Clock& clock);

  // Reports at once, then after changes and at intervals until `stop`; returns promptly then. Once,
  // on a thread of its own.
  void Run(std::stop_token stop);

  // The ledger has changed: a commit, an eviction, a number that ended without a clip, a receipt.
  void Poke() { waker_.Poke(); }
  LedgerStats stats() const;

 private:
  // `*more`: the spool had more tombstones than a report holds.
  absl::Status Report(const std::stop_token& stop, bool* more);
  void NoteGaps(const v1::ReportLedgerResponse& response);

  const LedgerReporterOptions options_;
  Spool& spool_;
  Link& link_;
  Clock& clock_;
  Waker waker_;

  mutable std::mutex mutex_;
  LedgerStats stats_;
};

}  // namespace gleaner::edge
