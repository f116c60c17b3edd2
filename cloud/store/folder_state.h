// What lies in a data folder, looked at without changing anything, and what may be done with it.
//
// A server's data is two things that make sense only together: the catalog (catalog.db) and the
// blobs (blobs/). Whoever opens both must be sure that they belong together and that the catalog
// is as young as the blobs: it alone says what may be removed, and an older one doesn't know of
// clips that came after it. So both say which store they are, in which history, and how often blobs
// were given a name (StoreIdentity; the blobs in BLOBS/store, see store_mark.h):
//
//   - The id is made once. Another id on either side: folders of two servers were mixed up.
//   - The history is made anew when a backup is made or put back, so a catalog out of a backup is
//     told from the one that went on without it.
//   - The number never falls. A catalog whose number is below the blobs' is a copy of an earlier
//     day, however it was made and put there.
//   - A catalog counts the names that it has given, so one that lost rows is found as well.
//
// Only where all of that fits may the server start and its sweep remove what is not named.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/store/blob_names.h"

namespace gleaner::cloud {

struct CatalogState {
  bool exists = false;        // there is a file, or a server that answers
  uint64_t schema = 0;        // see SchemaNumber; 0: nothing is in it
  bool has_identity = false;  // of a version that says which store it is
  bool needs_migration = false;
  uint64_t size_bytes = 0;  // with its log
  StoreIdentity identity;   // empty before it was said
  uint64_t names = 0;       // of blobs, by its own count
  bool names_any = false;   // there is such a name
  bool finds_any = false;   // and at least one such blob
};

struct BlobsState {
  bool has_data = false;   // bytes of any blob, named or not
  bool has_loose = false;  // the layout of earlier versions, a file a blob: see loose_blobs.h
  std::optional<StoreIdentity> mark;
};

struct FolderState {
  std::string database;      // what Database::Open takes
  std::string catalog_path;  // the same for people: a file, or a URI without its password
  std::string blobs_path;
  CatalogState catalog;
  BlobsState blobs;
};

std::string CatalogPath(const std::string& data_dir);
std::string BlobsPath(const std::string& data_dir);

// Works beside a running server. `database`: a PostgreSQL (postgres.h) that is the catalog in the
// place of catalog.db; empty for the file. DATA_LOSS if one of the two can't be read for what it
// is, FAILED_PRECONDITION if a newer program wrote it, UNAVAILABLE if PostgreSQL doesn't answer.
absl::StatusOr<FolderState> InspectFolder(const std::string& data_dir, const StoreRooms& rooms,
                                          const std::string& database = "");

enum class Admission {
  kOpen,   // both are one store
  kAdopt,  // nothing is there, or both are of a version that didn't say who they are
  kJoin,   // a new catalog for blobs that never held a clip
};

// FAILED_PRECONDITION, and a sentence that names both places, says what probably happened and leads
// on, if they don't belong together.
absl::StatusOr<Admission> Judge(const FolderState& state);

}  // namespace gleaner::cloud
