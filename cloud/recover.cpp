#include "cloud/recover.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "cloud/ingest/uploads.h"
#include "cloud/media/media_checks.h"
#include "cloud/rooms.h"
#include "cloud/store/catalog_copy.h"
#include "cloud/store/clip_description.h"
#include "cloud/store/data_folder.h"
#include "cloud/store/folder_state.h"
#include "cloud/store/s3/bucket_folder.h"
#include "common/crash_point.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

using Progress = std::function<void(const RecoverProgress&)>;

constexpr uint64_t kPieceBytes = 4 << 20;
constexpr size_t kBatch = 64;  // clips that are read side by side, and share a transaction
constexpr size_t kThreads = 8;

// Where a clip is described. More than once where a crash fell between description and commit, and
// the device came again: then the newest is what it has a receipt for.
struct Found {
  int64_t committed_unix_ns = 0;  // the newest's
  std::vector<std::pair<int64_t, ObjectKey>> at;
};

// A clip that is whole, or why it isn't.
struct Looked {
  FoundClip clip;
  absl::Status status;
};

// Into a catalog, from its store.
class Recovery {
 public:
  Recovery(Database& database, ObjectStore& objects, std::string store_id, const Progress& progress)
      : database_(database),
        objects_(objects),
        store_id_(std::move(store_id)),
        progress_(progress),
        uploads_(database) {
    uploads_.WriteWithClip(AskForMediaCheck);
  }

  absl::StatusOr<RecoverResult> Run() {
    RETURN_IF_ERROR(Find());
    std::vector<Found> clips;
    for (auto& [id, found] : found_) {
      ASSIGN_OR_RETURN(const bool known, IsKnown(id));
      if (known) {
        ++result_.known;
        continue;
      }
      std::sort(found.at.rbegin(), found.at.rend());
      found.committed_unix_ns = found.at.front().first;
      result_.again += found.at.size() - 1;
      clips.push_back(std::move(found));
    }
    found_.clear();
    // Arrivals are numbered as they were.
    std::sort(clips.begin(), clips.end(), [](const Found& a, const Found& b) {
      return std::tie(a.committed_unix_ns, a.at) < std::tie(b.committed_unix_ns, b.at);
    });
    for (size_t at = 0; at < clips.size(); at += kBatch) {
      if (progress_) progress_({.clips = at, .total_clips = clips.size()});
      RETURN_IF_ERROR(Bring(std::span(clips).subspan(at, std::min(kBatch, clips.size() - at))));
    }
    return std::move(result_);
  }

 private:
  absl::Status Find() {
    return objects_.FindDescriptions([this](const ObjectKey& at, std::string_view bytes) {
      Looked looked;
      if (const absl::Status read = Parse(bytes, &looked); read.ok()) {
        found_[ClipId(looked.clip.upload.device, looked.clip.upload.key)].at.emplace_back(
            looked.clip.committed_unix_ns, at);
      } else {
        result_.damaged.push_back(fmt::format("the description {}: {}", at, Message(read)));
      }
      return absl::OkStatus();
    });
  }

  absl::StatusOr<bool> IsKnown(const std::string& id) {
    return database_.Read([&](Sql& sql) -> absl::StatusOr<bool> {
      std::string found;
      return sql.Query("SELECT id FROM clip WHERE id = :id", In(id), Out(found), [] {});
    });
  }

  absl::Status Bring(std::span<const Found> batch) {
    std::vector<Looked> looked(batch.size());
    std::atomic<size_t> next{0};
    {
      std::vector<std::jthread> threads;
      for (size_t i = 0; i < std::min(kThreads, batch.size()); ++i) {
        threads.emplace_back([&] {
          for (size_t one = next++; one < batch.size(); one = next++) {
            for (const auto& [committed_unix_ns, at] : batch[one].at) {
              looked[one] = {};
              looked[one].status = Look(at, &looked[one]);
              if (looked[one].status.ok()) break;
            }
          }
        });
      }
    }
    for (const Looked& one : looked) {
      // Where the store itself doesn't answer, nothing is known of the clip.
      if (absl::IsUnavailable(one.status) || absl::IsPermissionDenied(one.status)) {
        return one.status;
      }
    }
    std::vector<const FoundClip*> whole;
    for (const Looked& one : looked) {
      if (one.status.ok()) whole.push_back(&one.clip);
    }
    RETURN_IF_ERROR(uploads_.Adopt(whole));
    for (const Looked& one : looked) {
      if (one.status.ok()) {
        ++result_.clips;
        result_.bytes += one.clip.upload.size_bytes;
      } else {
        result_.damaged.push_back(fmt::format(
            "clip {} of {} ({}): {}", ClipId(one.clip.upload.device, one.clip.upload.key),
            one.clip.upload.device, ToString(one.clip.upload.key), Message(one.status)));
      }
    }
    return absl::OkStatus();
  }

  // Reads all of a clip.
  absl::Status Look(const ObjectKey& at, Looked* looked) {
    ASSIGN_OR_RETURN(const uint64_t size, objects_.SizeOf(at));
    std::string bytes;
    RETURN_IF_ERROR(objects_.Read(at, 0, size, &bytes));
    RETURN_IF_ERROR(Parse(bytes, looked));
    UploadRow& row = looked->clip.upload;
    for (int i = 0; i < looked->clip.manifest.objects_size(); ++i) {
      const v1::ClipObject& object = looked->clip.manifest.objects(i);
      row.size_bytes += object.size_bytes();
      RETURN_IF_ERROR(Annotate(CheckDigest(row.blobs[static_cast<size_t>(i)], object),
                               fmt::format("object {}", i)));
    }
    row.blobs.push_back(at);
    return absl::OkStatus();
  }

  absl::Status Parse(std::string_view bytes, Looked* looked) const {
    ASSIGN_OR_RETURN(UnsealedDescription described, Unseal(bytes, store_id_));
    v1::ClipManifest& manifest = looked->clip.manifest;
    if (!manifest.ParseFromString(described.manifest)) {
      return absl::DataLossError("its manifest can't be parsed");
    }
    UploadRow& row = looked->clip.upload;
    row.device = manifest.device();
    row.key.sequence = manifest.key().sequence();
    ASSIGN_OR_RETURN(row.key.boot_id, BootIdFromBytes(manifest.key().boot_id()));
    row.manifest_sha256 = Sha256::Of(described.manifest);
    row.manifest = std::move(described.manifest);
    row.blobs = std::move(described.objects);
    row.begun_unix_ns = looked->clip.committed_unix_ns = described.committed_unix_ns;
    if (row.blobs.size() != static_cast<size_t>(manifest.objects_size())) {
      return absl::DataLossError("it describes other objects than its manifest");
    }
    return absl::OkStatus();
  }

  absl::Status CheckDigest(const ObjectKey& key, const v1::ClipObject& object) {
    Sha256 sha256;
    std::string piece;
    for (uint64_t at = 0; at < object.size_bytes(); at += piece.size()) {
      RETURN_IF_ERROR(
          objects_.Read(key, at, std::min(kPieceBytes, object.size_bytes() - at), &piece));
      sha256.Update(piece);
    }
    if (AsBytes(sha256.Finish()) == object.sha256()) return absl::OkStatus();
    return absl::DataLossError("it has another SHA-256 than its manifest says");
  }

  Database& database_;
  ObjectStore& objects_;
  const std::string store_id_;
  const Progress& progress_;
  Uploads uploads_;
  std::unordered_map<std::string, Found> found_;  // by the clip's id
  RecoverResult result_;
};

absl::Status Refused(std::string_view what) {
  return absl::FailedPreconditionError(fmt::format("{} Nothing was changed", what));
}

// That there is no catalog which knows more than what can be made.
absl::Status CheckLost(const absl::StatusOr<FolderState>& state, const std::string& catalog) {
  if (absl::IsDataLoss(state.status())) return absl::OkStatus();  // damaged
  RETURN_IF_ERROR(state.status());
  if (state->catalog.schema == 0 || !state->catalog.names_any) return absl::OkStatus();
  return Refused(
      fmt::format("{} knows of clips. Start the server with it; or, if it can't be used, put a "
                  "backup back (`gleaner-cloud restore --help`), or move it away and recover what "
                  "the objects say of themselves.",
                  catalog));
}

// A new catalog that replaces what lies at `catalog`, once it is whole.
class NewCatalog {
 public:
  static absl::StatusOr<NewCatalog> Make(const std::string& catalog) {
    NewCatalog made(catalog);
    for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((made.next_ + suffix).c_str());
    ASSIGN_OR_RETURN(made.database_, Database::Open(made.next_, AllRooms().tables));
    return made;
  }
  Database& database() { return *database_; }

  // Where the catalog that was there is now. `mark` makes it the store's in between.
  absl::StatusOr<std::string> Install(Clock& clock, const std::function<absl::Status()>& mark) {
    database_.reset();
    if (HasCatalogLog(next_)) {
      return absl::InternalError(fmt::format("{}-wal was left behind", next_));
    }
    GLEANER_CRASH_POINT("recover.catalog_ready");
    RETURN_IF_ERROR(mark());
    ASSIGN_OR_RETURN(std::string aside, SetCatalogAside(catalog_, "recover", clock));
    RETURN_IF_ERROR(InstallCatalog(next_, catalog_));
    return aside;
  }

 private:
  explicit NewCatalog(const std::string& catalog) : catalog_(catalog), next_(catalog + ".next") {}
  std::string catalog_, next_;
  std::unique_ptr<Database> database_;
};

absl::StatusOr<RecoverResult> RecoverFolder(const std::string& data_dir, Clock& clock,
                                            const Progress& progress) {
  const std::string catalog = CatalogPath(data_dir), blobs_path = BlobsPath(data_dir);
  RETURN_IF_ERROR(CheckLost(InspectFolder(data_dir, AllRooms()), catalog));
  ASSIGN_OR_RETURN(const Fd lock, LockDataFolder(data_dir));
  ASSIGN_OR_RETURN(const auto mark, ReadStoreMark(blobs_path));
  if (!mark) {
    return Refused(
        fmt::format("{} isn't there: without it nobody can tell what this store wrote "
                    "from what devices sent.",
                    StoreMarkPath(blobs_path)));
  }
  ASSIGN_OR_RETURN(auto blobs, FileBlobStore::Open(blobs_path));
  ASSIGN_OR_RETURN(NewCatalog next, NewCatalog::Make(catalog));
  ASSIGN_OR_RETURN(RecoverResult result,
                   Recovery(next.database(), *blobs, mark->id, progress).Run());
  BlobNames names(next.database(), AllRooms().naming);
  ASSIGN_OR_RETURN(result.unnamed_bytes, KeepUnnamed(names, *blobs, clock));
  ASSIGN_OR_RETURN(StoreIdentity identity, names.GetIdentity());
  identity.id = mark->id;
  identity.named = std::max(identity.named, mark->named);
  ASSIGN_OR_RETURN(identity.history, NewStoreId());
  RETURN_IF_ERROR(names.SetIdentity(identity));
  ASSIGN_OR_RETURN(result.set_aside,
                   next.Install(clock, [&] { return WriteStoreMark(blobs_path, identity); }));
  return result;
}

// What lies in the bucket and no clip names.
absl::StatusOr<uint64_t> GiveUpThumbnails(Database& database, s3::S3ObjectStore& objects) {
  uint64_t bytes = 0;
  std::vector<ObjectKey> thumbnails;
  RETURN_IF_ERROR(objects.List("clips/", [&](const ObjectKey& key, uint64_t size) -> absl::Status {
    ASSIGN_OR_RETURN(const bool named, database.Read([&](Sql& sql) -> absl::StatusOr<bool> {
      return NamesBlob(sql, AllRooms().naming, key);
    }));
    if (named) return absl::OkStatus();
    bytes += size;
    if (key.find("/thumbnail-") != std::string::npos) thumbnails.push_back(key);
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(database.Write([&](Sql& sql) {
    for (const ObjectKey& key : thumbnails) AddRubbish(sql, key, "", 0);
    return absl::OkStatus();
  }));
  return bytes;
}

absl::StatusOr<RecoverResult> FromBucket(Database& database, s3::S3ObjectStore& objects,
                                         const std::string& id, const Progress& progress) {
  ASSIGN_OR_RETURN(RecoverResult result, Recovery(database, objects, id, progress).Run());
  ASSIGN_OR_RETURN(result.unnamed_bytes, GiveUpThumbnails(database, objects));
  return result;
}

// A PostgreSQL gets the clips that it doesn't know; all of them, if it is new.
absl::StatusOr<RecoverResult> RecoverInto(const std::string& name, s3::S3ObjectStore& objects,
                                          const std::string& bucket, const std::string& id,
                                          const Progress& progress) {
  ASSIGN_OR_RETURN(const auto database, Database::Open(name, AllRooms().tables));
  BlobNames names(*database, AllRooms().naming);
  ASSIGN_OR_RETURN(const StoreIdentity identity, names.GetIdentity());
  if (!identity.id.empty() && identity.id != id) {
    return Refused(fmt::format("{} is the catalog of store {}, and {} is that of store {}.",
                               database->name(), identity.id, bucket, id));
  }
  ASSIGN_OR_RETURN(RecoverResult result, FromBucket(*database, objects, id, progress));
  RETURN_IF_ERROR(names.Adopt(id).status());
  return result;
}

absl::StatusOr<RecoverResult> RecoverBucket(const std::string& data_dir, const StoreConfig& store,
                                            const std::string& database_name, Clock& clock,
                                            const Progress& progress) {
  const std::string catalog = CatalogPath(data_dir);
  RETURN_IF_ERROR(MakeDirectories(data_dir));
  ASSIGN_OR_RETURN(const Fd lock, LockDataFolder(data_dir));
  s3::Client client(store.bucket, clock);
  s3::S3ObjectStore objects(client, nullptr, {.copies = data_dir});
  ASSIGN_OR_RETURN(const auto id, s3::ReadBucketMark(objects, client.name()));
  if (!id) {
    return Refused(
        fmt::format("{} doesn't say which store it is: it isn't one that this server "
                    "has worked with, or has another prefix.",
                    client.name()));
  }
  if (!database_name.empty()) {
    return RecoverInto(database_name, objects, client.name(), *id, progress);
  }
  const auto state = InspectFolder(data_dir, AllRooms());
  if (!CheckLost(state, catalog).ok()) {
    RETURN_IF_ERROR(state.status());
    if (state->catalog.identity.id != *id) {
      return Refused(fmt::format("{} is the catalog of store {}, and {} is that of store {}.",
                                 catalog, state->catalog.identity.id, client.name(), *id));
    }
    ASSIGN_OR_RETURN(const auto database, Database::Open(catalog, AllRooms().tables));
    return FromBucket(*database, objects, *id, progress);
  }
  ASSIGN_OR_RETURN(NewCatalog next, NewCatalog::Make(catalog));
  ASSIGN_OR_RETURN(RecoverResult result, FromBucket(next.database(), objects, *id, progress));
  RETURN_IF_ERROR(BlobNames(next.database(), AllRooms().naming).Adopt(*id).status());
  ASSIGN_OR_RETURN(result.set_aside, next.Install(clock, [] { return absl::OkStatus(); }));
  return result;
}

}  // namespace

absl::StatusOr<RecoverResult> Recover(const std::string& data_dir, const StoreConfig& store,
                                      const std::string& database, Clock& clock,
                                      const Progress& progress) {
  if (store.in_bucket) return RecoverBucket(data_dir, store, database, clock, progress);
  if (!database.empty()) {
    return absl::FailedPreconditionError(
        "a catalog of files is recovered into a file: leave database.url out, recover, and keep "
        "that catalog, or bring the database back from its own backup");
  }
  return RecoverFolder(data_dir, clock, progress);
}

}  // namespace gleaner::cloud
