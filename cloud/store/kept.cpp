#include "cloud/store/kept.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "cloud/database/sqlite.h"
#include "cloud/store/blob_place.h"
#include "cloud/store/data_folder.h"
#include "cloud/store/folder_state.h"
#include "cloud/store/rubbish.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr uint64_t kAtOnce = 1 << 20;  // a multiple of kDiskBlockBytes

// What begins in this disk block, as the ending of a file's name; empty if nothing does that can be
// told. Objects begin at disk blocks.
std::string_view Beginning(std::string_view block) {
  if (block.substr(4, 4) == "ftyp") return "mp4";
  if (block.starts_with("\xff\xd8\xff")) return "jpg";
  return "";
}

// One run, cut where an object begins. How many files.
absl::StatusOr<uint64_t> Export(const std::string& blobs, const BlobPlace& run,
                                const std::string& directory) {
  ASSIGN_OR_RETURN(const Fd from, OpenFile(fmt::format("{}/{}", blobs, run.segment), O_RDONLY));
  uint64_t files = 0, written = 0;
  Fd to;
  std::string buffer;
  const uint64_t end = run.offset + run.size;
  for (uint64_t at = run.offset; at < end; at += buffer.size()) {
    buffer.resize(std::min(kAtOnce, end - at));
    RETURN_IF_ERROR(Annotate(ReadAt(from.get(), buffer.data(), buffer.size(), at), blobs));
    for (size_t i = 0; i < buffer.size(); i += kDiskBlockBytes) {
      const std::string_view block = std::string_view(buffer).substr(i, kDiskBlockBytes);
      std::string_view kind = Beginning(block);
      if (kind.empty() && !to.valid()) kind = "bin";
      if (!kind.empty()) {
        const std::string path = fmt::format("{}/{}-{:08x}.{}", directory, run.segment,
                                             (at + i) / kDiskBlockBytes, kind);
        ASSIGN_OR_RETURN(to, OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC));
        written = 0;
        ++files;
      }
      RETURN_IF_ERROR(Annotate(WriteAt(to.get(), block.data(), block.size(), written), directory));
      written += block.size();
    }
  }
  return files;
}

}  // namespace

absl::StatusOr<std::vector<KeptRow>> ReadKept(const std::string& data_dir,
                                              const StoreRooms& rooms) {
  std::vector<KeptRow> kept;
  const std::string path = CatalogPath(data_dir);
  ASSIGN_OR_RETURN(const FolderState state, InspectFolder(data_dir, rooms));
  if (!state.catalog.has_identity) return kept;
  try {
    KeptRow row;
    OpenSqlite(path, SqliteMode::kInspect)
        .Query("SELECT blob, size_bytes, since_ns FROM kept ORDER BY blob", In(),
               Out(row.blob, row.size_bytes, row.since_unix_ns), [&] { kept.push_back(row); });
  } catch (const SqlError& error) {
    return Annotate(ToStatus(error), path);
  }
  return kept;
}

absl::StatusOr<uint64_t> ExportKept(const std::string& data_dir, const StoreRooms& rooms,
                                    const std::string& directory) {
  ASSIGN_OR_RETURN(const std::vector<KeptRow> kept, ReadKept(data_dir, rooms));
  RETURN_IF_ERROR(MakeDirectories(directory));
  uint64_t files = 0;
  for (const KeptRow& row : kept) {
    ASSIGN_OR_RETURN(const BlobPlace run, PlaceOf(row.blob));
    ASSIGN_OR_RETURN(const uint64_t of_run, Export(BlobsPath(data_dir), run, directory));
    files += of_run;
  }
  return files;
}

absl::StatusOr<uint64_t> FreeKept(const std::string& data_dir, const StoreRooms& rooms,
                                  Clock& clock) {
  ASSIGN_OR_RETURN(const auto folder, DataFolder::Open(data_dir, rooms, clock));
  ASSIGN_OR_RETURN(const StoreTotals totals, folder->names().Sum());
  RETURN_IF_ERROR(folder->names().GiveUpKept());
  RETURN_IF_ERROR(FreeRubbish(folder->names(), folder->staging(), folder->objects()));
  return totals.kept_bytes;
}

}  // namespace gleaner::cloud
