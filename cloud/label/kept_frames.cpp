#include "cloud/label/kept_frames.h"

#include <fmt/format.h>

#include "common/clip_id.h"
#include "common/name.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

FrameName NameOf(const v1::FrameId& id) {
  return {.clip = id.clip(), .camera = id.camera(), .pts = id.pts()};
}

}  // namespace

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

absl::StatusOr<uint64_t> FindFrame(Sql& sql, const v1::FrameId& id, std::string_view where) {
  RETURN_IF_ERROR(CheckFrameId(id, where));
  if (const uint64_t kept = FindKeptFrame(sql, id); kept != 0) return kept;
  const auto frame = ReadFrame(sql, NameOf(id));
  if (frame.ok()) return 0;
  return Annotate(frame.status(), where);
}

absl::StatusOr<uint64_t> KeepFrame(Sql& sql, const v1::FrameId& id) {
  uint64_t number = FindKeptFrame(sql, id);
  if (number != 0) return number;
  const auto frame = ReadFrame(sql, NameOf(id));
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

v1::Frame ReadKeptFrame(Sql& sql, uint64_t number) {
  v1::Frame kept;
  FrameName name;
  std::string device, site, rule;
  uint32_t width = 0, height = 0;
  int64_t taken_ns = 0;
  sql.Query(
      "SELECT clip, camera, pts, width, height, device, site, rule, taken_ns FROM label_frame "
      "WHERE number = :number",
      In(number),
      Out(name.clip, name.camera, name.pts, width, height, device, site, rule, taken_ns), [] {});
  if (auto now = ReadFrame(sql, name); now.ok()) return *std::move(now);
  kept.mutable_id()->set_clip(name.clip);
  kept.mutable_id()->set_camera(name.camera);
  kept.mutable_id()->set_pts(name.pts);
  kept.set_width(width);
  kept.set_height(height);
  kept.set_device(device);
  kept.set_site(site);
  kept.set_rule(rule);
  kept.set_taken_unix_ns(taken_ns);
  return kept;
}

}  // namespace gleaner::cloud
