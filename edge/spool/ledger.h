// The one connection that writes spool.db. Every Write is a transaction that is durable on return;
// spool.h says what is in the file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "SQLiteCpp/SQLiteCpp.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "edge/spool/ledger_rows.h"

namespace gleaner::edge {

struct LedgerOptions {
  std::string path;
  uint64_t size_bytes = 0;  // what it reserves when it is opened; it never grows beyond
  // Above this a start-up looks at the ledger's rows only, not at every page.
  uint64_t quick_check_bytes = 64 << 20;
  // For tests only: what SQLite calls synchronous, and a VFS that fails on command.
  std::string synchronous = "FULL";
  std::string vfs;
};

// Not thread-safe.
class ClipLedger {
 public:
  // The statements of one transaction. Each says what shall be and does nothing where it is so
  // already, so that a transaction whose outcome a disk error left open can be run again. All throw
  // SQLite::Exception.
  class Batch {
   public:
    void AddBoot(const BootRow& boot);
    // Forgets a boot of which no clip is left.
    void DropBootIfEmpty(int64_t ordinal);
    // Gives out a number: its row, and the boot's last_sequence.
    void Take(const ClipRow& row);
    // capturing → buffered.
    void Store(RowId id, const Moment& at, const std::vector<PartRow>& parts);
    // capturing or buffered → a tombstone. The parts stay: a clip that is to lose its data wants
    // DropParts too.
    void End(RowId id, ClipState state, std::string_view reason, const Moment& at);
    void DropParts(RowId id);
    // A row that damage has left without a name.
    void Forget(RowId id);
    // buffered → committed: nothing is left of the clip but the counter.
    void Release(RowId id);
    // The cloud has the tombstone: its row goes, unless the clip is quarantined and keeps its data.
    void Acknowledge(RowId id);
    // A quarantined clip loses its data: quarantine is over its bound.
    void DropQuarantined(RowId id);

   private:
    friend class ClipLedger;
    explicit Batch(ClipLedger& ledger) : ledger_(ledger) {}
    std::optional<ClipState> StateOf(RowId id);
    void Count(std::string_view column);
    ClipLedger& ledger_;
  };

  // Opens the ledger, or makes it. A file that can't be read as one is set aside as
  // PATH.corrupt-<n> (the last two are kept) and replaced by a new one with a new spool id.
  static absl::StatusOr<std::unique_ptr<ClipLedger>> Open(const LedgerOptions& options);
  ~ClipLedger();

  // Runs `body` in one transaction. After an I/O error the connection is opened anew, what SQLite
  // then finds is made durable, and `body` runs once more; an error on return means that the
  // outcome is not known.
  absl::Status Write(const std::function<void(Batch&)>& body);
  // Runs `body`, which may only read.
  absl::Status Read(const std::function<void(SQLite::Database&)>& body);

  // Whether the ledger has room for `bytes` more in `rows` rows and still for the clean-up that
  // frees room.
  bool HasRoom(uint64_t bytes, uint64_t rows) const;
  // What it has in all, and what isn't free, as of the last transaction.
  uint64_t size_bytes() const { return pages_ * page_bytes_; }
  uint64_t used_bytes() const { return (pages_ - free_pages_) * page_bytes_; }

 private:
  explicit ClipLedger(LedgerOptions options) : options_(std::move(options)) {}
  absl::Status Connect();
  absl::Status Reconnect();
  absl::Status Check();
  void ReserveLog();
  // Makes an older, smaller ledger as large as the options want it, if nobody looks on and the disk
  // has room.
  absl::Status Grow();
  absl::Status TryWrite(const std::function<void(Batch&)>& body);
  SQLite::Statement& Sql(const char* sql);
  void Disconnect();

  const LedgerOptions options_;
  std::unique_ptr<SQLite::Database>
      db_;  // null after an error that could not be recovered from yet
  uint64_t page_bytes_ = 0;
  uint64_t pages_ = 0;
  uint64_t free_pages_ = 0;  // as of the last transaction
  std::unordered_map<const char*, std::unique_ptr<SQLite::Statement>> statements_;
};

// Makes a new, empty ledger at `path`: built beside it, synced, renamed. Its pages are all written,
// so that no later commit needs room.
absl::Status CreateLedger(const std::string& path, uint64_t size_bytes, uint64_t ledgers_set_aside);
// Adds pages that are free and take their room on the disk for as long as the file lives: `bytes`
// of them, less what is free already. Not through a write-ahead log, which would grow as large.
// Throws SQLite::Exception.
void AddFreePages(SQLite::Database& db, uint64_t bytes);
// Renames a damaged ledger and its log out of the way and says under which name; deletes all but
// the last two of them.
absl::StatusOr<std::string> SetLedgerAside(const std::string& path);
// How many were set aside so far.
uint64_t LedgersSetAside(const std::string& path);

}  // namespace gleaner::edge
