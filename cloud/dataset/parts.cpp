#include "cloud/dataset/parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "cloud/database/columns.h"
#include "common/crash_point.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

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

PartWriter::~PartWriter() {
  if (kept_) return;
  for (const Part& part : parts_) (void)objects_.Remove(part.blob);
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
  sha256_ = hash_.Finish();
  return absl::OkStatus();
}

absl::Status PartWriter::Put() {
  auto key = objects_.Put({.device = "datasets",
                           .clip = {},
                           .part = fmt::format("part-{}", parts_.size()),
                           .content_type = "application/octet-stream"},
                          held_);
  if (!key.ok()) return Annotate(key.status(), "store a part of a dataset");
  parts_.push_back({.blob = *std::move(key),
                    .at = parts_.empty() ? 0 : parts_.back().at + parts_.back().bytes,
                    .bytes = held_.size(),
                    .sha256 = Sha256::Of(held_)});
  held_.clear();
  GLEANER_CRASH_POINT("dataset.part_stored");
  return absl::OkStatus();
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

uint64_t InsertParts(Sql& sql, std::string_view owner, const std::vector<Part>& parts) {
  uint64_t first = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    uint64_t number = 0;
    sql.Query(
        "INSERT INTO dataset_part (owner, position, at, bytes, blob, sha256) VALUES (:owner, "
        ":position, :at, :bytes, :blob, :sha256) RETURNING number",
        In(owner, i, parts[i].at, parts[i].bytes, parts[i].blob, HexOf(parts[i].sha256)),
        Out(number), [] {});
    if (i == 0) first = number;
  }
  if (!parts.empty()) CountNames(sql, static_cast<int64_t>(parts.size()));
  return first;
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
