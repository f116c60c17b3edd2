// The clips under way, and what each answer of the server means for them: the table of refusals in
// ingest.proto is here. Takes clips from the spool and ends them: released by a receipt,
// quarantined, or put off. Knows no network.
//
// A clip that has to wait goes back to the spool, so that another has its place meanwhile. It waits
// as long as the server asks, but never less than a back-off that grows with each refusal since
// more of it got durable than ever before, and never more than ten minutes: a server that errs or
// means ill neither makes the device offer in a loop nor stops it for hours. After a refusal the
// next offer, of whatever clip, waits for a back-off too, or a server that has no room would be
// offered the whole spool, one clip after the other.
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
#include "common/log_throttle.h"
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
    // Between offers after a refusal.
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

  // The next clip to offer now, and the next with something to send; null when there is none.
  Transfer* ToOffer(int64_t now);
  Transfer* ToSend();
  // Chunks sent that aren't known to be durable.
  uint64_t unacknowledged_chunks() const;
  // Whether the server owes an answer to something that was sent.
  bool AnswerDue() const;
  // Whether there are clips, and none of them may be offered or is under way.
  bool AllWait(int64_t now) const;
  // When a clip that was taken may be offered, and when one that was put off may be taken again;
  // the end of time if none has to wait.
  int64_t NextOfferNs(int64_t now) const;
  int64_t NextDueNs(int64_t now) const;
  // Puts off clips that are owed an answer and have had none for `limit_ns`, though others have.
  void PutOffForgotten(int64_t now, int64_t limit_ns);

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
  // What is remembered of a clip that gave trouble, under way or not.
  struct Trouble {
    int refusals = 0;  // in a row: since more of it was durable than ever before
    int breaches = 0;  // in a row: streams that it was under way on, closed over the protocol
    int damaged = 0;   // DATA_LOSS refusals
    int read_errors = 0;
    uint64_t most_durable_bytes = 0;
    int64_t not_before_ns = 0;  // put off until then
  };
  Outcome OnGrant(const v1::Grant& grant);
  Outcome OnProgress(const v1::Progress& progress);
  Outcome OnReceipt(const v1::Receipt& receipt);
  Outcome OnRefusal(const v1::Refusal& refusal);
  // To the place that the refusal of a chunk names, in this lease or in a new one.
  Outcome GoBack(Transfer& transfer, const v1::Refusal& refusal);
  void Quarantine(const Transfer& transfer, std::string reason);
  // The clip stays in the spool; the others go on without it for a while.
  void PutOff(const Transfer& transfer, int64_t wait_ns);
  void SetAside(const Transfer& transfer, std::string_view why);
  Trouble& TroubleOf(const Transfer& transfer);
  Transfer* Find(const v1::ClipKey& key);
  Transfer* FindLease(uint64_t lease);
  void Remove(const Transfer& transfer);

  const Options options_;
  Spool& spool_;
  Clock& clock_;
  UploadStatsBoard& board_;
  const std::function<void()> ledger_changed_;
  LogThrottle log_throttle_;
  Backoff backoff_;
  int64_t offers_from_ns_ = 0;
  std::vector<std::unique_ptr<Transfer>> all_;  // in the order they were taken
  absl::flat_hash_map<ClipKey, Trouble> troubles_;
};

}  // namespace gleaner::edge
