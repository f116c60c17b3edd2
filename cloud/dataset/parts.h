// Long files in the object store, as objects of at most 8 MiB, so that neither writing nor reading
// one holds more than that in memory.
//
// Order of writes: each object → the row that names it, of the attempt that makes the file → the
// file's own name for all of its rows, in the transaction that makes its owner known. Between the
// first two a crash leaves one object that nothing names; between the last two rows of an attempt
// that is lost, which the next attempt of any job gives up. So however long a file takes, nothing
// sweeps what was written of it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cloud/database/database.h"
#include "cloud/jobs/jobs.h"
#include "cloud/store/blob_names.h"
#include "cloud/store/object_store.h"
#include "common/digest.h"

namespace gleaner::cloud {

inline constexpr size_t kPartBytes = 8 << 20;

struct Part {
  ObjectKey blob;
  uint64_t at = 0;  // where it begins in the file
  uint64_t bytes = 0;
  Sha256Digest sha256{};
};

// Whose parts are until their file is known: the `file`th of an attempt at a job.
std::string AttemptOwner(const JobClaim& claim, size_t file = 0);

class PartWriter {
 public:
  // `owner`: AttemptOwner. `leave_free`: see ObjectStore::CheckRoom. The first two must outlive it.
  PartWriter(Database& database, ObjectStore& objects, std::string owner, uint64_t leave_free)
      : database_(database), objects_(objects), owner_(std::move(owner)), leave_free_(leave_free) {}
  // What was made is given up, unless Keep was called.
  ~PartWriter();
  PartWriter(const PartWriter&) = delete;
  PartWriter& operator=(const PartWriter&) = delete;

  absl::Status Append(std::string_view bytes);
  // Nothing follows. On return all of it is on stable storage and named.
  absl::Status End();
  // Within a transaction; may throw SqlError. They are `owner`'s from then on.
  void GiveTo(Sql& sql, std::string_view owner) const;
  // That transaction was committed.
  void Keep() { kept_ = true; }

  uint64_t size() const { return size_; }
  const std::vector<Part>& parts() const { return parts_; }
  const Sha256Digest& sha256() const { return sha256_; }  // of all of it, after End

 private:
  absl::Status Put();

  Database& database_;
  ObjectStore& objects_;
  const std::string owner_;
  const uint64_t leave_free_;
  std::string held_;
  uint64_t size_ = 0;
  Sha256 hash_;
  Sha256Digest sha256_{};
  std::vector<Part> parts_;
  bool kept_ = false;
};

// Reads from anywhere; DATA_LOSS where a part is shorter than it was.
class PartReader {
 public:
  PartReader(ObjectStore& objects, std::vector<Part> parts)
      : objects_(objects), parts_(std::move(parts)) {}
  uint64_t size() const { return parts_.empty() ? 0 : parts_.back().at + parts_.back().bytes; }
  // Replaces *piece with between 1 and `size` bytes; OUT_OF_RANGE at the end.
  absl::Status Read(uint64_t offset, size_t size, std::string* piece) const;

 private:
  ObjectStore& objects_;
  std::vector<Part> parts_;
};

// One object, named in the transaction that writes `with`, which is told the number of its row.
absl::Status PutNamed(Database& database, ObjectStore& objects, std::string_view what,
                      std::string_view bytes, uint64_t leave_free,
                      const std::function<absl::Status(Sql& sql, const ObjectKey& blob)>& with);

// What attempts left that hold their jobs no more becomes rubbish.
absl::Status GiveUpLostParts(Database& database);

// --- within a transaction; may throw SqlError

// The object is named from now on, as the `position`th of its owner. The number of its row.
uint64_t InsertPart(Sql& sql, std::string_view owner, size_t position, const Part& part);
std::vector<Part> ReadParts(Sql& sql, std::string_view owner);
// They become rubbish.
void RemoveParts(Sql& sql, std::string_view owner);
// For the store.
NamingTable PartNames();

}  // namespace gleaner::cloud
