// Carries clips from the spool to the server, as ingest.proto says: one long-lived stream; offer →
// grant → chunks from the granted offsets → receipt → Spool::Release.
//
// What always holds:
//  - A clip leaves the spool only by a receipt that quotes the SHA-256 of its manifest. No error,
//  of the stream, of identity or of the disk, counts as delivery.
//  - At most `window_chunks` chunks are sent and not yet reported durable, over all clips together:
//  so much can a cut make it send again.
//  - Every wait is bounded. While an answer is due and nothing gets durable for `progress_timeout`,
//  the stream is cut and tried again: a connection
//    that only looks alive ends so. The limit stretches (up to 8 times) on a link so slow that one
//    chunk takes that long.
//  - One clip can't hold up the others: one that has to wait gives up its place, and one that the
//  server's answers make no sense for is set aside for ten minutes.
//  - Whatever the server says, connection attempts and offers follow a back-off with full jitter,
//  which only data that gets durable resets (see transfers.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "common/clock.h"
#include "common/config.h"
#include "edge/spool/spool.h"
#include "edge/upload/link.h"
#include "edge/upload/upload_stats.h"

namespace gleaner::edge {

struct UploaderOptions {
  uint32_t window_chunks = 1;  // 1 to 64; more than 1 hides the round trip's latency at the price
                               // of sending more again after a cut
  uint32_t clips_in_flight =
      2;  // 1 to 16; more than 1 hides the round trips of offers and receipts
  uint64_t cap_bytes_per_s = 0;  // 0 = none; offers and chunks count
  int64_t progress_timeout_ns = 30 * kNanosPerSecond;
  int64_t backoff_base_ns = 500 * kNanosPerMilli;
  int64_t backoff_cap_ns = 60 * kNanosPerSecond;
  // From the stop request to the return of Run(): half of it for acknowledgements that are on their
  // way, then the stream is cancelled.
  int64_t shutdown_timeout_ns = 2 * kNanosPerSecond;
  uint64_t seed = 0;  // of the jitter; 0 = from the machine's randomness

  // Reads the [upload] table; mistakes are noted in `reader`.
  static UploaderOptions Read(ConfigReader& reader);
};

// All are optional, called on the uploader's thread, and must not block.
struct UploaderHooks {
  std::function<void()> alive;           // at least every ten seconds while the loop turns
  std::function<void()> ledger_changed;  // a clip was released or quarantined
};

// Thread-safe but for Run().
class Uploader {
 public:
  // `spool`, `link` and `clock` outlive the uploader.
  Uploader(UploaderOptions options, Spool& spool, Link& link, Clock& clock,
           UploaderHooks hooks = {});
  ~Uploader();

  // Uploads until `stop`. Once, on a thread of its own.
  void Run(std::stop_token stop);

  // Look at the spool and the clock again: call it from Spool::OnChange. Without it a new clip is
  // found within ten seconds.
  void Poke();
  // The owner's cap from the policy, 0 = none, less than kMinUploadCapBytesPerS counts as that; the
  // lower of it and the configured one holds, from the next message on.
  void SetPolicyCap(uint64_t bytes_per_s);
  UploadStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gleaner::edge
