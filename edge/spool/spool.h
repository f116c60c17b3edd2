// The spool: where clips live between the moment they happen and the receipt that says the cloud
// has them.
// clang-format off
//
// # What always holds
//
//  1. Every sequence number given out is, at any moment and after any crash, in exactly one state:
//
//         capturing ──> buffered ──> committed   the receipt came; nothing of the clip is left
//             │             ├──────> evicted     the spool was full, others are worth more
//             │             ├──────> expired     it waited longer than max_age
//             │             └──────> failed      quarantined: the cloud or a checksum refused it
//             └────────────────────> failed      no clip could be made, or the daemon stopped
//                                    suppressed  from the beginning: it fired, but was not wanted
//
//     Evicted, expired, suppressed and failed leave a tombstone, which stays until the cloud has
//     acknowledged it. Counters over the life of the spool change in the transaction that changes
//     the state, so that they never disagree.
//  2. A clip is handed out, reported or acknowledged only after all of it is on stable storage.
//  3. A block belongs to at most one clip. Free is what no row names: there are no orphans.
//  4. The footprint is known on the day of flashing: the quota, a 32nd of it (4 to 256 MiB) for the
//     ledger, and 8 MiB for its log. All of it is reserved when the spool is made and none of it
//     grows: neither can the spool fill the disk, nor does a full disk stop the spool, for what
//     frees room needs none.
//  5. What a start does is bounded by the number of clips, not by their bytes: no block is read.
//  6. One process owns a spool. Others may look on (status.h, fsck.h).
//
// # What is on the disk
//
// In SpoolOptions::directory:
//
//   spool.lock      empty; flock(2)ed for as long as the spool is open
//   spool.blocks    the quota, cut into blocks of 262,144 bytes, and nothing else: no header, no
//                   trailer. Block n starts at n × 262,144. An object fills its blocks in order;
//                   of the last one only its bytes, rounded up to 4,096 with zeros, are written.
//   spool.db        the ledger: SQLite, application_id "Glnr", user_version 1 (the format), pages
//                   of 1,024 bytes because a commit writes whole pages and has little to write.
//                   Every page is on the disk from the start.
//   spool.db-wal    its write-ahead log: 8 MiB, kept between starts, used over and over
//   spool.db-shm    SQLite's index of the log, made anew at each start
//   spool.db.corrupt-<n>, spool.db.corrupt-<n>-wal
//                   ledgers that could not be read; the last two are kept for a person
//
// The tables. Numbers in BLOBs are little-endian; times are nanoseconds.
//
//   spool   one row
//     spool_id            16 random bytes, made with the ledger; boot_id is derived from it
//     committed, evicted, expired, suppressed, failed
//                         how many numbers ended so
//     quarantine_dropped  quarantined clips that lost their data to younger ones
//     ledgers_set_aside   how many unreadable ledgers came before this one
//
//   boot    one row a period in which numbers count; kept while it is the current one, and while
//           anything of it waits or is unacknowledged
//     ordinal             1, 2, … in order of time
//     boot_id             16 bytes: DeriveBootId(the kernel's boot id, spool_id)
//     last_sequence       the highest number given out; numbers begin at 1
//
//   clip    one row a number that is neither committed nor acknowledged
//     id                  the boot's ordinal × 2^40 + the sequence number: sorts by age
//     state               1 capturing, 2 buffered, 3 evicted, 4 expired, 5 suppressed, 6 failed
//     priority            0 to 9
//     acknowledged        1: the cloud has the tombstone; the row stays for its quarantined data
//     monotonic_ns, wall_ns, wall_uncertainty_ns
//                         when the state last changed
//     rule, reason        text; the reason is the tombstone's, at most 256 bytes
//
//   part    what a clip that is buffered or quarantined consists of
//     clip, part          the clip's id; 0 for the manifest, 1 … for objects in its order
//     size                bytes
//     sha256              32 bytes, over the whole part
//     xxh3                8 bytes a block of 262,144 bytes of the part: XXH3-64, seed 0
//     runs                (first block, count), 4 + 4 bytes each, in order; empty if inline
//     bytes               the manifest, or an object under 65,536 bytes: inline; else NULL
//
// # Order of writes
//
//  - Taking a number: its row and boot.last_sequence in one transaction. Then the number is told.
//  - Writing a clip: blocks as they fill, in place, past the page cache (O_DIRECT) where the file
//    system can; with the last of an object's blocks fdatasync of spool.blocks, and Finish returns;
//    after the last object one transaction: the clip is buffered, its parts are there. Then Commit
//    returns. Until that transaction no row names the blocks, so that a cut anywhere before leaves
//    them free.
//  - Freeing blocks (release, eviction, expiry, the bound on quarantine): the transaction first,
//    and only then may the blocks be written again. A row never names another clip's bytes.
//  - Making a spool: spool.blocks is reserved and synced; the ledger is built under another name,
//    synced, renamed, and the directory synced.
//
// A transaction is durable on return: WAL with synchronous=FULL (NORMAL loses it at a power cut).
//
// # When it is cut short
//
//  - The daemon dies while a clip is being captured, or between its blocks and its rows: the next
//    start fails the number; its blocks were never named.
//  - … after the rows, before Commit returned: the clip waits and is uploaded.
//  - … after the receipt, before the release: it is offered again and gets the same receipt.
//  - … while it makes the spool, or repairs it at a start: the next start does so again.
//  - The power fails: as if the daemon had died; what was reported is on the disk.
//  - A write or sync of blocks fails: spool.blocks is closed and opened anew, and every clip with
//    bytes in flight fails. The kernel reports such an error once and then calls the pages clean.
//  - A write of the ledger fails: the connection is opened anew and all that its log holds is
//    written and synced again before anything else is believed; then the transaction is run again.
//  - The disk is full: nothing changes. It was full at the start: without room for spool.db-shm
//    the daemon starts all the same, only `status` and `fsck` must wait.
//  - The ledger can't be read: it is set aside, and the daemon starts with a new one. The new spool
//    id makes new boot ids, so that no number is used twice.
//  - A row is damaged: a clip whose rows don't fit together, or whose blocks are another's, fails;
//    data that is its own is quarantined.
//  - A block is damaged: ReadBlock says so, and the uploader quarantines the clip.
//  - The quota was changed: blocks and ledger grow in place; blocks shrink if the tail is free, else
//    they stay as they are until a start finds it free.
//
// A test build dies on demand at each of these steps (common/crash_point.h), and tests/edge/spool
// walks through all of them; `rows_written` is inside the transaction, `committed` after it:
//
//   spool.create.       blocks_reserved, ledger_built, ledger_renamed
//   spool.start.        rows_written, committed
//   spool.number.       rows_written, committed
//   spool.block.        written
//   spool.object.       synced
//   spool.clip.         rows_written, committed
//   spool.fail.         rows_written, committed
//   spool.evict.        rows_written, committed (expiry too)
//   spool.release.      rows_written, committed
//   spool.quarantine.   rows_written, committed
//   spool.acknowledge.  rows_written, committed
//
// clang-format on
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clip_key.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/digest.h"
#include "gleaner/v1/ingest.pb.h"

namespace gleaner::edge {

struct SpoolOptions {
  // Made if it isn't there. A file system that keeps what fsync promised.
  std::string directory;
  // Reserved in full when the spool is made; rounded down to whole blocks, at least one.
  uint64_t quota_bytes = 2ull << 30;
  // When no block is free, or no room in the ledger, where manifests and small objects are: "evict"
  // the least valuable, oldest clip that has some of what is missing, is worth no more than the new
  // one and isn't being uploaded; or "stop": new clips fail until there is room.
  std::string when_full = "evict";
  // Clips that wait longer end EXPIRED; 0: never. Within a boot monotonic time decides; across
  // boots wall time, less what it may have been wrong by then and may be now.
  int64_t max_age_ns = 0;

  // From the [spool] table: directory ("/var/lib/gleaner-edge"), quota (2 GiB; 16 MiB to 1 TiB),
  // when_full, max_age.
  static SpoolOptions Read(ConfigReader& reader);
  // Notes in `reader`, the [spool] table, a quota that the disk can never hold, and warns of one
  // that it can't hold now.
  void CheckDisk(ConfigReader& reader) const;
};

// One object of a clip at rest.
struct StoredObject {
  uint64_t size_bytes = 0;
  Sha256Digest sha256{};
  std::vector<uint64_t> block_xxh3;
  std::vector<uint32_t> blocks;  // in spool.blocks; empty when inline
  std::string inline_bytes;      // objects under 64 KiB
};

struct StoredClip {
  ClipKey key;
  uint32_t priority = 0;
  std::string manifest;  // serialized ClipManifest
  Sha256Digest manifest_sha256{};
  std::vector<StoredObject> objects;  // in the manifest's order
  int64_t committed_wall_ns = 0;      // to the spool, that is
};

struct SpoolStats {
  uint64_t quota_bytes = 0;  // what spool.blocks has
  uint64_t used_bytes = 0;   // blocks in use: waiting, quarantined and being written
  uint64_t ledger_bytes = 0;
  uint64_t ledger_used_bytes = 0;  // manifests, small objects, tombstones
  uint32_t pending_clips = 0;
  uint64_t pending_bytes = 0;  // manifests and objects
  // 0 when nothing waits, or no clock can tell.
  uint64_t oldest_pending_s = 0;
  // Over the life of the spool.
  uint64_t committed_total = 0;
  uint64_t evicted_total = 0;
  uint64_t expired_total = 0;
  uint64_t suppressed_total = 0;
  uint64_t failed_total = 0;
  // Clips that wait for a person now.
  uint32_t quarantined = 0;
};

// Writes one object as it comes into being. One thread at a time, which makes the checksums while
// the disk writes. Keeps the block that is being filled, and up to four that are on their way to
// the disk or not hashed yet.
//
// Dropping it frees its blocks. It must go before the spool does.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;
  // Copies `bytes`. RESOURCE_EXHAUSTED: the spool is full and nothing may be evicted. After an
  // error the object is lost and every later call returns that error.
  virtual absl::Status Append(std::span<const uint8_t> bytes) = 0;
  // No more bytes: all blocks are on stable storage, and the three below are final.
  // INVALID_ARGUMENT for an object without a byte.
  virtual absl::Status Finish() = 0;
  virtual uint64_t size_bytes() const = 0;
  virtual const Sha256Digest& sha256() const = 0;
  virtual const std::vector<uint64_t>& block_xxh3() const = 0;
};

// A clip on its way in. Dropping it uncommitted leaves its number CAPTURING: call Spool::Fail, or
// the next start does. It must go before the spool does.
class ClipWriter {
 public:
  virtual ~ClipWriter() = default;
  // Objects of one clip may be written by different threads.
  virtual std::unique_ptr<ObjectWriter> NewObject() = 0;
  // Takes a manifest of 1 to 262,144 bytes, and finished objects in its order, at most kMaxObjects.
  // On return the clip is on stable storage and Next() can hand it out. After an error the clip's
  // number is still CAPTURING. RESOURCE_EXHAUSTED: no room in the ledger. UNAVAILABLE: the ledger's
  // disk failed and whether the clip is in it shows at the next start.
  virtual absl::Status Commit(std::string manifest,
                              std::vector<std::unique_ptr<ObjectWriter>> objects) = 0;
};

// Thread-safe. Calls that change the ledger wait for the disk: a few tenths of a millisecond on an
// SSD, tens on an SD card. RESOURCE_EXHAUSTED, UNAVAILABLE and DATA_LOSS mean the ledger is full,
// its disk failed, its file is damaged.
class Spool {
 public:
  // Opens the spool, or makes it, and puts right what a crash or damage left. FAILED_PRECONDITION:
  // another process has it, or a newer version made it. RESOURCE_EXHAUSTED: the disk has no room
  // for a new spool's quota. `clock` outlives the spool. `kernel_boot_id` is KernelBootId()'s.
  static absl::StatusOr<std::unique_ptr<Spool>> Open(const SpoolOptions& options, Clock& clock,
                                                     std::string_view kernel_boot_id);
  // After all writers.
  ~Spool();

  // Of the current boot and this spool; see ClipKey in the contract.
  const BootId& boot_id() const;

  // The next number, durable on return, CAPTURING until NewClip's clip is committed or Fail.
  // `priority` is 0 to 9. RESOURCE_EXHAUSTED: the ledger is full of what the cloud has not
  // acknowledged.
  absl::StatusOr<ClipKey> TakeNumber(std::string_view rule, uint32_t priority);
  // A number that ends at once as SUPPRESSED.
  absl::StatusOr<ClipKey> TakeSuppressed(std::string_view rule, std::string_view reason);
  // Ends a number that is CAPTURING as FAILED; FAILED_PRECONDITION if it isn't.
  absl::Status Fail(const ClipKey& key, std::string_view reason);
  // FAILED_PRECONDITION unless `key` is CAPTURING and has no writer.
  absl::StatusOr<std::unique_ptr<ClipWriter>> NewClip(const ClipKey& key);

  // The most valuable, then oldest clip that waits and isn't in `except`, whether or not it was
  // handed out before; nullopt when there is none. What is handed out is neither evicted nor
  // expired until PutBack, Release or Quarantine.
  absl::StatusOr<std::optional<StoredClip>> Next(const absl::flat_hash_set<ClipKey>& except);
  void PutBack(const ClipKey& key);
  // One block's bytes (up to 256 KiB) of a clip that was handed out, checked against its XXH3;
  // DATA_LOSS when it differs. `out` is replaced. Takes no lock of the ledger.
  absl::Status ReadBlock(const StoredClip& clip, size_t object, uint64_t block, std::string* out);
  // The receipt: the clip ends committed and its blocks are free. FAILED_PRECONDITION if
  // `manifest_sha256` isn't the clip's, NOT_FOUND if no such clip waits.
  absl::Status Release(const ClipKey& key, const Sha256Digest& manifest_sha256);
  // The clip ends FAILED and isn't handed out again; its data stays for a person. Quarantine holds
  // at most a quarter of the quota and of the ledger: the oldest data goes first. NOT_FOUND if no
  // such clip waits.
  absl::Status Quarantine(const ClipKey& key, std::string_view reason);

  // For ReportLedger: every boot that the cloud may still lack something of, oldest first, within
  // the bounds of the contract. Tombstones beyond the bound are called pending until their turn
  // comes, so that they don't look like gaps.
  absl::StatusOr<v1::ReportLedgerRequest> Ledger();
  // What isn't a tombstone here is passed over.
  absl::Status AcknowledgeTombstones(const std::vector<ClipKey>& keys);
  SpoolStats stats() const;
  // Called after a clip was committed and after numbers have ended in another way, on the thread
  // that did it and with no lock held, so that the uploader and the ledger's reports needn't poll.
  // One callback; set it before clips come.
  void OnChange(std::function<void()> callback);

 private:
  friend struct SpoolInternals;
  Spool();
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gleaner::edge
