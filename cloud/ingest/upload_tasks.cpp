// What an upload stream does with its messages, on the worker pool: offers, chunks, syncs, commits.
#include <fmt/format.h>

#include "cloud/ingest/manifest_check.h"
#include "cloud/ingest/upload_stream.h"
#include "common/crash_point.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

// Progress is told at the latest after so many bytes (see Chunk.more_follows).
constexpr uint64_t kSyncBytes = 4 * kBlockBytes;
constexpr int kMaxOffersWaiting = 4;  // of one clip

constexpr uint32_t kRetryBusyMs = 1'000;     // other clips of this device are on their way
constexpr uint32_t kRetryTroubleMs = 5'000;  // the disk or the database failed
constexpr uint32_t kRetryFullMs = 60'000;    // someone has to make room

v1::ClipKey ToProto(const ClipKey& key) {
  v1::ClipKey proto;
  proto.set_boot_id(std::string(AsBytes(key.boot_id)));
  proto.set_sequence(key.sequence);
  return proto;
}

ClipKey FromProto(const v1::ClipKey& proto) {
  ClipKey key;
  if (auto boot = BootIdFromBytes(proto.boot_id()); boot.ok()) key.boot_id = *boot;
  key.sequence = proto.sequence();
  return key;
}

}  // namespace

void UploadStream::TakeOffer(const v1::Offer& offer) {
  auto manifest = CheckOffer(offer, device_);
  if (!manifest.ok()) {
    v1::ClipKey key;
    if (!FindKey(offer.manifest(), &key)) return Breach(manifest.status());
    SendRefusal(FromProto(key), manifest.status(), {});
    ReleaseMessage();
    return;
  }
  UploadRow row{.device = device_,
                .key = FromProto(manifest->key()),
                .manifest = offer.manifest(),
                .manifest_sha256 = Sha256::Of(offer.manifest()),
                .begun_unix_ns = core_.clock.WallNs()};
  LanePtr lane;
  {
    std::lock_guard lock(mutex_);
    auto found = lanes_.find(row.key);
    if (found == lanes_.end() && MakeRoomForLaneLocked()) {
      found = lanes_.emplace(row.key, std::make_shared<Lane>(row.key, core_.pool)).first;
    }
    if (found != lanes_.end() && found->second->offers < kMaxOffersWaiting) {
      lane = found->second;
      lane->heard_ns = core_.clock.MonotonicNs();
      ++lane->offers;
      EndLeaseLocked(*lane);  // fenced from here on
    }
  }
  if (lane == nullptr) {
    SendRefusal(row.key, absl::ResourceExhaustedError("other clips of this device come first"),
                {.retry_after_ms = kRetryBusyMs});
  } else {
    PostTask(lane->strand, [this, lane, row = std::move(row), manifest = *std::move(manifest)] {
      RunOffer(lane, row, manifest);
    });
  }
  ReleaseMessage();
}

void UploadStream::RunOffer(const LanePtr& lane, UploadRow row, v1::ClipManifest manifest) {
  {
    std::lock_guard lock(mutex_);
    --lane->offers;
  }
  GLEANER_CRASH_POINT("ingest.offer_checked");
  lane->upload.reset();
  const auto committed = core_.uploads.FindCommitted(device_, row.key);
  if (!committed.ok()) return GiveUp(lane, committed.status());
  if (committed->has_value()) {
    if ((*committed)->manifest_sha256 == row.manifest_sha256) {
      ++core_.counters.duplicates_total;
      SendReceipt(row, (*committed)->committed_unix_ns, /*duplicate=*/true);
    } else {
      ++core_.counters.conflicts_total;
      const absl::Status recorded =
          core_.uploads.RecordConflict(device_, row.key, row.manifest_sha256, core_.clock.WallNs());
      if (!recorded.ok()) return GiveUp(lane, recorded);
      SendRefusal(row.key,
                  absl::AlreadyExistsError("this clip is committed with another manifest; it was "
                                           "noted for an operator"),
                  {});
    }
    return EndLane(lane);
  }
  const absl::Status begun = BeginOrResume(lane, std::move(row), std::move(manifest));
  if (!begun.ok()) return GiveUp(lane, begun);
  if (lane->upload->verified()) return Complete(lane, 0);
  Grant(lane);
}

absl::Status UploadStream::BeginOrResume(const LanePtr& lane, UploadRow row,
                                         v1::ClipManifest manifest) {
  ASSIGN_OR_RETURN(std::optional<UploadRow> known, core_.uploads.Find(device_, row.key));
  if (known && known->manifest_sha256 == row.manifest_sha256) {
    auto upload = ClipUpload::Resume(core_.staging, core_.objects, *known, std::move(manifest));
    RETURN_IF_ERROR(upload.status());
    lane->upload = *std::move(upload);
    return lane->upload->Begin(core_.uploads);
  }
  if (known) {
    // A clip that was never committed has been made anew under the same number. What the device has
    // now is what can be had; that it happened is kept.
    ++core_.counters.conflicts_total;
    RETURN_IF_ERROR(
        core_.uploads.RecordConflict(device_, row.key, row.manifest_sha256, core_.clock.WallNs()));
    RETURN_IF_ERROR(DropUpload(row.key));
  }
  for (const v1::ClipObject& object : manifest.objects()) row.size_bytes += object.size_bytes();
  ASSIGN_OR_RETURN(Space::Hold hold, core_.space.Take(device_, row.size_bytes));
  ASSIGN_OR_RETURN(
      lane->upload,
      ClipUpload::Create(core_.staging, core_.objects, std::move(row), std::move(manifest),
                         std::move(hold), static_cast<uint64_t>(core_.options.free_bytes_floor)));
  GLEANER_CRASH_POINT("ingest.blobs_created");
  return absl::OkStatus();
}

absl::Status UploadStream::DropUpload(const ClipKey& key) {
  RETURN_IF_ERROR(core_.uploads.Drop(device_, key));
  const absl::Status freed = service_.FreeGivenUp();
  if (!freed.ok() && !absl::IsUnavailable(freed)) {
    LOG_WARN("clip {} is not freed yet: {}", ToString(key), Message(freed));
  }
  return absl::OkStatus();
}

void UploadStream::Grant(const LanePtr& lane) {
  const auto lease = core_.uploads.NextLease();
  if (!lease.ok()) return GiveUp(lane, lease.status());
  v1::UploadResponse response;
  v1::Grant* grant = response.mutable_grant();
  *grant->mutable_key() = ToProto(lane->key);
  grant->set_lease(*lease);
  for (const uint64_t offset : lane->upload->durable_offsets()) grant->add_durable_offset(offset);
  {
    std::lock_guard lock(mutex_);
    // Offered once more meanwhile, or closed: that grant would be fenced as it is given.
    if (closed_ || lane->offers > 0) return;
    lane->lease = *lease;
    leases_[*lease] = lane;
  }
  Send(response);
  GLEANER_CRASH_POINT("ingest.granted");
}

void UploadStream::RunChunk(const LanePtr& lane, uint64_t lease, ChunkRequest chunk) {
  const uint32_t object = chunk.object;
  if (!HoldsLease(*lane, lease)) {
    chunk = {};
    SendRefusal(lane->key, absl::AbortedError("the lease was fenced; offer again"),
                {.lease = lease});
    ReleaseMessage();
    return;
  }
  const uint64_t before = lane->upload->unsynced_bytes();
  const absl::Status written = lane->upload->Write(chunk);
  if (absl::IsInvalidArgument(written)) return Breach(written);
  const bool more_follows = chunk.more_follows;
  const bool repeated = written.ok() && chunk.offset < lane->upload->durable_offset(object);
  chunk = {};
  const bool complete = lane->upload->received();
  if (complete) {
    GLEANER_CRASH_POINT("ingest.last_chunk_written");
  } else {
    GLEANER_CRASH_POINT("ingest.chunk_written");
  }
  if (written.ok()) core_.counters.bytes_total += lane->upload->unsynced_bytes() - before;
  // What follows may wait for the disk, and nothing of this clip comes before it.
  std::function<void()> rest;
  if (!written.ok()) {
    rest = [=, this] { RefuseChunk(lane, lease, object, written); };
  } else if (complete) {
    rest = [this, lane, lease] { Complete(lane, lease); };
  } else if (!more_follows || lane->upload->unsynced_bytes() >= kSyncBytes ||
             core_.staging.BytesInMemory() > static_cast<uint64_t>(core_.options.buffered_bytes)) {
    rest = [this, lane, lease] { SyncAndTell(lane, lease); };
  }
  if (rest) {
    // The chunk is in memory until the disk has it.
    rest = BeginTask([this, rest = std::move(rest)] {
      rest();
      ReleaseMessage();
    });
  }
  if (rest) {
    lane->strand->Continue(std::move(rest));
  } else {
    ReleaseMessage();
  }
  if (repeated) {
    // A device that sends what is durable already waits to hear so.
    v1::UploadResponse response;
    response.mutable_progress()->set_lease(lease);
    response.mutable_progress()->set_object(object);
    response.mutable_progress()->set_durable_offset(lane->upload->durable_offset(object));
    Send(response);
  }
}

void UploadStream::RefuseChunk(const LanePtr& lane, uint64_t lease, uint32_t object,
                               const absl::Status& status) {
  if (!absl::IsFailedPrecondition(status) && !absl::IsDataLoss(status)) {
    return GiveUp(lane, status);
  }
  Hash(lane, lease);
  // The offset that the refusal names is a promise, too.
  if (!MakeDurable(lane, nullptr)) return;
  SendRefusal(
      lane->key, status,
      {.lease = lease, .object = object, .durable_offset = lane->upload->durable_offset(object)});
}

void UploadStream::Hash(const LanePtr& lane, uint64_t lease) {
  for (const uint32_t object : lane->upload->Hash()) {
    SendRefusal(
        lane->key,
        absl::DataLossError(fmt::format(
            "object {} differs from the manifest's SHA-256, though each block matches", object)),
        {.lease = lease, .object = object});
  }
}

bool UploadStream::MakeDurable(const LanePtr& lane, std::vector<ClipUpload::Advance>* advances) {
  if (const absl::Status synced = lane->upload->Sync(advances); !synced.ok()) {
    Discard(lane, synced);
    return false;
  }
  GLEANER_CRASH_POINT("ingest.synced");
  if (const absl::Status begun = lane->upload->Begin(core_.uploads); !begun.ok()) {
    GiveUp(lane, begun);
    return false;
  }
  return true;
}

void UploadStream::SyncAndTell(const LanePtr& lane, uint64_t lease) {
  if (lane->upload == nullptr || lane->upload->unsynced_bytes() == 0) return;
  Hash(lane, lease);
  std::vector<ClipUpload::Advance> advances;
  if (!MakeDurable(lane, &advances)) return;
  if (!HoldsLease(*lane, lease)) return;  // fenced: the next grant says what is durable
  for (const ClipUpload::Advance& advance : advances) {
    v1::UploadResponse response;
    response.mutable_progress()->set_lease(lease);
    response.mutable_progress()->set_object(advance.object);
    response.mutable_progress()->set_durable_offset(advance.durable_offset);
    Send(response);
  }
  GLEANER_CRASH_POINT("ingest.progress_sent");
}

void UploadStream::Complete(const LanePtr& lane, uint64_t lease) {
  Hash(lane, lease);
  if (!lane->upload->verified()) return SyncAndTell(lane, lease);
  const int64_t now = core_.clock.WallNs();
  const UploadRow& row = lane->upload->row();
  // The negative control of the tests that kill: a receipt for what isn't durable.
  const bool early = GLEANER_FAULT("ingest.acknowledge_early");
  if (early) {
    SendReceipt(row, now, /*duplicate=*/false);
    GLEANER_CRASH_POINT("ingest.receipt_sent");
  }
  absl::Status synced = lane->upload->Describe(core_.store_id, now);
  if (synced.ok()) synced = lane->upload->Sync(nullptr);
  if (!synced.ok()) return Discard(lane, synced);
  GLEANER_CRASH_POINT("ingest.all_synced");
  const absl::Status committed = lane->upload->Commit(core_.uploads, now);
  if (absl::IsFailedPrecondition(committed)) {
    // The ledger said that the device gave the clip up, and yet it comes: from the start, then.
    return GiveUp(lane, absl::AbortedError("the upload was forgotten; offer again"));
  }
  if (!committed.ok()) return GiveUp(lane, committed);
  GLEANER_CRASH_POINT("ingest.clip_committed");
  ++core_.counters.clips_total;
  if (!early) {
    SendReceipt(row, now, /*duplicate=*/false);
    GLEANER_CRASH_POINT("ingest.receipt_sent");
  }
  EndLane(lane);
}

void UploadStream::SendReceipt(const UploadRow& row, int64_t committed_unix_ns, bool duplicate) {
  v1::UploadResponse response;
  v1::Receipt* receipt = response.mutable_receipt();
  *receipt->mutable_key() = ToProto(row.key);
  receipt->set_manifest_sha256(std::string(AsBytes(row.manifest_sha256)));
  receipt->set_committed_unix_ns(committed_unix_ns);
  receipt->set_duplicate(duplicate);
  Send(response);
}

void UploadStream::EndLane(const LanePtr& lane) {
  lane->upload.reset();
  std::lock_guard lock(mutex_);
  EndLeaseLocked(*lane);
  ForgetLaneLocked(lane);
}

void UploadStream::GiveUp(const LanePtr& lane, const absl::Status& status) {
  uint64_t lease = 0;
  bool offered_again = false;
  {
    std::lock_guard lock(mutex_);
    lease = lane->lease;
    offered_again = lane->offers > 0;
  }
  EndLane(lane);
  if (offered_again) return;  // that offer gets an answer of its own
  if (absl::IsAborted(status)) {
    SendRefusal(lane->key, status, {.lease = lease});
  } else if (absl::IsResourceExhausted(status)) {
    SendRefusal(lane->key, status, {.lease = lease, .retry_after_ms = kRetryFullMs});
  } else {
    if (const auto more = Admit("can't be served")) {
      LOG_ERROR("device {} clip {}: {}{}", device_, ToString(lane->key), status.ToString(), *more);
    }
    SendRefusal(
        lane->key,
        absl::UnavailableError(fmt::format("the server can't take it in now: {}", Message(status))),
        {.lease = lease, .retry_after_ms = kRetryTroubleMs});
  }
}

void UploadStream::Discard(const LanePtr& lane, const absl::Status& status) {
  const UploadRow row = lane->upload->row();
  lane->upload.reset();
  // Should the row stay, a resumption finds nothing in its blobs.
  for (const BlobId& blob : row.blobs) (void)core_.staging.Remove(blob);
  (void)DropUpload(row.key);
  GiveUp(lane, status);
}

}  // namespace gleaner::cloud
