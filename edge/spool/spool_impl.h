// The inside of Spool: one mutex over the ledger and the index; block data moves outside of it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/file.h"
#include "edge/spool/block_device.h"
#include "edge/spool/block_store.h"
#include "edge/spool/clip_index.h"
#include "edge/spool/clip_writer.h"
#include "edge/spool/ledger.h"
#include "edge/spool/spool.h"

namespace gleaner::edge {

// What tests put in the place of the real thing.
struct SpoolInternals {
  BlockDevice* device = &PosixBlockDevice();
  uint64_t quick_check_bytes = LedgerOptions().quick_check_bytes;
  std::string synchronous = "FULL";
  std::string vfs;

  static absl::StatusOr<std::unique_ptr<Spool>> Open(const SpoolOptions& options, Clock& clock,
                                                     std::string_view kernel_boot_id,
                                                     const SpoolInternals& internals);
};

// Names inside the directory.
std::string LedgerPath(const std::string& directory);
std::string BlocksPath(const std::string& directory);
// How large the ledger of a spool with this quota is made: a 32nd of it, 4 to 256 MiB.
uint64_t LedgerBytes(uint64_t quota_bytes);
// Holds for as long as the result lives; FAILED_PRECONDITION if another process has it.
absl::StatusOr<Fd> LockSpool(const std::string& directory);

// What a start has to do to the ledger, found out from its rows alone: pure, so that every kind of
// damage can be tested.
struct StartPlan {
  struct Torn {
    RowId id;
    std::string problem;
    bool keep;  // its blocks are its own: quarantined with its data
  };
  BootRow boot;                  // the current one
  std::vector<RowId> capturing;  // fail: the daemon stopped
  std::vector<Torn> torn;        // fail
  std::vector<RowId> orphans;    // parts without a clip that could own them: drop
  std::vector<RowId> nameless;   // clips of a boot that isn't there: forget
  std::vector<RowId>
      damaged_quarantine;  // quarantined, but their blocks are another's: drop the data
  std::vector<HeldClip> pending, quarantined;  // sound; their blocks are claimed
};
// `claim` takes a run of blocks, or says that it can't.
StartPlan PlanStart(const std::vector<BootRow>& boots, const std::vector<ClipRow>& clips,
                    const std::vector<PartRow>& parts, const BootId& current,
                    const std::function<bool(const BlockRun&)>& claim,
                    const std::function<void(std::span<const BlockRun>)>& unclaim);

class Spool::Impl : public ClipSink {
 public:
  Impl(SpoolOptions options, Clock& clock) : options_(std::move(options)), clock_(clock) {}

  absl::Status Start(std::string_view kernel_boot_id, const SpoolInternals& internals);

  absl::StatusOr<ClipKey> TakeNumber(std::string_view rule, uint32_t priority, ClipState state,
                                     std::string_view reason);
  absl::Status Fail(const ClipKey& key, std::string_view reason);
  absl::StatusOr<std::unique_ptr<ClipWriter>> NewClip(const ClipKey& key);
  absl::StatusOr<std::optional<StoredClip>> Next(const absl::flat_hash_set<ClipKey>& except);
  void PutBack(const ClipKey& key);
  absl::Status ReadBlock(const StoredClip& clip, size_t object, uint64_t block, std::string* out);
  absl::Status Release(const ClipKey& key, const Sha256Digest& manifest_sha256);
  absl::Status Quarantine(const ClipKey& key, std::string_view reason);
  absl::StatusOr<v1::ReportLedgerRequest> Report();
  absl::Status AcknowledgeTombstones(const std::vector<ClipKey>& keys);
  SpoolStats stats();
  void OnChange(std::function<void()> callback);
  // Calls it if anything has changed since the last time; with mutex_ free.
  void TellChanges();
  const BootId& boot_id() const { return boot_id_; }

  BlockStore& store() override { return *store_; }
  absl::StatusOr<uint32_t> AllocateBlock(uint32_t priority) override;
  absl::Status CommitClip(RowId id, const std::vector<PartRow>& parts) override;
  void WriterClosed(RowId id) override;

 private:
  struct Capturing {
    uint32_t priority = 0;
    bool writing = false;
  };

  // All of these with mutex_ held.
  absl::Status Apply(StartPlan plan);
  std::optional<RowId> IdOf(const ClipKey& key) const;
  ClipKey KeyOf(RowId id) const { return {boots_.at(OrdinalOf(id)), SequenceOf(id)}; }
  Moment Now() const;
  // How long a clip has waited for certain, nullopt where no clock can tell.
  std::optional<int64_t> AgeNs(const HeldClip& clip, const Moment& now) const;
  absl::StatusOr<uint32_t> MakeRoom(uint32_t priority);
  // Ends a clip whose end makes room of that kind.
  enum class Room : uint8_t { kBlocks, kLedger };
  absl::Status EvictOne(uint32_t priority, Room room);
  absl::Status EndPending(const std::vector<RowId>& ids, ClipState state, std::string_view reason);
  absl::Status QuarantinePending(RowId id, std::string_view reason);
  // Quarantined clips that must lose their data so that `coming` fits in too, unless it is null;
  // the last may be `coming` itself.
  std::vector<RowId> QuarantineOverflow(const HeldClip* coming) const;
  bool IsOld(const HeldClip& clip, const Moment& now) const;
  // Ends some of the clips that are older than max_age, the oldest first; how many.
  size_t ExpireOld();
  absl::StatusOr<StoredClip> Load(RowId id);

  const SpoolOptions options_;
  Clock& clock_;
  Fd lock_;
  std::unique_ptr<BlockStore> store_;
  BootId boot_id_{};
  int64_t ordinal_ = 0;

  std::mutex mutex_;
  std::unique_ptr<ClipLedger> ledger_;
  uint64_t last_sequence_ = 0;
  std::map<int64_t, BootId> boots_;  // by ordinal, the current one included
  std::map<RowId, Capturing> capturing_;
  ClipIndex index_;
  LedgerCounters counters_;  // as they were read last
  bool read_failed_ = false;
  bool changed_ = false;  // since on_change_ was called
  std::function<void()> on_change_;
};

}  // namespace gleaner::edge
