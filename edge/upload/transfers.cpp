#include "edge/upload/transfers.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "common/limits.h"
#include "common/log.h"
#include "common/status.h"
#include "common/text.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kSetAsideNs = 600 * kNanosPerSecond;
constexpr int64_t kMaxRetryNs = 600 * kNanosPerSecond;  // however long a refusal asks for
constexpr int kMaxDamaged = 3;
constexpr int kMaxReadErrors = 3;
constexpr int kMaxBreaches = 3;
constexpr int kMaxRefusals = 8;  // in a row, before the clip has to wait
constexpr size_t kMaxTroubles = 4096;
constexpr size_t kMaxReasonBytes = 200;

absl::Status AsStatus(const v1::Refusal& refusal) {
  const auto code = static_cast<absl::StatusCode>(refusal.code());
  return absl::Status(code,
                      refusal.message().empty()
                          ? fmt::format("it gave no reason but {}", absl::StatusCodeToString(code))
                          : Shorten(refusal.message(), kMaxReasonBytes));
}

}  // namespace

Transfers::Transfers(Options options, Spool& spool, Clock& clock, UploadStatsBoard& board,
                     std::function<void()> ledger_changed)
    : options_(options),
      spool_(spool),
      clock_(clock),
      board_(board),
      ledger_changed_(std::move(ledger_changed)),
      log_throttle_(clock),
      backoff_(options.backoff_base_ns, options.backoff_cap_ns, options.seed) {}

absl::Status Transfers::Take(bool* more) {
  *more = true;
  const int64_t now = clock_.MonotonicNs();
  if (troubles_.size() > kMaxTroubles) {
    // Of clips that the spool has let go of, most likely.
    absl::erase_if(troubles_, [&](const auto& entry) { return entry.second.not_before_ns <= now; });
  }
  while (!full()) {
    absl::flat_hash_set<ClipKey> except;
    for (const auto& transfer : all_) except.insert(transfer->clip().key);
    for (const auto& [key, trouble] : troubles_) {
      if (trouble.not_before_ns > now) except.insert(key);
    }
    ASSIGN_OR_RETURN(std::optional<StoredClip> clip, spool_.Next(except));
    if (!clip.has_value()) {
      *more = false;
      return absl::OkStatus();
    }
    all_.push_back(std::make_unique<Transfer>(*std::move(clip)));
  }
  return absl::OkStatus();
}

Transfer* Transfers::ToOffer(int64_t now) {
  if (now < offers_from_ns_) return nullptr;
  for (const auto& transfer : all_) {
    if (transfer->state() == Transfer::State::kWaiting) return transfer.get();
  }
  return nullptr;
}

Transfer* Transfers::ToSend() {
  for (const auto& transfer : all_) {
    if (transfer->state() == Transfer::State::kSending && !transfer->all_sent()) {
      return transfer.get();
    }
  }
  return nullptr;
}

uint64_t Transfers::unacknowledged_chunks() const {
  uint64_t chunks = 0;
  for (const auto& transfer : all_) chunks += transfer->unacknowledged_chunks();
  return chunks;
}

bool Transfers::AnswerDue() const {
  return std::any_of(all_.begin(), all_.end(), [](const auto& transfer) {
    return transfer->state() == Transfer::State::kOffered || transfer->all_sent() ||
           transfer->unacknowledged_chunks() > 0;
  });
}

bool Transfers::AllWait(int64_t now) const {
  if (all_.empty()) return NextDueNs(now) != std::numeric_limits<int64_t>::max();
  return now < offers_from_ns_ && std::all_of(all_.begin(), all_.end(), [](const auto& transfer) {
           return transfer->state() == Transfer::State::kWaiting;
         });
}

int64_t Transfers::NextOfferNs(int64_t now) const {
  const bool any = std::any_of(all_.begin(), all_.end(), [](const auto& transfer) {
    return transfer->state() == Transfer::State::kWaiting;
  });
  return any && now < offers_from_ns_ ? offers_from_ns_ : std::numeric_limits<int64_t>::max();
}

int64_t Transfers::NextDueNs(int64_t now) const {
  int64_t next = std::numeric_limits<int64_t>::max();
  for (const auto& [key, trouble] : troubles_) {
    if (trouble.not_before_ns > now) next = std::min(next, trouble.not_before_ns);
  }
  return next;
}

void Transfers::PutOffForgotten(int64_t now, int64_t limit_ns) {
  std::vector<const Transfer*> forgotten;
  for (const auto& transfer : all_) {
    const bool due = transfer->state() == Transfer::State::kOffered || transfer->all_sent();
    if (due && now - transfer->moved_ns >= limit_ns) forgotten.push_back(transfer.get());
  }
  for (const Transfer* transfer : forgotten) {
    board_.Error(fmt::format("clip {}: the server answers others and not this one",
                             ToString(transfer->clip().key)));
    PutOff(*transfer, backoff_.NthNs(++TroubleOf(*transfer).refusals));
  }
}

Transfers::Outcome Transfers::OnResponse(const v1::UploadResponse& response) {
  Outcome outcome;
  switch (response.message_case()) {
    case v1::UploadResponse::kGrant:
      outcome = OnGrant(response.grant());
      break;
    case v1::UploadResponse::kProgress:
      outcome = OnProgress(response.progress());
      break;
    case v1::UploadResponse::kReceipt:
      outcome = OnReceipt(response.receipt());
      break;
    case v1::UploadResponse::kRefusal:
      outcome = OnRefusal(response.refusal());
      break;
    case v1::UploadResponse::MESSAGE_NOT_SET:
      // From a newer server: what we can't have asked for can't be about our bytes.
      LOG_DEBUG("an upload response of an unknown kind");
      break;
  }
  if (outcome.advanced) {
    backoff_.Reset();
    board_.Change([](UploadStats& stats) { stats.last_error.clear(); });
  }
  return outcome;
}

Transfers::Outcome Transfers::OnGrant(const v1::Grant& grant) {
  Transfer* transfer = Find(grant.key());
  if (transfer == nullptr || transfer->state() != Transfer::State::kOffered) {
    if (const auto more = log_throttle_.Admit("grants that nobody waits for")) {
      LOG_WARN("a grant for a clip that waits for none{}", *more);
    }
    return {};
  }
  transfer->moved_ns = clock_.MonotonicNs();
  const absl::Status status = transfer->OnGrant(grant);
  return {.breach = status, .answered = status.ok()};
}

Transfers::Outcome Transfers::OnProgress(const v1::Progress& progress) {
  Transfer* transfer = FindLease(progress.lease());
  if (transfer == nullptr) return {};  // it ended a moment ago: the answer crossed our way
  Outcome outcome;
  const uint64_t before = transfer->durable_bytes();
  outcome.breach =
      transfer->OnProgress(progress.object(), progress.durable_offset(), &outcome.advanced);
  outcome.answered = outcome.advanced;
  if (outcome.advanced) {
    transfer->moved_ns = clock_.MonotonicNs();
    const auto trouble = troubles_.find(transfer->clip().key);
    if (trouble != troubles_.end() &&
        transfer->durable_bytes() > trouble->second.most_durable_bytes) {
      trouble->second.most_durable_bytes = transfer->durable_bytes();
      trouble->second.refusals = trouble->second.breaches = 0;
    }
    board_.Change(
        [&](UploadStats& stats) { stats.durable_bytes += transfer->durable_bytes() - before; });
  }
  return outcome;
}

Transfers::Outcome Transfers::OnReceipt(const v1::Receipt& receipt) {
  Transfer* transfer = Find(receipt.key());
  if (transfer == nullptr) {
    if (const auto more = log_throttle_.Admit("receipts that nobody waits for")) {
      LOG_WARN("a receipt for a clip that isn't under way{}", *more);
    }
    return {};
  }
  const StoredClip& clip = transfer->clip();
  if (receipt.manifest_sha256() != AsBytes(clip.manifest_sha256)) {
    const std::string why = fmt::format("the receipt quotes manifest {}, ours is {}",
                                        Hex(receipt.manifest_sha256().substr(0, 32)),
                                        Hex(AsBytes(clip.manifest_sha256)));
    SetAside(*transfer, why);
    return {.breach = absl::InvalidArgumentError(why)};
  }
  const absl::Status status = spool_.Release(clip.key, clip.manifest_sha256);
  if (!status.ok()) {
    // Its next offer is answered with the same receipt.
    SetAside(*transfer, Message(status));
    return {.answered = true};
  }
  LOG_INFO("clip {} is in the cloud{}", ToString(clip.key), receipt.duplicate() ? " already" : "");
  board_.Change([](UploadStats& stats) { ++stats.clips_total; });
  troubles_.erase(clip.key);
  Remove(*transfer);
  if (ledger_changed_) ledger_changed_();
  return {.answered = true, .advanced = true};
}

Transfers::Outcome Transfers::OnRefusal(const v1::Refusal& refusal) {
  // A server that knows nothing of a lease any more can't say whose it was.
  Transfer* transfer = refusal.has_key() ? Find(refusal.key()) : FindLease(refusal.lease());
  const bool of_chunk = refusal.lease() != 0;
  // Unknown clip or lease: it ended a moment ago, the answer crossed our way.
  if (transfer == nullptr || (of_chunk && refusal.lease() != transfer->lease())) return {};
  const absl::Status status = AsStatus(refusal);
  const std::string reason = fmt::format("refused by the server: {}", Message(status));
  transfer->moved_ns = clock_.MonotonicNs();
  Trouble& trouble = TroubleOf(*transfer);

  switch (status.code()) {
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kPermissionDenied:
      Quarantine(*transfer, reason);
      return {.answered = true};
    case absl::StatusCode::kDataLoss:
      if (!of_chunk) break;
      board_.Error(fmt::format("clip {}: {}", ToString(transfer->clip().key), reason));
      if (++trouble.damaged >= kMaxDamaged) {
        Quarantine(*transfer, reason);
        return {.answered = true};
      }
      return GoBack(*transfer, refusal);
    case absl::StatusCode::kFailedPrecondition:
      if (!of_chunk || trouble.refusals >= kMaxRefusals) break;
      ++trouble.refusals;
      return GoBack(*transfer, refusal);
    case absl::StatusCode::kAborted:
      // Again at once, the first time; a lease that is fenced again and again has a rival.
      if (trouble.refusals > 0) break;
      ++trouble.refusals;
      transfer->Restart();
      return {.answered = true};
    default:
      break;
  }
  // RESOURCE_EXHAUSTED, UNAVAILABLE, and what a newer server may say: not now.
  board_.Error(fmt::format("clip {}: {}", ToString(transfer->clip().key), reason));
  const int64_t own_ns = backoff_.NthNs(trouble.refusals++);
  const int64_t asked_ns = std::min(refusal.retry_after_ms() * kNanosPerMilli, kMaxRetryNs);
  offers_from_ns_ = clock_.MonotonicNs() + backoff_.NextNs();
  PutOff(*transfer, std::max(own_ns, asked_ns));
  return {.answered = true};
}

Transfers::Outcome Transfers::GoBack(Transfer& transfer, const v1::Refusal& refusal) {
  if (transfer.unacknowledged_chunks() > 1) {
    // Each chunk that is under way behind the refused one gets an answer of its own, which doesn't
    // say that it is for that one: going back at every refusal would send the window again as often
    // as there are chunks in it. A new lease leaves all of them behind.
    transfer.Restart();
    return {.answered = true};
  }
  return {.breach = transfer.Rewind(refusal.object(), refusal.durable_offset())};
}

bool Transfers::OnStreamEnded(const absl::Status& status) {
  std::vector<const Transfer*> hopeless;
  bool under_way = false;
  for (const auto& transfer : all_) {
    if (transfer->state() == Transfer::State::kWaiting) continue;
    under_way = true;
    transfer->Restart();
    if (absl::IsInvalidArgument(status) && ++TroubleOf(*transfer).breaches >= kMaxBreaches) {
      hopeless.push_back(transfer.get());
    }
  }
  for (const Transfer* transfer : hopeless) SetAside(*transfer, Message(status));
  return under_way;
}

void Transfers::OnReadError(Transfer& transfer, const ChunkPosition& position,
                            const absl::Status& status) {
  const std::string what = fmt::format("object {}, block {}: {}", position.object,
                                       position.offset / kBlockBytes, Message(status));
  if (absl::IsDataLoss(status) || ++TroubleOf(transfer).read_errors >= kMaxReadErrors) {
    Quarantine(transfer, what);
  } else {
    SetAside(transfer, what);
  }
}

void Transfers::PutBackAll() {
  for (const auto& transfer : all_) spool_.PutBack(transfer->clip().key);
  all_.clear();
}

void Transfers::Quarantine(const Transfer& transfer, std::string reason) {
  const ClipKey key = transfer.clip().key;
  reason = Shorten(std::move(reason), kMaxReasonBytes);
  board_.Error(fmt::format("clip {} is quarantined: {}", ToString(key), reason));
  if (const absl::Status status = spool_.Quarantine(key, reason); !status.ok()) {
    return SetAside(transfer, Message(status));
  }
  board_.Change([](UploadStats& stats) { ++stats.quarantined; });
  troubles_.erase(key);
  Remove(transfer);
  if (ledger_changed_) ledger_changed_();
}

void Transfers::SetAside(const Transfer& transfer, std::string_view why) {
  board_.Error(fmt::format("clip {} waits ten minutes: {}", ToString(transfer.clip().key), why));
  PutOff(transfer, kSetAsideNs);
}

void Transfers::PutOff(const Transfer& transfer, int64_t wait_ns) {
  TroubleOf(transfer).not_before_ns = clock_.MonotonicNs() + wait_ns;
  spool_.PutBack(transfer.clip().key);
  Remove(transfer);
}

Transfers::Trouble& Transfers::TroubleOf(const Transfer& transfer) {
  const auto [found, first] = troubles_.try_emplace(transfer.clip().key);
  if (first) found->second.most_durable_bytes = transfer.durable_bytes();
  return found->second;
}

Transfer* Transfers::Find(const v1::ClipKey& key) {
  for (const auto& transfer : all_) {
    const ClipKey& own = transfer->clip().key;
    if (own.sequence == key.sequence() && AsBytes(own.boot_id) == key.boot_id()) {
      return transfer.get();
    }
  }
  return nullptr;
}

Transfer* Transfers::FindLease(uint64_t lease) {
  for (const auto& transfer : all_) {
    if (transfer->state() == Transfer::State::kSending && transfer->lease() == lease) {
      return transfer.get();
    }
  }
  return nullptr;
}

void Transfers::Remove(const Transfer& transfer) {
  std::erase_if(all_, [&](const auto& each) { return each.get() == &transfer; });
}

}  // namespace gleaner::edge
