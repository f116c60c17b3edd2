#include "cloud/dataset/kept_pictures.h"

#include <fmt/format.h>

#include "cloud/database/columns.h"
#include "cloud/dataset/parts.h"
#include "common/crash_point.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kPackBytes = kPartBytes;

absl::StatusOr<std::optional<PictureFacts>> FindKept(Database& database, const FrameName& frame) {
  return database.Read([&](Sql& sql) -> absl::StatusOr<std::optional<PictureFacts>> {
    PictureFacts facts;
    const bool found = sql.Query(
        "SELECT bytes, sha256 FROM dataset_picture WHERE clip = :clip AND camera = :camera AND "
        "pts = :pts",
        In(frame.clip, frame.camera, frame.pts), Out(facts.bytes, facts.sha256), [] {});
    return found ? std::make_optional(facts) : std::nullopt;
  });
}

}  // namespace

absl::StatusOr<PictureFacts> PicturePacker::Keep(const FrameName& frame) {
  ASSIGN_OR_RETURN(const auto kept, FindKept(database_, frame));
  if (kept) return *kept;
  ASSIGN_OR_RETURN(const std::string jpeg, decode_(frame, stop_));
  if (!pack_.empty() && pack_.size() + jpeg.size() > kPackBytes) RETURN_IF_ERROR(Flush());
  const PictureFacts facts = {.bytes = jpeg.size(), .sha256 = HexOf(Sha256::Of(jpeg))};
  held_.push_back({.frame = frame, .at = pack_.size(), .facts = facts});
  pack_ += jpeg;
  return facts;
}

absl::Status PicturePacker::Flush() {
  if (held_.empty()) return absl::OkStatus();
  const auto name = [&](Sql& sql, const ObjectKey& blob) -> absl::Status {
    const uint64_t part =
        InsertPart(sql, "pictures " + blob, 0,
                   {.blob = blob, .at = 0, .bytes = pack_.size(), .sha256 = Sha256::Of(pack_)});
    for (const Held& one : held_) {
      // Another server may have kept it meanwhile: the first one counts.
      sql.Run(
          "INSERT INTO dataset_picture (clip, camera, pts, part, at, bytes, sha256) VALUES (:clip, "
          ":camera, :pts, :part, :at, :bytes, :sha256) ON CONFLICT (clip, camera, pts) DO NOTHING",
          In(one.frame.clip, one.frame.camera, one.frame.pts, part, one.at, one.facts.bytes,
             one.facts.sha256));
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(PutNamed(database_, objects_, "pictures", pack_, leave_free_, name));
  GLEANER_CRASH_POINT("dataset.pictures_named");
  for (const Held& one : held_) {
    ASSIGN_OR_RETURN(const auto kept, FindKept(database_, one.frame));
    if (kept && kept->sha256 == one.facts.sha256) continue;
    return absl::AbortedError(fmt::format(
        "another server has decoded frame {}/{}/{} meanwhile, and not to the same bytes",
        one.frame.clip, one.frame.camera, one.frame.pts));
  }
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
