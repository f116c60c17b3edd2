#include "cloud/label/labelled_frames.h"

#include <fmt/format.h>

#include "common/clip_id.h"
#include "common/name.h"
#include "common/status.h"

namespace gleaner::cloud {

absl::Status CheckFrameId(const v1::FrameId& id, std::string_view where) {
  if (!IsClipId(id.clip())) {
    return absl::InvalidArgumentError(
        fmt::format("{}.clip: {} hexadecimal digits", where, kClipIdDigits));
  }
  if (!IsName(id.camera())) {
    return absl::InvalidArgumentError(fmt::format("{}.camera: the name of a camera", where));
  }
  return absl::OkStatus();
}

uint64_t FindKeptFrame(Sql& sql, const v1::FrameId& id) {
  uint64_t number = 0;
  sql.Query("SELECT number FROM label_frame WHERE clip = :clip AND camera = :camera AND pts = :pts",
            In(id.clip(), id.camera(), id.pts()), Out(number), [] {});
  return number;
}

absl::Status CheckFrameIsThere(Sql& sql, const v1::FrameId& id, std::string_view where) {
  RETURN_IF_ERROR(CheckFrameId(id, where));
  if (FindKeptFrame(sql, id) != 0) return absl::OkStatus();
  const auto frame = ReadFrame(sql, {.clip = id.clip(), .camera = id.camera(), .pts = id.pts()});
  if (frame.ok()) return absl::OkStatus();
  return absl::Status(frame.status().code(), fmt::format("{}: {}", where, Message(frame.status())));
}

absl::StatusOr<uint64_t> KeepFrame(Sql& sql, const v1::FrameId& id) {
  uint64_t number = FindKeptFrame(sql, id);
  if (number != 0) return number;
  const auto frame = ReadFrame(sql, {.clip = id.clip(), .camera = id.camera(), .pts = id.pts()});
  if (!frame.ok()) return absl::InternalError(std::string(Message(frame.status())));
  sql.Query(
      "INSERT INTO label_frame (clip, camera, pts, width, height, device, site, rule, taken_ns) "
      "VALUES (:clip, :camera, :pts, :width, :height, :device, :site, :rule, :taken) RETURNING "
      "number",
      In(id.clip(), id.camera(), id.pts(), frame->width(), frame->height(), frame->device(),
         frame->site(), frame->rule(), frame->taken_unix_ns()),
      Out(number), [] {});
  return number;
}

}  // namespace gleaner::cloud
