#include "cloud/dataset/kept_pictures.h"

#include <fmt/format.h>

#include "cloud/database/columns.h"
#include "cloud/dataset/parts.h"
#include "common/crash_point.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kPackBytes = kPartBytes;

}  // namespace

absl::StatusOr<PictureFacts> PicturePacker::Keep(const FrameName& frame) {
  PictureFacts facts;
  ASSIGN_OR_RETURN(const bool kept, database_.Read([&](Sql& sql) -> absl::StatusOr<bool> {
    return sql.Query(
        "SELECT bytes, sha256 FROM dataset_picture WHERE clip = :clip AND camera "
        "= :camera AND pts = :pts",
        In(frame.clip, frame.camera, frame.pts), Out(facts.bytes, facts.sha256), [] {});
  }));
  if (kept) return facts;
  ASSIGN_OR_RETURN(const std::string jpeg, decode_(frame));
  if (!pack_.empty() && pack_.size() + jpeg.size() > kPackBytes) RETURN_IF_ERROR(Flush());
  facts = {.bytes = jpeg.size(), .sha256 = HexOf(Sha256::Of(jpeg))};
  held_.push_back({.frame = frame, .at = pack_.size(), .facts = facts});
  pack_ += jpeg;
  return facts;
}

absl::Status PicturePacker::Flush() {
  if (held_.empty()) return absl::OkStatus();
  auto key = objects_.Put({.device = "datasets",
                           .clip = {},
                           .part = "pictures",
                           .content_type = "application/octet-stream"},
                          pack_);
  if (!key.ok()) return Annotate(key.status(), "store pictures of a dataset");
  GLEANER_CRASH_POINT("dataset.pictures_stored");
  const std::vector<Part> parts = {
      {.blob = *key, .at = 0, .bytes = pack_.size(), .sha256 = Sha256::Of(pack_)}};
  const absl::Status named = database_.Write([&](Sql& sql) {
    const uint64_t part = InsertParts(sql, "pictures " + parts[0].blob, parts);
    for (const Held& one : held_) {
      // Another job may have kept it meanwhile: the first one counts.
      sql.Run(
          "INSERT INTO dataset_picture (clip, camera, pts, part, at, bytes, sha256) VALUES (:clip, "
          ":camera, :pts, :part, :at, :bytes, :sha256) ON CONFLICT (clip, camera, pts) DO NOTHING",
          In(one.frame.clip, one.frame.camera, one.frame.pts, part, one.at, one.facts.bytes,
             one.facts.sha256));
    }
    return absl::OkStatus();
  });
  if (!named.ok()) {
    // After a commit that nobody knows the end of, it may be named: then it stays.
    if (!absl::IsUnavailable(named)) (void)objects_.Remove(*key);
    return named;
  }
  GLEANER_CRASH_POINT("dataset.pictures_named");
  pack_.clear();
  held_.clear();
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadKeptPicture(Database& database, ObjectStore& objects,
                                            const FrameName& frame, std::string_view sha256) {
  ObjectKey blob;
  uint64_t at = 0, bytes = 0;
  ASSIGN_OR_RETURN(const bool found, database.Read([&](Sql& sql) -> absl::StatusOr<bool> {
    return sql.Query(
        "SELECT dataset_part.blob, dataset_picture.at, dataset_picture.bytes FROM "
        "dataset_picture JOIN dataset_part ON dataset_part.number = dataset_picture.part WHERE "
        "dataset_picture.clip = :clip AND dataset_picture.camera = :camera AND "
        "dataset_picture.pts = :pts",
        In(frame.clip, frame.camera, frame.pts), Out(blob, at, bytes), [] {});
  }));
  std::string jpeg;
  if (found) RETURN_IF_ERROR(objects.Read(blob, at, bytes, &jpeg));
  if (!found || HexOf(Sha256::Of(jpeg)) != sha256) {
    return absl::DataLossError(fmt::format("the picture of frame {}/{}/{} is {}", frame.clip,
                                           frame.camera, frame.pts, found ? "damaged" : "gone"));
  }
  return jpeg;
}

}  // namespace gleaner::cloud
