// Long files in the object store, as objects of at most 8 MiB, so that neither writing nor reading
// one holds more than that in memory.
//
// Order of writes: objects → rows that name them, in the transaction that makes their owner known.
// A crash between the two leaves objects that nothing names; the store sweeps those.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cloud/database/sql.h"
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

class PartWriter {
 public:
  explicit PartWriter(ObjectStore& objects) : objects_(objects) {}
  // What was made is removed, unless Keep was called.
  ~PartWriter();
  PartWriter(const PartWriter&) = delete;
  PartWriter& operator=(const PartWriter&) = delete;

  absl::Status Append(std::string_view bytes);
  // Nothing follows. On return all of it is on stable storage.
  absl::Status End();
  // They are named.
  void Keep() { kept_ = true; }

  uint64_t size() const { return size_; }
  const std::vector<Part>& parts() const { return parts_; }
  const Sha256Digest& sha256() const { return sha256_; }  // of all of it, after End

 private:
  absl::Status Put();

  ObjectStore& objects_;
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

// --- within a transaction; may throw SqlError

// The file's objects are named from now on. The number of the first.
uint64_t InsertParts(Sql& sql, std::string_view owner, const std::vector<Part>& parts);
std::vector<Part> ReadParts(Sql& sql, std::string_view owner);
// They become rubbish.
void RemoveParts(Sql& sql, std::string_view owner);
// For the store.
NamingTable PartNames();

}  // namespace gleaner::cloud
