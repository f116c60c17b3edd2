#include "cloud/store/s3/bucket_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "cloud/store/data_folder.h"
#include "cloud/store/folder_state.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud::s3 {
namespace {

constexpr const char* kMark = "store";
constexpr std::string_view kTitle = "gleaner object store 1\nid ";
constexpr size_t kIdLetters = 32;

std::string MarkText(const std::string& id) { return fmt::format("{}{}\n", kTitle, id); }

// Whether there is an object of a clip.
absl::StatusOr<bool> HasClips(S3ObjectStore& objects) {
  const absl::Status first = objects.List(
      "clips/", [](const ObjectKey&, uint64_t) { return absl::AlreadyExistsError(""); });
  if (absl::IsAlreadyExists(first)) return true;
  RETURN_IF_ERROR(first);
  return false;
}

// OK if they belong together, or if nothing is in either.
absl::Status Judge(const CatalogState& catalog, const std::optional<std::string>& mark,
                   bool has_clips, const std::string& path, const std::string& bucket) {
  const auto refused = [](std::string_view what) {
    return absl::FailedPreconditionError(fmt::format("{} Nothing was changed", what));
  };
  if (catalog.identity.id.empty()) {
    if (catalog.names_any) {
      return refused(
          fmt::format("{} is the catalog of a store of files, not of {}.", path, bucket));
    }
    if (!has_clips) return absl::OkStatus();
    return refused(
        fmt::format("{} {}, and there are clips in {}: the catalog was lost, or the bucket is "
                    "another server's. `gleaner-cloud recover` makes a catalog of what is in it.",
                    path, catalog.exists ? "has nothing in it" : "is missing", bucket));
  }
  if (!mark) {
    if (!catalog.names_any) return absl::OkStatus();
    return refused(
        fmt::format("{} is the catalog of store {}, and {} isn't its bucket: it doesn't say "
                    "which store it is.",
                    path, catalog.identity.id, bucket));
  }
  if (*mark == catalog.identity.id) return absl::OkStatus();
  return refused(fmt::format("{} is the catalog of store {}, and {} is that of store {}.", path,
                             catalog.identity.id, bucket, *mark));
}

absl::Status Admit(const std::string& path, const StoreRooms& rooms, const std::string& database,
                   S3ObjectStore& objects, const std::string& bucket, FolderState* state,
                   std::optional<std::string>* mark) {
  ASSIGN_OR_RETURN(*state, InspectFolder(path, rooms, database));
  ASSIGN_OR_RETURN(*mark, ReadBucketMark(objects, bucket));
  ASSIGN_OR_RETURN(const bool has_clips, HasClips(objects));
  return Judge(state->catalog, *mark, has_clips, state->catalog_path, bucket);
}

}  // namespace

absl::StatusOr<std::optional<std::string>> ReadBucketMark(S3ObjectStore& objects,
                                                          const std::string& bucket) {
  const auto size = objects.SizeOf(kMark);
  if (absl::IsNotFound(size.status())) return std::nullopt;
  RETURN_IF_ERROR(size.status());
  std::string text;
  if (*size == kTitle.size() + kIdLetters + 1) {
    RETURN_IF_ERROR(objects.Read(kMark, 0, *size, &text));
    std::string id = text.substr(std::min(text.size(), kTitle.size()), kIdLetters);
    if (text == MarkText(id) && id.find_first_not_of("0123456789abcdef") == std::string::npos) {
      return id;
    }
  }
  return absl::FailedPreconditionError(
      fmt::format("the object \"{}\" in {} isn't one that this program wrote: the prefix is "
                  "somebody else's, or a newer gleaner-cloud's",
                  kMark, bucket));
}

absl::StatusOr<std::unique_ptr<BucketFolder>> BucketFolder::Open(
    const std::string& path, const StoreRooms& rooms, Clock& clock, const StoreConfig& store,
    uint64_t copy_floor_bytes, const std::string& database) {
  RETURN_IF_ERROR(MakeDirectories(path));
  auto folder = std::unique_ptr<BucketFolder>(new BucketFolder);
  ASSIGN_OR_RETURN(folder->lock_, LockDataFolder(path));
  const std::string staging = path + "/staging";
  ASSIGN_OR_RETURN(folder->staging_,
                   FileBlobStore::Open(
                       staging, {.copy_floor_bytes = copy_floor_bytes, .can_be_sent_again = true}));
  folder->client_ = std::make_unique<Client>(store.bucket, clock);
  folder->objects_ = std::make_unique<S3ObjectStore>(
      *folder->client_, folder->staging_.get(),
      S3ObjectOptions{
          .copies = staging, .copy_floor_bytes = copy_floor_bytes, .presign = store.presign});
  FolderState state;
  std::optional<std::string> mark;
  const std::string& name = folder->client_->name();
  RETURN_IF_ERROR(Admit(path, rooms, database, *folder->objects_, name, &state, &mark));
  RETURN_IF_ERROR(CopyBeforeMigration(state));
  ASSIGN_OR_RETURN(folder->database_, Database::Open(state.database, rooms.tables));
  folder->names_ = std::make_unique<BlobNames>(*folder->database_, rooms.naming);
  // The catalog says it first: of servers that start at once all then put the same.
  ASSIGN_OR_RETURN(StoreIdentity identity, folder->names_->GetIdentity());
  if (identity.id.empty()) {
    ASSIGN_OR_RETURN(identity.id, mark ? absl::StatusOr<std::string>(*mark) : NewStoreId());
    ASSIGN_OR_RETURN(identity, folder->names_->Adopt(identity.id));
  }
  if (!mark) {
    RETURN_IF_ERROR(folder->objects_->PutAt(kMark, MarkText(identity.id), "text/plain"));
    // Somebody else may have begun with the same bucket at the same moment.
    ASSIGN_OR_RETURN(mark, ReadBucketMark(*folder->objects_, name));
    RETURN_IF_ERROR(
        Judge({.exists = true, .identity = identity}, mark, false, state.catalog_path, name));
  }
  LOG_INFO("objects are kept in {}, store {}", name, identity.id);
  return folder;
}

absl::Status CheckBucketFolder(const std::string& path, const StoreRooms& rooms, Clock& clock,
                               const StoreConfig& store, const std::string& database) {
  Client client(store.bucket, clock);
  FolderState state;
  std::optional<std::string> mark;
  S3ObjectStore objects(client, nullptr, {.copies = path});
  return Admit(path, rooms, database, objects, client.name(), &state, &mark);
}

}  // namespace gleaner::cloud::s3
