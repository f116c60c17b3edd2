#include "cloud/data_commands.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "cloud/recover.h"
#include "cloud/rooms.h"
#include "cloud/store/backup.h"
#include "cloud/store/catalog_copy.h"
#include "cloud/store/folder_state.h"
#include "cloud/store/kept.h"
#include "common/file.h"
#include "common/status.h"
#include "common/text.h"

namespace gleaner::cloud {
namespace {

constexpr int64_t kSayEveryNs = 2 * kNanosPerSecond;
constexpr size_t kMostNamed = 20;

int Failed(const absl::Status& status) {
  fmt::print(stderr, "gleaner-cloud: {}\n", Message(status));
  return kExitFailed;
}

std::string Size(uint64_t bytes) {
  if (bytes >= 10ull << 30) return fmt::format("{} GiB", bytes >> 30);
  if (bytes >= 10ull << 20) return fmt::format("{} MiB", bytes >> 20);
  return fmt::format("{} KiB", (bytes + 1023) >> 10);
}

// Now and then, to standard error.
OnProgress SayProgress(Clock& clock) {
  return [&clock, said_ns = clock.MonotonicNs()](const TransferProgress& progress) mutable {
    const int64_t now = clock.MonotonicNs();
    if (now - said_ns < kSayEveryNs) return;
    said_ns = now;
    fmt::print(stderr, "{} of {}, {} of {} objects\n", Size(progress.bytes),
               Size(progress.total_bytes), progress.blobs, progress.total_blobs);
  };
}

// What is written there must be the server's own to write again.
absl::Status CheckOwner(const std::string& data_dir) {
  struct stat info;
  if (::stat(data_dir.c_str(), &info) != 0 || info.st_uid == ::geteuid()) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "{} belongs to user {}, and so must what is written there: run this as that user, with "
      "sudo --user='#{}'",
      data_dir, info.st_uid, info.st_uid));
}

int SayDamaged(const std::vector<std::string>& damaged, std::string_view where) {
  if (damaged.empty()) return kExitOk;
  fmt::print(stderr, "gleaner-cloud: {} {} damaged {}:\n", Count(damaged.size(), "object"),
             damaged.size() == 1 ? "is" : "are", where);
  for (size_t i = 0; i < std::min(kMostNamed, damaged.size()); ++i) {
    fmt::print(stderr, "  {}\n", damaged[i]);
  }
  if (damaged.size() > kMostNamed)
    fmt::print(stderr, "  and {} more\n", damaged.size() - kMostNamed);
  return kExitFailed;
}

}  // namespace

int BackupCommand(const std::string& data_dir, const std::string& directory, Clock& clock) {
  const auto made = MakeBackup(data_dir, directory, AllRooms(), SayProgress(clock));
  if (!made.ok()) return Failed(made.status());
  fmt::print("{} of {} in {}; {} new there\n", Count(made->clips, "clip"), data_dir, directory,
             Size(made->brought_bytes));
  return SayDamaged(made->damaged, "in the store itself, and not in the backup");
}

int BackupCatalogCommand(const std::string& data_dir, const std::string& directory) {
  absl::Status status = MakeDirectories(directory);
  const std::string copy = CatalogPath(directory);
  if (status.ok() && CatalogPath(data_dir) == copy) {
    status = absl::FailedPreconditionError(fmt::format("{} is the store's own folder", directory));
  }
  if (status.ok()) {
    status = CopyCatalog(CatalogPath(data_dir), copy, [](Sql& sql) {
      for (const RoomTables& room : AllRooms().tables) {
        if (!room.left_out.empty()) sql.connection().Script(room.left_out);
      }
      return absl::OkStatus();
    });
  }
  if (!status.ok()) return Failed(status);
  fmt::print(
      "the catalog of {} is in {}. The objects are not: they are in the bucket, whose own copies "
      "or versions are their backup. To come back to this one, stop the server and put it in the "
      "place of {}; `gleaner-cloud recover` then adds the clips that came later\n",
      data_dir, copy, CatalogPath(data_dir));
  return kExitOk;
}

int RestoreCommand(const std::string& directory, const std::string& data_dir, Clock& clock) {
  if (const absl::Status owner = CheckOwner(data_dir); !owner.ok()) return Failed(owner);
  const auto restored = Restore(directory, data_dir, AllRooms(), clock, SayProgress(clock));
  if (!restored.ok()) return Failed(restored.status());
  fmt::print("{} of {} in {}; {} brought there\n", Count(restored->clips, "clip"), directory,
             data_dir, Size(restored->brought_bytes));
  if (!restored->set_aside.empty()) {
    fmt::print("the catalog that was there is now {}\n", restored->set_aside);
  }
  if (restored->kept_bytes > 0) {
    fmt::print(
        "{} that this catalog doesn't name, which came later, are kept aside: `gleaner-cloud "
        "kept` shows and frees them\n",
        Size(restored->kept_bytes));
  }
  return SayDamaged(restored->damaged, "in the backup, and not restored");
}

int KeptCommand(const std::string& data_dir, const KeptOptions& options, Clock& clock) {
  const auto kept = ReadKept(data_dir, AllRooms());
  if (!kept.ok()) return Failed(kept.status());
  uint64_t bytes = 0;
  for (const KeptRow& row : *kept) {
    const std::time_t since = row.since_unix_ns / kNanosPerSecond;
    fmt::print("{}  {:>10}  since {:%Y-%m-%d %H:%M:%SZ}\n", row.blob, Size(row.size_bytes),
               fmt::gmtime(since));
    bytes += row.size_bytes;
  }
  if (kept->empty()) {
    fmt::print("nothing is kept aside in {}\n", data_dir);
    return kExitOk;
  }
  fmt::print("{} in {} kept aside in {}\n", Size(bytes), Count(kept->size(), "piece"), data_dir);
  if (!options.export_to.empty()) {
    const auto files = ExportKept(data_dir, AllRooms(), options.export_to);
    if (!files.ok()) return Failed(files.status());
    fmt::print("{} of them in {}\n", Count(*files, "file"), options.export_to);
  }
  if (options.free) {
    if (const absl::Status owner = CheckOwner(data_dir); !owner.ok()) return Failed(owner);
    const auto freed = FreeKept(data_dir, AllRooms(), clock);
    if (!freed.ok()) return Failed(freed.status());
    fmt::print("{} were freed\n", Size(*freed));
  }
  return kExitOk;
}

int RecoverCommand(const std::string& data_dir, const StoreConfig& store,
                   const std::string& database, Clock& clock) {
  if (const absl::Status owner = CheckOwner(data_dir); !owner.ok()) return Failed(owner);
  const auto recovered =
      Recover(data_dir, store, database, clock,
              [&clock, said_ns = clock.MonotonicNs()](const RecoverProgress& progress) mutable {
                const int64_t now = clock.MonotonicNs();
                if (now - said_ns < kSayEveryNs) return;
                said_ns = now;
                fmt::print(stderr, "{} of {} clips\n", progress.clips, progress.total_clips);
              });
  if (!recovered.ok()) return Failed(recovered.status());
  fmt::print("{}, {}, brought back into {}: each object read and found to have its SHA-256\n",
             Count(recovered->clips, "clip"), Size(recovered->bytes), CatalogPath(data_dir));
  if (recovered->known > 0) fmt::print("{} it knew already\n", Count(recovered->known, "clip"));
  if (recovered->again > 0) {
    fmt::print("{} of clips that a younger one describes\n",
               Count(recovered->again, "description"));
  }
  if (!recovered->set_aside.empty()) {
    fmt::print("the catalog that was there is now {}\n", recovered->set_aside);
  }
  if (recovered->unnamed_bytes > 0) {
    fmt::print(
        "{} belong to no clip that came back: thumbnails, which are made anew, and what "
        "was on its way. {}\n",
        Size(recovered->unnamed_bytes),
        store.in_bucket ? "They stay in the bucket"
                        : "They are kept aside: `gleaner-cloud kept` shows and frees them");
  }
  fmt::print(
      "what no object says: the devices' ledgers, which they tell again when they connect, but for "
      "numbers that ended without a clip and that they have forgotten: these are gaps now; "
      "verdicts on media, which is checked anew; clips that an earlier version took in\n");
  return SayDamaged(recovered->damaged, "or described by nothing that is whole");
}

}  // namespace gleaner::cloud
