#include "cloud/dataset/parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "cloud/database/columns.h"
#include "common/crash_point.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr std::string_view kAttempt = "attempt ";

absl::Status ForEachPart(Sql& sql, const std::function<absl::Status(const NamedBlob&)>& each) {
  std::vector<NamedBlob> all;
  std::string blob, owner, sha256;
  sql.Query(
      "SELECT blob, owner, sha256 FROM dataset_part ORDER BY number", In(),
      Out(blob, owner, sha256), [&] {
        all.push_back({.id = blob, .clip = "dataset " + owner, .sha256 = DigestFromHex(sha256)});
      });
  for (const NamedBlob& one : all) RETURN_IF_ERROR(each(one));
  return absl::OkStatus();
}

}  // namespace

std::string AttemptOwner(const JobClaim& claim, size_t file) {
  return fmt::format("{}{} {} {}", kAttempt, claim.number, claim.claim, file);
}

PartWriter::~PartWriter() {
  if (kept_ || parts_.empty()) return;
  // Where that can't be done, the next job gives them up.
  (void)database_.Write([&](Sql& sql) {
    RemoveParts(sql, owner_);
    return absl::OkStatus();
  });
}

absl::Status PartWriter::Append(std::string_view bytes) {
  hash_.Update(bytes);
  size_ += bytes.size();
  while (!bytes.empty()) {
    const size_t taken = std::min(bytes.size(), kPartBytes - held_.size());
    held_ += bytes.substr(0, taken);
    bytes.remove_prefix(taken);
    if (held_.size() == kPartBytes) RETURN_IF_ERROR(Put());
  }
  return absl::OkStatus();
}

absl::Status PartWriter::End() {
  if (!held_.empty()) RETURN_IF_ERROR(Put());
  std::string().swap(held_);  // there may be hundreds of files
  sha256_ = hash_.Finish();
  return absl::OkStatus();
}

absl::Status PartWriter::Put() {
  Part part{.blob = {},
            .at = parts_.empty() ? 0 : parts_.back().at + parts_.back().bytes,
            .bytes = held_.size(),
            .sha256 = Sha256::Of(held_)};
  RETURN_IF_ERROR(PutNamed(database_, objects_, fmt::format("part-{}", parts_.size()), held_,
                           leave_free_, [&](Sql& sql, const ObjectKey& blob) {
                             part.blob = blob;
                             InsertPart(sql, owner_, parts_.size(), part);
                             return absl::OkStatus();
                           }));
  parts_.push_back(std::move(part));
  held_.clear();
  GLEANER_CRASH_POINT("dataset.part_named");
  return absl::OkStatus();
}

void PartWriter::GiveTo(Sql& sql, std::string_view owner) const {
  sql.Run("UPDATE dataset_part SET owner = :owner WHERE owner = :attempt", In(owner, owner_));
}

absl::Status PutNamed(Database& database, ObjectStore& objects, std::string_view what,
                      std::string_view bytes, uint64_t leave_free,
                      const std::function<absl::Status(Sql& sql, const ObjectKey& blob)>& with) {
  RETURN_IF_ERROR(Annotate(objects.CheckRoom(bytes.size(), leave_free), "store a dataset"));
  auto key = objects.Put({.device = "datasets",
                          .clip = {},
                          .part = std::string(what),
                          .content_type = "application/octet-stream"},
                         bytes);
  if (!key.ok()) return Annotate(key.status(), "store a dataset");
  GLEANER_CRASH_POINT("dataset.object_stored");
  const absl::Status named = database.Write([&](Sql& sql) { return with(sql, *key); });
  // After a commit that nobody knows the end of, it may be named: then it stays.
  if (!named.ok() && !absl::IsUnavailable(named)) (void)objects.Remove(*key);
  return named;
}

absl::Status GiveUpLostParts(Database& database) {
  return database.Write([](Sql& sql) {
    std::vector<std::string> owners;
    std::string owner;
    sql.Query("SELECT DISTINCT owner FROM dataset_part WHERE owner LIKE :attempt",
              In(std::string(kAttempt) + "%"), Out(owner), [&] { owners.push_back(owner); });
    for (const std::string& one : owners) {
      JobClaim claim;
      const std::vector<std::string> words = absl::StrSplit(one, ' ');
      const bool known = words.size() == 4 && absl::SimpleAtoi(words[1], &claim.number) &&
                         absl::SimpleAtoi(words[2], &claim.claim);
      if (!known || !IsHeld(sql, claim)) RemoveParts(sql, one);
    }
    return absl::OkStatus();
  });
}

absl::Status PartReader::Read(uint64_t offset, size_t size, std::string* piece) const {
  const auto after =
      std::upper_bound(parts_.begin(), parts_.end(), offset,
                       [](uint64_t wanted, const Part& part) { return wanted < part.at; });
  if (after == parts_.begin() || offset >= this->size()) {
    return absl::OutOfRangeError(fmt::format("byte {} of {}", offset, this->size()));
  }
  const Part& part = *(after - 1);
  const uint64_t within = offset - part.at;
  return objects_.Read(part.blob, within, std::min<uint64_t>(size, part.bytes - within), piece);
}

uint64_t InsertPart(Sql& sql, std::string_view owner, size_t position, const Part& part) {
  uint64_t number = 0;
  sql.Query(
      "INSERT INTO dataset_part (owner, position, at, bytes, blob, sha256) VALUES (:owner, "
      ":position, :at, :bytes, :blob, :sha256) RETURNING number",
      In(owner, position, part.at, part.bytes, part.blob, HexOf(part.sha256)), Out(number), [] {});
  CountNames(sql, 1);
  return number;
}

std::vector<Part> ReadParts(Sql& sql, std::string_view owner) {
  std::vector<Part> parts;
  Part part;
  std::string sha256;
  sql.Query(
      "SELECT blob, at, bytes, sha256 FROM dataset_part WHERE owner = :owner ORDER BY position",
      In(owner), Out(part.blob, part.at, part.bytes, sha256), [&] {
        part.sha256 = DigestFromHex(sha256);
        parts.push_back(part);
      });
  return parts;
}

void RemoveParts(Sql& sql, std::string_view owner) {
  const std::vector<Part> parts = ReadParts(sql, owner);
  if (parts.empty()) return;
  for (const Part& part : parts) AddRubbish(sql, part.blob, "", 0);
  sql.Run("DELETE FROM dataset_part WHERE owner = :owner", In(owner));
  CountNames(sql, -static_cast<int64_t>(parts.size()));
}

NamingTable PartNames() { return {.table = "dataset_part", .for_each = &ForEachPart}; }

}  // namespace gleaner::cloud
