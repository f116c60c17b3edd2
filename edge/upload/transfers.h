// The clips under way, and what each answer of the server means for them: the table of refusals in
// ingest.proto is here. Takes clips from the spool and ends them: released by a receipt,
// quarantined, or set aside. Knows no network.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "edge/spool/spool.h"
#include "edge/upload/transfer.h"
#include "edge/upload/upload_stats.h"
#include "gleaner/v1/ingest.pb.h"

namespace gleaner::edge {

// Not thread-safe: the uploader's loop owns it.
class Transfers {
 public:
  struct Options {
    size_t max_clips = 2;
    // Between offers of a clip that the server put off without saying for how long.
    int64_t backoff_base_ns = 0;
    int64_t backoff_cap_ns = 0;
    uint64_t seed = 0;
  };
  // What an answer brought.
  struct Outcome {
    absl::Status breach;    // not OK: the answer breaks the protocol, the stream must go
    bool answered = false;  // the server is alive and dealt with a clip
    bool advanced = false;  // more is durable than before
  };

  // All references outlive this. `ledger_changed` is called after a release or a quarantine.
  Transfers(Options options, Spool& spool, Clock& clock, UploadStatsBoard& board,
            std::function<void()> ledger_changed);

  // Fills up from the spool, most valuable first. OK as well when the spool has nothing more;
  // `*more` then is false.
  absl::Status Take(bool* more);
  bool empty() const { return all_.empty(); }
  bool full() const { return all_.size() >= options_.max_clips; }

  // The next clip to offer, and the next with something to send; null when there is none.
  Transfer* ToOffer(int64_t now);
  Transfer* ToSend();
  // Chunks sent that aren't known to be durable.
  uint64_t unacknowledged_chunks() const;
  // Whether the server owes an answer to something that was sent.
  bool AnswerDue() const;
  // Whether every clip waits for its next offer, and when the first may be made.
  bool AllWait(int64_t now) const;
  int64_t NextOfferNs(int64_t now) const;

  Outcome OnResponse(const v1::UploadResponse& response);
  // The stream has ended: everything not in its receipt must be offered again. True if a clip was
  // under way.
  bool OnStreamEnded(const absl::Status& status);
  // A block couldn't be read from the spool: damaged, the clip is quarantined; else tried again
  // later, and quarantined when it can't be read three times.
  void OnReadError(Transfer& transfer, const ChunkPosition& position, const absl::Status& status);
  // Gives all clips back to the spool.
  void PutBackAll();

 private:
  Outcome OnGrant(const v1::Grant& grant);
  Outcome OnProgress(const v1::Progress& progress);
  Outcome OnReceipt(const v1::Receipt& receipt);
  Outcome OnRefusal(const v1::Refusal& refusal);
  // To the place that the refusal of a chunk names, in this lease or in a new one.
  Outcome GoBack(Transfer& transfer, const v1::Refusal& refusal);
  void Quarantine(const Transfer& transfer, std::string reason);
  // The clip stays in the spool; the others go on without it for a while.
  void SetAside(const Transfer& transfer, std::string_view why);
  Transfer* Find(const v1::ClipKey& key);
  Transfer* FindLease(uint64_t lease);
  void Remove(const Transfer& transfer);

  const Options options_;
  Spool& spool_;
  Clock& clock_;
  UploadStatsBoard& board_;
  const std::function<void()> ledger_changed_;
  Backoff backoff_;
  std::vector<std::unique_ptr<Transfer>> all_;       // in the order they were taken
  absl::flat_hash_map<ClipKey, int64_t> set_aside_;  // until when
  absl::flat_hash_map<ClipKey, int> read_errors_;    // of clips that are still here
};

}  // namespace gleaner::edge
