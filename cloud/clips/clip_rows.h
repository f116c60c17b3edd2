// Clips as rows: what ingest writes and others read of them within their own transactions.
//
// A manifest is kept from its first progress or its commit on, with its objects' blobs. It is that
// of an upload under way (ingest/uploads.h) until a clip refers to it.
//
// All functions may throw SqlError.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cloud/database/schema.h"
#include "cloud/store/blob_names.h"
#include "cloud/store/object_store.h"
#include "common/clip_key.h"
#include "common/digest.h"
#include "gleaner/v1/catalog.pb.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud {

RoomTables ClipTables();
// The objects of manifests.
NamingTable ObjectNames();

struct ManifestRow {
  uint64_t number = 0;
  std::string bytes;
  Sha256Digest sha256{};
};

// One that is there already; its bytes may be many and are not read.
struct HeldManifest {
  uint64_t number = 0;
  Sha256Digest sha256{};
  bool committed = false;  // a clip refers to it
};

// A manifest that is to be kept, with the blobs of its objects in their order.
struct NewManifest {
  std::string_view device;
  ClipKey key;
  std::string_view bytes;
  Sha256Digest sha256{};
  const std::vector<BlobId>& blobs;
  // What they will be called as objects; none where that is the same.
  const std::vector<ObjectKey>& keys;
  int64_t begun_unix_ns = 0;
};

// Its number.
uint64_t InsertManifest(Sql& sql, const NewManifest& manifest);
// Its blobs become rubbish, and what may have been made of them.
void RemoveManifest(Sql& sql, uint64_t number);
std::optional<HeldManifest> FindManifest(Sql& sql, std::string_view device, const ClipKey& key);
// In the manifest's order.
std::vector<BlobId> ReadBlobs(Sql& sql, uint64_t manifest);
// Those that were given, and whose objects are yet to be made.
std::vector<ObjectKey> ReadKeys(Sql& sql, uint64_t manifest);
// They are made: the manifest names them in place of its blobs.
void NameObjects(Sql& sql, uint64_t manifest);

// The manifest becomes a clip's.
void InsertClip(Sql& sql, uint64_t number, std::string_view device, const ClipKey& key,
                const v1::ClipManifest& manifest, int64_t committed_unix_ns);
// NOT_FOUND without such a clip. Its check before is replaced.
absl::Status SetMedia(Sql& sql, std::string_view clip_id, const v1::MediaCheck& check,
                      uint64_t thumbnails, uint64_t* arrival);

absl::Status NoClip(std::string_view clip_id);
// NOT_FOUND, or the manifest of the clip.
absl::StatusOr<ManifestRow> ReadManifestOfClip(Sql& sql, std::string_view clip_id);

// Clips by device, of all or `only` one.
struct ClipCount {
  uint64_t clips = 0, bytes = 0;
};
std::map<std::string, ClipCount, std::less<>> CountClipsByDevice(Sql& sql, std::string_view only);

}  // namespace gleaner::cloud
