#include "cloud/store/blob_transfer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>

#include "cloud/database/sqlite.h"
#include "cloud/store/blob_copy.h"
#include "cloud/store/blob_place.h"
#include "cloud/store/file_blob_store.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

// How much is brought before it is synced and read back.
constexpr uint64_t kBatchBytes = 256 << 20;
constexpr size_t kBatchBlobs = 1024;

absl::Status CheckRoom(const std::string& to, uint64_t needed) {
  struct statvfs info;
  if (::statvfs(to.c_str(), &info) != 0) return ErrnoStatus(errno, fmt::format("statvfs {}", to));
  const uint64_t free = static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  if (free >= needed) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("{} bytes are to be brought to {}, where {} are free", needed, to, free));
}

class Transfer {
 public:
  explicit Transfer(const TransferOptions& options)
      : options_(options), copy_(options.from, options.to) {}

  absl::StatusOr<TransferResult> Run() {
    try {
      Sql sql = OpenSqlite(options_.catalog, SqliteMode::kInspect);
      std::vector<NamedBlob> missing;
      for (const NamingTable& table : options_.naming) {
        RETURN_IF_ERROR(table.for_each(sql, [&](const NamedBlob& blob) -> absl::Status {
          ++result_.named;
          ASSIGN_OR_RETURN(const bool there, options_.is_there(blob));
          if (!there) missing.push_back(blob);
          return absl::OkStatus();
        }));
      }
      return Bring(missing);
    } catch (const SqlError& error) {
      return Annotate(ToStatus(error), options_.catalog);
    }
  }

 private:
  absl::StatusOr<TransferResult> Bring(const std::vector<NamedBlob>& missing) {
    uint64_t room = 0;
    for (const NamedBlob& blob : missing) {
      ASSIGN_OR_RETURN(const BlobPlace place, PlaceOf(blob.id));
      room += RoundUpToDiskBlock(place.size);
      result_.done.total_bytes += place.size;
    }
    result_.done.total_blobs = missing.size();
    RETURN_IF_ERROR(CheckRoom(options_.to, room));
    uint64_t batch_bytes = 0;
    std::vector<const NamedBlob*> batch;
    for (const NamedBlob& blob : missing) {
      const absl::Status copied = copy_.Copy(blob.id);
      if (absl::IsNotFound(copied) || absl::IsDataLoss(copied)) {
        RETURN_IF_ERROR(Damaged(blob, Message(copied)));
        continue;
      }
      RETURN_IF_ERROR(copied);
      batch.push_back(&blob);
      batch_bytes += PlaceOf(blob.id)->size;
      if (batch.size() == kBatchBlobs || batch_bytes >= kBatchBytes) {
        RETURN_IF_ERROR(MakeSureOf(batch));
        batch.clear();
        batch_bytes = 0;
      }
    }
    RETURN_IF_ERROR(MakeSureOf(batch));
    return std::move(result_);
  }

  absl::Status MakeSureOf(const std::vector<const NamedBlob*>& batch) {
    RETURN_IF_ERROR(copy_.Sync());
    for (const NamedBlob* blob : batch) {
      if (blob->sha256) {
        ASSIGN_OR_RETURN(const Sha256Digest digest, DigestOfBlob(options_.to, blob->id));
        if (digest != *blob->sha256) {
          RETURN_IF_ERROR(Damaged(*blob, "it has another digest than its manifest says"));
          continue;
        }
      }
      ++result_.done.blobs;
      result_.done.bytes += PlaceOf(blob->id)->size;
    }
    if (options_.on_progress) options_.on_progress(result_.done);
    return absl::OkStatus();
  }

  // `to` is to have nothing rather than something else.
  absl::Status Damaged(const NamedBlob& blob, std::string_view why) {
    result_.damaged.push_back(
        fmt::format("clip {}, {} in {}: {}", blob.clip, blob.id, options_.from, why));
    ASSIGN_OR_RETURN(auto store, FileBlobStore::Open(options_.to));
    return store->Remove(blob.id);
  }

  const TransferOptions& options_;
  BlobCopy copy_;
  TransferResult result_;
};

}  // namespace

absl::StatusOr<TransferResult> TransferBlobs(const TransferOptions& options) {
  return Transfer(options).Run();
}

}  // namespace gleaner::cloud
