#include "edge/spool/spool.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/crash_point.h"
#include "common/log.h"
#include "common/status.h"
#include "common/text.h"
#include "edge/spool/spool_impl.h"

namespace gleaner::edge {
namespace {

constexpr size_t kMaxReasonBytes = 256;
// How many old clips one call expires: the recorder waits for the lock meanwhile.
constexpr size_t kMaxExpired = 64;

}  // namespace

absl::StatusOr<ClipKey> Spool::Impl::TakeNumber(std::string_view rule, uint32_t priority,
                                                ClipState state, std::string_view reason) {
  if (priority > kMaxPriority) {
    return absl::InvalidArgumentError(fmt::format("a priority is 0 to {}", kMaxPriority));
  }
  std::lock_guard lock(mutex_);
  if (!ledger_->HasRoom(0, 1)) {
    return absl::ResourceExhaustedError(
        "the spool's ledger is full of what the cloud has not acknowledged");
  }
  const ClipRow row{.id = MakeRowId(ordinal_, last_sequence_ + 1),
                    .state = state,
                    .priority = priority,
                    .at = Now(),
                    .rule = std::string(rule),
                    .reason = Shorten(std::string(reason), kMaxReasonBytes)};
  RETURN_IF_ERROR(ledger_->Write([&](ClipLedger::Batch& batch) {
    batch.Take(row);
    GLEANER_CRASH_POINT("spool.number.rows_written");
  }));
  GLEANER_CRASH_POINT("spool.number.committed");
  ++last_sequence_;
  if (state == ClipState::kCapturing) {
    capturing_[row.id] = {priority, false};
  } else {
    changed_ = true;
  }
  return KeyOf(row.id);
}

absl::Status Spool::Impl::Fail(const ClipKey& key, std::string_view reason) {
  std::lock_guard lock(mutex_);
  const auto id = IdOf(key);
  if (!id || !capturing_.contains(*id)) {
    return absl::FailedPreconditionError(
        fmt::format("clip {} is not being captured", ToString(key)));
  }
  RETURN_IF_ERROR(ledger_->Write([&](ClipLedger::Batch& batch) {
    batch.End(*id, ClipState::kFailed, Shorten(std::string(reason), kMaxReasonBytes), Now());
    GLEANER_CRASH_POINT("spool.fail.rows_written");
  }));
  GLEANER_CRASH_POINT("spool.fail.committed");
  LOG_WARN("spool: clip {} failed: {}", ToString(key), reason);
  capturing_.erase(*id);
  changed_ = true;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ClipWriter>> Spool::Impl::NewClip(const ClipKey& key) {
  std::lock_guard lock(mutex_);
  const auto id = IdOf(key);
  const auto found = id ? capturing_.find(*id) : capturing_.end();
  if (found == capturing_.end() || found->second.writing) {
    return absl::FailedPreconditionError(
        fmt::format("clip {} is not being captured, or has a writer", ToString(key)));
  }
  found->second.writing = true;
  return std::make_unique<ClipWriterImpl>(*this, *id, found->second.priority);
}

void Spool::Impl::WriterClosed(RowId id) {
  std::lock_guard lock(mutex_);
  if (const auto found = capturing_.find(id); found != capturing_.end()) {
    found->second.writing = false;
  }
}

absl::StatusOr<uint32_t> Spool::Impl::AllocateBlock(uint32_t priority) {
  if (const auto block = store_->Allocate()) return *block;
  auto block = MakeRoom(priority);
  TellChanges();
  return block;
}

absl::StatusOr<uint32_t> Spool::Impl::MakeRoom(uint32_t priority) {
  std::lock_guard lock(mutex_);
  for (;;) {
    if (const auto block = store_->Allocate()) return *block;
    if (ExpireOld() == 0) RETURN_IF_ERROR(EvictOne(priority, Room::kBlocks));
  }
}

absl::Status Spool::Impl::CommitClip(RowId id, const std::vector<PartRow>& parts) {
  HeldClip clip{.id = id, .at = Now()};
  for (const PartRow& part : parts) {
    clip.bytes += part.size_bytes;
    clip.ledger_bytes += BytesInLedger(part);
    clip.runs.insert(clip.runs.end(), part.runs.begin(), part.runs.end());
  }
  clip.manifest_sha256 = parts[0].sha256;

  {
    std::lock_guard lock(mutex_);
    const auto found = capturing_.find(id);
    if (found == capturing_.end()) {
      return absl::FailedPreconditionError("the clip is not being captured");
    }
    clip.priority = found->second.priority;
    while (!ledger_->HasRoom(clip.ledger_bytes, parts.size())) {
      RETURN_IF_ERROR(EvictOne(clip.priority, Room::kLedger));
    }
    RETURN_IF_ERROR(ledger_->Write([&](ClipLedger::Batch& batch) {
      batch.Store(id, clip.at, parts);
      GLEANER_CRASH_POINT("spool.clip.rows_written");
    }));
    GLEANER_CRASH_POINT("spool.clip.committed");
    capturing_.erase(found);
    index_.Add(std::move(clip));
    changed_ = true;
  }
  TellChanges();
  return absl::OkStatus();
}

absl::StatusOr<std::optional<StoredClip>> Spool::Impl::Next(
    const absl::flat_hash_set<ClipKey>& except) {
  std::lock_guard lock(mutex_);
  ExpireOld();
  const Moment now = Now();
  for (;;) {
    const auto id = index_.MostValuable([&](RowId candidate) {
      const HeldClip& clip = *index_.Find(candidate);
      return !except.contains(KeyOf(candidate)) && (clip.handed_out || !IsOld(clip, now));
    });
    if (!id) return std::nullopt;
    auto clip = Load(*id);
    if (clip.ok()) {
      index_.Find(*id)->handed_out = true;
      return *std::move(clip);
    }
    if (!absl::IsDataLoss(clip.status())) return clip.status();
    RETURN_IF_ERROR(QuarantinePending(*id, Message(clip.status())));
  }
}

absl::StatusOr<StoredClip> Spool::Impl::Load(RowId id) {
  std::vector<PartRow> parts;
  RETURN_IF_ERROR(ledger_->Read([&](SQLite::Database& db) { parts = ReadParts(db, id); }));
  const HeldClip& held = *index_.Find(id);
  if (parts.empty() || Sha256::Of(parts[0].bytes) != held.manifest_sha256) {
    return absl::DataLossError("the manifest fails its checksum");
  }
  StoredClip clip{.key = KeyOf(id),
                  .priority = held.priority,
                  .manifest = std::move(parts[0].bytes),
                  .manifest_sha256 = held.manifest_sha256,
                  .committed_wall_ns = held.at.wall_ns};
  for (size_t i = 1; i < parts.size(); ++i) {
    clip.objects.push_back({.size_bytes = parts[i].size_bytes,
                            .sha256 = parts[i].sha256,
                            .block_xxh3 = std::move(parts[i].block_xxh3),
                            .blocks = ExpandRuns(parts[i].runs),
                            .inline_bytes = std::move(parts[i].bytes)});
  }
  return clip;
}

void Spool::Impl::PutBack(const ClipKey& key) {
  std::lock_guard lock(mutex_);
  const auto id = IdOf(key);
  if (HeldClip* clip = id ? index_.Find(*id) : nullptr) clip->handed_out = false;
}

absl::Status Spool::Impl::ReadBlock(const StoredClip& clip, size_t object, uint64_t block,
                                    std::string* out) {
  if (object >= clip.objects.size() || block >= clip.objects[object].block_xxh3.size()) {
    return absl::OutOfRangeError(
        fmt::format("clip {} has no block {} of object {}", ToString(clip.key), block, object));
  }
  const StoredObject& stored = clip.objects[object];
  if (stored.blocks.empty()) {
    *out = stored.inline_bytes;
  } else {
    const uint64_t size = std::min<uint64_t>(kBlockBytes, stored.size_bytes - block * kBlockBytes);
    RETURN_IF_ERROR(store_->Read(stored.blocks[block], size, out));
  }
  if (Xxh3(*out) != stored.block_xxh3[block]) {
    return absl::DataLossError(fmt::format("clip {}: block {} of object {} fails its checksum",
                                           ToString(clip.key), block, object));
  }
  return absl::OkStatus();
}

absl::Status Spool::Impl::Release(const ClipKey& key, const Sha256Digest& manifest_sha256) {
  std::lock_guard lock(mutex_);
  const auto id = IdOf(key);
  const HeldClip* clip = id ? index_.Find(*id) : nullptr;
  if (clip == nullptr) {
    return absl::NotFoundError(fmt::format("clip {} is not waiting", ToString(key)));
  }
  if (clip->manifest_sha256 != manifest_sha256) {
    return absl::FailedPreconditionError(
        fmt::format("the receipt for clip {} is for another manifest", ToString(key)));
  }
  RETURN_IF_ERROR(ledger_->Write([&](ClipLedger::Batch& batch) {
    batch.Release(*id);
    if (OrdinalOf(*id) != ordinal_) batch.DropBootIfEmpty(OrdinalOf(*id));
    GLEANER_CRASH_POINT("spool.release.rows_written");
  }));
  GLEANER_CRASH_POINT("spool.release.committed");
  store_->Free(index_.Take(*id).runs);
  return absl::OkStatus();
}

absl::Status Spool::Impl::Quarantine(const ClipKey& key, std::string_view reason) {
  std::lock_guard lock(mutex_);
  const auto id = IdOf(key);
  if (!id || index_.Find(*id) == nullptr) {
    return absl::NotFoundError(fmt::format("clip {} is not waiting", ToString(key)));
  }
  return QuarantinePending(*id, reason);
}

absl::Status Spool::Impl::QuarantinePending(RowId id, std::string_view reason) {
  const Moment now = Now();
  const std::vector<RowId> overflow = QuarantineOverflow(index_.Find(id));
  RETURN_IF_ERROR(ledger_->Write([&](ClipLedger::Batch& batch) {
    batch.End(id, ClipState::kFailed, Shorten(std::string(reason), kMaxReasonBytes), now);
    for (const RowId dropped : overflow) batch.DropQuarantined(dropped);
    GLEANER_CRASH_POINT("spool.quarantine.rows_written");
  }));
  GLEANER_CRASH_POINT("spool.quarantine.committed");
  LOG_ERROR("spool: clip {} is quarantined: {}", ToString(KeyOf(id)), reason);
  HeldClip clip = index_.Take(id);
  clip.at = now;
  index_.AddQuarantined(std::move(clip));
  changed_ = true;
  for (const RowId dropped : overflow) {
    LOG_WARN("spool: quarantine is full: the data of clip {} was dropped",
             ToString(KeyOf(dropped)));
    store_->Free(index_.TakeQuarantined(dropped).runs);
  }
  return absl::OkStatus();
}

std::vector<RowId> Spool::Impl::QuarantineOverflow(const HeldClip* coming) const {
  uint64_t blocks = index_.quarantined_blocks();
  uint64_t ledger_bytes = index_.quarantined_ledger_bytes();
  if (coming != nullptr) {
    blocks += CountBlocks(coming->runs);
    ledger_bytes += coming->ledger_bytes;
  }
  const auto fits = [&] {
    return blocks <= store_->blocks() / 4 && ledger_bytes <= ledger_->size_bytes() / 4;
  };
  std::vector<RowId> overflow;
  for (const auto& [oldest, clip] : index_.quarantined()) {
    if (fits()) return overflow;
    overflow.push_back(oldest);
    blocks -= CountBlocks(clip.runs);
    ledger_bytes -= clip.ledger_bytes;
  }
  if (coming != nullptr && !fits()) overflow.push_back(coming->id);
  return overflow;
}

absl::Status Spool::Impl::EvictOne(uint32_t priority, Room room) {
  const std::string_view what = room == Room::kBlocks ? "the spool" : "the spool's ledger";
  if (options_.when_full != "evict") {
    return absl::ResourceExhaustedError(
        fmt::format("{} is full, and when_full = \"stop\" keeps what it has", what));
  }
  const auto id = index_.LeastValuable(priority, /*with_blocks=*/room == Room::kBlocks);
  if (!id) {
    return absl::ResourceExhaustedError(fmt::format(
        "{} is full of what is worth more, is being uploaded or is not acknowledged", what));
  }
  return EndPending({*id}, ClipState::kEvicted, fmt::format("{} was full", what));
}

absl::Status Spool::Impl::EndPending(const std::vector<RowId>& ids, ClipState state,
                                     std::string_view reason) {
  const Moment now = Now();
  RETURN_IF_ERROR(ledger_->Write([&](ClipLedger::Batch& batch) {
    for (const RowId id : ids) {
      batch.End(id, state, reason, now);
      batch.DropParts(id);
    }
    GLEANER_CRASH_POINT("spool.evict.rows_written");
  }));
  GLEANER_CRASH_POINT("spool.evict.committed");
  changed_ = true;
  for (const RowId id : ids) {
    LOG_WARN("spool: clip {} {}: {}", ToString(KeyOf(id)), Name(state), reason);
    // Only now may its blocks be written: a crash before the commit would have left its rows naming
    // another clip's bytes.
    store_->Free(index_.Take(id).runs);
  }
  return absl::OkStatus();
}

bool Spool::Impl::IsOld(const HeldClip& clip, const Moment& now) const {
  if (options_.max_age_ns == 0) return false;
  return AgeNs(clip, now).value_or(0) > options_.max_age_ns;
}

size_t Spool::Impl::ExpireOld() {
  const Moment now = Now();
  std::vector<RowId> old;
  for (const auto& [id, clip] : index_.pending()) {
    if (old.size() == kMaxExpired) break;
    if (!clip.handed_out && IsOld(clip, now)) old.push_back(id);
  }
  if (old.empty()) return 0;
  const absl::Status ended = EndPending(old, ClipState::kExpired, "older than max_age");
  if (ended.ok()) return old.size();
  LOG_ERROR("spool: {} old clips could not be removed: {}", old.size(), Message(ended));
  return 0;
}

void Spool::Impl::OnChange(std::function<void()> callback) {
  std::lock_guard lock(mutex_);
  on_change_ = std::move(callback);
}

void Spool::Impl::TellChanges() {
  std::function<void()> on_change;
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(changed_, false)) on_change = on_change_;
  }
  if (on_change) on_change();
}

std::optional<RowId> Spool::Impl::IdOf(const ClipKey& key) const {
  for (const auto& [ordinal, boot_id] : boots_) {
    if (boot_id == key.boot_id && key.sequence < uint64_t{1} << kSequenceBits) {
      return MakeRowId(ordinal, key.sequence);
    }
  }
  return std::nullopt;
}

Moment Spool::Impl::Now() const {
  return {clock_.MonotonicNs(), clock_.WallNs(), clock_.WallUncertaintyNs()};
}

std::optional<int64_t> Spool::Impl::AgeNs(const HeldClip& clip, const Moment& now) const {
  if (OrdinalOf(clip.id) == ordinal_) return now.monotonic_ns - clip.at.monotonic_ns;
  // Across a boot only wall time is left, as far as it was known to be right both times: a clock
  // that was years off must not make a fresh clip old.
  if (clip.at.wall_uncertainty_ns == 0 || now.wall_uncertainty_ns == 0) return std::nullopt;
  return now.wall_ns - clip.at.wall_ns - clip.at.wall_uncertainty_ns - now.wall_uncertainty_ns;
}

Spool::Spool() = default;
Spool::~Spool() = default;

absl::StatusOr<std::unique_ptr<Spool>> Spool::Open(const SpoolOptions& options, Clock& clock,
                                                   std::string_view kernel_boot_id) {
  return SpoolInternals::Open(options, clock, kernel_boot_id, {});
}

absl::StatusOr<std::unique_ptr<Spool>> SpoolInternals::Open(const SpoolOptions& options,
                                                            Clock& clock,
                                                            std::string_view kernel_boot_id,
                                                            const SpoolInternals& internals) {
  std::unique_ptr<Spool> spool(new Spool());
  spool->impl_ = std::make_unique<Spool::Impl>(options, clock);
  RETURN_IF_ERROR(spool->impl_->Start(kernel_boot_id, internals));
  return spool;
}

const BootId& Spool::boot_id() const { return impl_->boot_id(); }
absl::StatusOr<ClipKey> Spool::TakeNumber(std::string_view rule, uint32_t priority) {
  return impl_->TakeNumber(rule, priority, ClipState::kCapturing, "");
}
absl::StatusOr<ClipKey> Spool::TakeSuppressed(std::string_view rule, std::string_view reason) {
  auto key = impl_->TakeNumber(rule, 0, ClipState::kSuppressed, reason);
  impl_->TellChanges();
  return key;
}
absl::Status Spool::Fail(const ClipKey& key, std::string_view reason) {
  absl::Status status = impl_->Fail(key, reason);
  impl_->TellChanges();
  return status;
}
absl::StatusOr<std::unique_ptr<ClipWriter>> Spool::NewClip(const ClipKey& key) {
  return impl_->NewClip(key);
}
absl::StatusOr<std::optional<StoredClip>> Spool::Next(const absl::flat_hash_set<ClipKey>& except) {
  auto clip = impl_->Next(except);
  impl_->TellChanges();
  return clip;
}
void Spool::PutBack(const ClipKey& key) { impl_->PutBack(key); }
absl::Status Spool::ReadBlock(const StoredClip& clip, size_t object, uint64_t block,
                              std::string* out) {
  return impl_->ReadBlock(clip, object, block, out);
}
absl::Status Spool::Release(const ClipKey& key, const Sha256Digest& manifest_sha256) {
  return impl_->Release(key, manifest_sha256);
}
absl::Status Spool::Quarantine(const ClipKey& key, std::string_view reason) {
  absl::Status status = impl_->Quarantine(key, reason);
  impl_->TellChanges();
  return status;
}
absl::StatusOr<v1::ReportLedgerRequest> Spool::Ledger() {
  auto report = impl_->Report();
  impl_->TellChanges();
  return report;
}
absl::Status Spool::AcknowledgeTombstones(const std::vector<ClipKey>& keys) {
  return impl_->AcknowledgeTombstones(keys);
}
SpoolStats Spool::stats() const { return impl_->stats(); }
void Spool::OnChange(std::function<void()> callback) { impl_->OnChange(std::move(callback)); }

}  // namespace gleaner::edge
