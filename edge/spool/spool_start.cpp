// Opening a spool: what is on the disk becomes what is in memory, and what a crash or damage left
// behind is put right.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <utility>

#include "common/crash_point.h"
#include "common/log.h"
#include "common/status.h"
#include "common/text.h"
#include "edge/spool/spool_impl.h"

namespace gleaner::edge {
namespace {

constexpr uint64_t kMinLedgerBytes = 4 << 20;
constexpr uint64_t kMaxLedgerBytes = 256 << 20;

// What is wrong with a clip's parts as a whole, or empty.
std::string PartsProblem(const std::vector<PartRow>& parts) {
  if (parts.empty() || parts[0].part != 0 || !parts[0].inlined) return "the manifest is missing";
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].part != static_cast<int>(i)) return fmt::format("object {} is missing", i - 1);
    const std::string problem = PartProblem(parts[i]);
    if (!problem.empty()) {
      return fmt::format("{} {}", i == 0 ? "the manifest" : fmt::format("object {}", i - 1),
                         problem);
    }
  }
  return "";
}

HeldClip ToHeld(const ClipRow& row, const std::vector<PartRow>& parts) {
  HeldClip clip{.id = row.id, .priority = std::min(row.priority, kMaxPriority), .at = row.at};
  for (const PartRow& part : parts) {
    if (part.part == 0) clip.manifest_sha256 = part.sha256;
    clip.bytes += part.size_bytes;
    clip.ledger_bytes += BytesInLedger(part);
    clip.runs.insert(clip.runs.end(), part.runs.begin(), part.runs.end());
  }
  return clip;
}

}  // namespace

std::string LedgerPath(const std::string& directory) { return directory + "/spool.db"; }
std::string BlocksPath(const std::string& directory) { return directory + "/spool.blocks"; }

uint64_t LedgerBytes(uint64_t quota_bytes) {
  return std::clamp(quota_bytes / 32, kMinLedgerBytes, kMaxLedgerBytes);
}

absl::StatusOr<Fd> LockSpool(const std::string& directory) {
  ASSIGN_OR_RETURN(Fd fd, OpenFile(directory + "/spool.lock", O_RDWR | O_CREAT));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoStatus(errno, fmt::format("lock {}", directory));
    return absl::FailedPreconditionError(
        fmt::format("{} is in use by another process: a spool belongs to one daemon", directory));
  }
  return fd;
}

StartPlan PlanStart(const std::vector<BootRow>& boots, const std::vector<ClipRow>& clips,
                    const std::vector<PartRow>& parts, const BootId& current,
                    const std::function<bool(const BlockRun&)>& claim,
                    const std::function<void(std::span<const BlockRun>)>& unclaim) {
  StartPlan plan;
  int64_t highest = 0;
  for (const BootRow& boot : boots) {
    highest = std::max(highest, boot.ordinal);
    if (boot.boot_id == current) plan.boot = boot;
  }
  if (plan.boot.ordinal == 0) {
    plan.boot = {highest + 1, current, 0};
  }

  std::map<RowId, std::vector<PartRow>> by_clip;
  for (const PartRow& part : parts) by_clip[part.clip].push_back(part);

  // All of a clip's blocks, or none of them.
  const auto claim_all = [&](const HeldClip& clip) {
    for (size_t i = 0; i < clip.runs.size(); ++i) {
      if (claim(clip.runs[i])) continue;
      unclaim(std::span(clip.runs).first(i));
      return false;
    }
    return true;
  };
  for (const ClipRow& row : clips) {
    if (std::none_of(boots.begin(), boots.end(),
                     [&](const BootRow& boot) { return boot.ordinal == OrdinalOf(row.id); })) {
      plan.nameless.push_back(row.id);
      by_clip.erase(row.id);
      continue;
    }
    if (OrdinalOf(row.id) == plan.boot.ordinal) {
      plan.boot.last_sequence = std::max(plan.boot.last_sequence, SequenceOf(row.id));
    }
    std::vector<PartRow> own;
    if (const auto found = by_clip.find(row.id); found != by_clip.end()) {
      own = std::move(found->second);
      by_clip.erase(found);
    }
    if (row.state == ClipState::kCapturing) {
      plan.capturing.push_back(row.id);
      if (!own.empty()) plan.orphans.push_back(row.id);
    } else if (row.state == ClipState::kBuffered) {
      HeldClip clip = ToHeld(row, own);
      const std::string problem = PartsProblem(own);
      if (!claim_all(clip)) {
        plan.torn.push_back({row.id, "its blocks are outside the file or another clip's", false});
      } else if (!problem.empty()) {
        plan.torn.push_back({row.id, problem, true});
        plan.quarantined.push_back(std::move(clip));
      } else {
        plan.pending.push_back(std::move(clip));
      }
    } else if (row.state == ClipState::kFailed && !own.empty()) {
      HeldClip clip = ToHeld(row, own);
      if (claim_all(clip)) {
        plan.quarantined.push_back(std::move(clip));
      } else {
        plan.damaged_quarantine.push_back(row.id);
      }
    } else if (!own.empty()) {
      plan.orphans.push_back(row.id);
    }
  }
  for (const auto& [id, left] : by_clip) plan.orphans.push_back(id);
  return plan;
}

absl::Status Spool::Impl::Start(std::string_view kernel_boot_id, const SpoolInternals& internals) {
  const auto wanted = static_cast<uint32_t>(options_.quota_bytes / kBlockBytes);
  if (wanted == 0) {
    return absl::InvalidArgumentError(
        fmt::format("a spool's quota is at least {} bytes", kBlockBytes));
  }
  if (options_.when_full != "evict" && options_.when_full != "stop") {
    return absl::InvalidArgumentError(
        fmt::format("when_full is \"evict\" or \"stop\", not \"{}\"", options_.when_full));
  }
  const std::filesystem::path directory(options_.directory);
  std::error_code error;  // MakeDirectories says it
  const bool made = !std::filesystem::exists(directory, error);
  RETURN_IF_ERROR(MakeDirectories(options_.directory));
  // Or the whole spool is gone after a power cut. A service may create in a folder that it may not
  // open: then its entry is as durable as its owner made it.
  if (made && directory.has_parent_path()) {
    SyncDirectory(directory.parent_path().string()).IgnoreError();
  }
  ASSIGN_OR_RETURN(lock_, LockSpool(options_.directory));
  std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(store_,
                   BlockStore::Open(*internals.device, BlocksPath(options_.directory), wanted));
  RETURN_IF_ERROR(SyncDirectory(options_.directory));
  GLEANER_CRASH_POINT("spool.create.blocks_reserved");
  ASSIGN_OR_RETURN(ledger_, ClipLedger::Open({.path = LedgerPath(options_.directory),
                                              .size_bytes = LedgerBytes(options_.quota_bytes),
                                              .quick_check_bytes = internals.quick_check_bytes,
                                              .synchronous = internals.synchronous,
                                              .vfs = internals.vfs}));
  std::string spool_id;
  std::vector<BootRow> boots;
  std::vector<ClipRow> clips;
  std::vector<PartRow> parts;
  RETURN_IF_ERROR(ledger_->Read([&](SQLite::Database& db) {
    spool_id = ReadSpoolId(db);
    boots = ReadBoots(db);
    ReadClips(db, [&](ClipRow row) { clips.push_back(std::move(row)); });
    ReadParts(db, [&](PartRow row) { parts.push_back(std::move(row)); });
  }));
  boot_id_ = DeriveBootId(kernel_boot_id, spool_id);
  for (const BootRow& boot : boots) boots_[boot.ordinal] = boot.boot_id;
  RETURN_IF_ERROR(Apply(PlanStart(
      boots, clips, parts, boot_id_, [&](const BlockRun& run) { return store_->Claim(run); },
      [&](std::span<const BlockRun> runs) { store_->Free(runs); })));
  if (store_->blocks() > wanted) {
    const absl::Status trimmed = store_->Trim(wanted);
    if (!trimmed.ok()) {
      LOG_WARN(
          "spool: stays at {} blocks although the quota is {}: {}; tried again at the next start",
          store_->blocks(), wanted, Message(trimmed));
    }
  }
  LOG_INFO("spool: {}: {} waiting, {} quarantined, {} of {} MiB in use", options_.directory,
           Count(index_.pending().size(), "clip"), index_.quarantined().size(),
           store_->used() * (kBlockBytes >> 10) >> 10,
           store_->blocks() * (kBlockBytes >> 10) >> 10);
  return absl::OkStatus();
}

absl::Status Spool::Impl::Apply(StartPlan plan) {
  ordinal_ = plan.boot.ordinal;
  last_sequence_ = plan.boot.last_sequence;
  boots_[ordinal_] = boot_id_;
  const Moment now = Now();
  for (HeldClip& clip : plan.pending) index_.Add(std::move(clip));
  for (HeldClip& clip : plan.quarantined) index_.AddQuarantined(std::move(clip));
  const std::vector<RowId> overflow = QuarantineOverflow(nullptr);

  RETURN_IF_ERROR(ledger_->Write([&](ClipLedger::Batch& batch) {
    batch.AddBoot(plan.boot);
    for (const RowId id : plan.capturing) {
      batch.End(id, ClipState::kFailed, "daemon stopped while capturing", now);
    }
    for (const StartPlan::Torn& torn : plan.torn) {
      batch.End(torn.id, ClipState::kFailed, "found torn at start: " + torn.problem, now);
      if (!torn.keep) batch.DropParts(torn.id);
    }
    for (const RowId id : plan.orphans) batch.DropParts(id);
    for (const RowId id : plan.nameless) batch.Forget(id);
    for (const RowId id : plan.damaged_quarantine) batch.DropQuarantined(id);
    for (const RowId id : overflow) batch.DropQuarantined(id);
    for (const auto& [ordinal, boot_id] : boots_) {
      if (ordinal != ordinal_) batch.DropBootIfEmpty(ordinal);
    }
    GLEANER_CRASH_POINT("spool.start.rows_written");
  }));
  GLEANER_CRASH_POINT("spool.start.committed");
  for (const RowId id : overflow) store_->Free(index_.TakeQuarantined(id).runs);
  for (const RowId id : plan.capturing) {
    LOG_WARN("spool: clip {} failed: daemon stopped while capturing", ToString(KeyOf(id)));
  }
  for (const StartPlan::Torn& torn : plan.torn) {
    LOG_ERROR("spool: clip {} failed: found torn at start: {}{}", ToString(KeyOf(torn.id)),
              torn.problem, torn.keep ? "; its data is quarantined" : "");
  }
  for (const RowId id : overflow) {
    LOG_WARN("spool: quarantine is full: the data of row {} was dropped", id);
  }
  if (!plan.nameless.empty()) {
    LOG_ERROR("spool: forgot {} of boots that the ledger doesn't know",
              Count(plan.nameless.size(), "clip"));
  }
  if (!plan.orphans.empty()) {
    LOG_WARN("spool: dropped the objects of {} that no clip owns",
             Count(plan.orphans.size(), "row"));
  }
  return absl::OkStatus();
}

}  // namespace gleaner::edge
