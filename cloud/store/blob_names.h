// What the database knows of the blob store as a whole: which one it is, which blobs rooms name,
// what is to be freed and what is kept aside.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/store/upload_staging.h"
#include "common/digest.h"

namespace gleaner::cloud {

// A blob or an object that a room names: with files they are one, and `blob` in columns is either.
struct NamedBlob {
  BlobId id;
  std::string clip;  // whose; for people
  // Of an object; what can be made anew, as thumbnails, has none.
  std::optional<Sha256Digest> sha256;
};

// A table whose column `blob`, which has an index, names blobs. Nothing that it names is removed;
// its room tells CountNames and AddRubbish of every change.
struct NamingTable {
  std::string_view table;
  // Calls `each` for everything that it names; ends with the first error.
  absl::Status (*for_each)(Sql& sql, const std::function<absl::Status(const NamedBlob&)>& each);
};

// All rooms of a server, as the store needs to know them.
struct StoreRooms {
  std::vector<RoomTables> tables;  // each after those it builds on
  std::vector<NamingTable> naming;
};

RoomTables StoreTables();

// Which blobs a database is the catalog of: see data_folder.h.
struct StoreIdentity {
  std::string id;       // 32 of lower-case hex, made once; empty: not said yet
  std::string history;  // the same, made anew when an older catalog was put back
  uint64_t named = 0;   // how often blobs were given a name
};

// Bytes that nothing names and that may be somebody's.
struct KeptRow {
  BlobId blob;
  uint64_t size_bytes = 0;
  int64_t since_unix_ns = 0;
};

// What the blob store holds beyond what is in use.
struct StoreTotals {
  uint64_t kept_count = 0, kept_bytes = 0;
  uint64_t rubbish_bytes = 0;  // to be freed, of unfinished uploads
};

// --- within a room's transaction; may throw SqlError

// Notes that blobs were given names, or lost them: `names` rows of naming tables more.
void CountNames(Sql& sql, int64_t names);
// A blob that is named no more; `size_bytes` count as reserved by `device` (may be empty).
void AddRubbish(Sql& sql, const BlobId& blob, std::string_view device, uint64_t size_bytes);
// Blobs that were given up are named again.
void NameAgain(Sql& sql, const std::vector<BlobId>& blobs);
// What is still held for given up uploads of a device.
uint64_t SumRubbish(Sql& sql, std::string_view device);
// The copy of a database becomes that of a backup: without what belongs to its disk alone, and with
// `history`, so that it can't be taken for the one that went on without it.
void MakeBackupOf(Sql& sql, std::span<const NamingTable> naming, const std::string& history);
// Whether something names it.
bool NamesBlob(Sql& sql, std::span<const NamingTable> naming, const BlobId& blob);
StoreIdentity ReadIdentity(Sql& sql);

// Calls `on_named` with StoreIdentity::named after each transaction that has raised it.
CommitHook NamedHook(std::function<void(uint64_t)> on_named);

// Thread-safe; blocks. Errors as Database.
class BlobNames {
 public:
  // `database` must outlive it.
  BlobNames(Database& database, std::span<const NamingTable> naming);

  // Every blob that something refers to (a naming table, what is kept aside) and whose id begins
  // with `prefix`, in ascending order: see UploadStaging::Sweep.
  absl::StatusOr<std::vector<BlobId>> Find(std::string_view prefix);
  // DATA_LOSS if there are more or fewer names of blobs than were given: somebody changed the
  // database by hand, and nothing may be removed because it isn't named.
  absl::Status Check();
  // From the first id to the second of each pair: see loose_blobs.h.
  absl::Status Rename(const std::vector<std::pair<BlobId, BlobId>>& renamed);

  // Blobs that were named and are no more, in ascending order from `after` on, at most `limit`; to
  // be removed and then forgotten.
  absl::StatusOr<std::vector<BlobId>> FindRubbish(const BlobId& after, size_t limit);
  absl::Status ForgetRubbish(const std::vector<BlobId>& blobs);

  absl::StatusOr<StoreIdentity> GetIdentity();
  // Gives the catalog this id if it has none yet; what it has then, whoever gave it.
  absl::StatusOr<StoreIdentity> Adopt(const std::string& id);
  // `named` only rises.
  absl::Status SetIdentity(const StoreIdentity& identity);

  absl::Status KeepAside(const std::vector<KeptRow>& kept);
  absl::StatusOr<std::vector<KeptRow>> ListKept();
  // What was kept aside becomes rubbish.
  absl::Status GiveUpKept();
  absl::StatusOr<StoreTotals> Sum();

 private:
  Database& database_;
  const std::vector<NamingTable> naming_;
};

}  // namespace gleaner::cloud
