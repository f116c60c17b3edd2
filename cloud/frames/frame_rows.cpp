#include "cloud/frames/frame_rows.h"

#include <array>
#include <cmath>
#include <functional>
#include <vector>

#include "cloud/frames/background.h"
#include "cloud/media/frame_times.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr std::array<std::string_view, 2> kMigrations = {
    R"(
  CREATE TABLE frame_video (
    arrival BIGINT NOT NULL, position BIGINT NOT NULL, camera TEXT NOT NULL,
    width BIGINT NOT NULL, height BIGINT NOT NULL, blob TEXT NOT NULL,
    PRIMARY KEY (arrival, position));
  CREATE INDEX frame_video_blob ON frame_video (blob);

  -- reasons: bits of media::ReasonBit. phash: 64 bits. From sharpness to motion: shares in
  -- millionths. thumbnail_at, thumbnail_bytes: where in frame_video's object.
  CREATE TABLE frame (
    arrival BIGINT NOT NULL, position BIGINT NOT NULL, pts BIGINT NOT NULL,
    reasons BIGINT NOT NULL, offset_ns BIGINT NOT NULL, taken_ns BIGINT NOT NULL,
    phash BIGINT NOT NULL, sharpness BIGINT NOT NULL, exposure BIGINT NOT NULL,
    clipped BIGINT NOT NULL, blocked BIGINT NOT NULL, motion BIGINT NOT NULL,
    background BIGINT NOT NULL, thumbnail_at BIGINT NOT NULL, thumbnail_bytes BIGINT NOT NULL,
    PRIMARY KEY (arrival, position, pts));

  -- Clips that were checked before there were frames are looked at once more, after all others.
  INSERT INTO job (kind, subject, share, state, priority, run_after_ns, attempts, max_attempts,
    claims, lease_ns, created_ns, started_ns, ended_ns, worker, progress, doing, parameters, result,
    error, cancel)
    SELECT 'media-check', id, device, 1, -1, 0, 0, 3, 0, 0, committed_ns, 0, 0, '', 0, '', '', '',
      '', 0 FROM clip WHERE media_state = 2 AND frame_count > 0 AND NOT EXISTS (SELECT 1 FROM job
      AS other WHERE other.subject = clip.id AND other.kind = 'media-check' AND other.state < 3)
      ORDER BY arrival;
  DELETE FROM tally WHERE dimension = 'job' AND value = '1 media-check';
  INSERT INTO tally (dimension, value, clips, bytes)
    SELECT 'job', '1 media-check', COUNT(*), 0 FROM job WHERE kind = 'media-check' AND state = 1;
)",
    R"(
  -- samples: see background.h.
  CREATE TABLE camera_background (
    device TEXT NOT NULL, camera TEXT NOT NULL, samples BYTES NOT NULL,
    PRIMARY KEY (device, camera));
)",
};

absl::Status ForEachVideo(Sql& sql, const std::function<absl::Status(const NamedBlob&)>& each) {
  std::vector<NamedBlob> all;
  NamedBlob one;
  sql.Query(
      "SELECT frame_video.blob, clip.id FROM frame_video JOIN clip ON clip.arrival = "
      "frame_video.arrival",
      In(), Out(one.id, one.clip), [&] { all.push_back(one); });
  for (const NamedBlob& blob : all) RETURN_IF_ERROR(each(blob));
  return absl::OkStatus();
}

int64_t Millionths(double share) { return std::llround(share * kWholeShare); }

// What an earlier check of the clip left. How many names of objects are gone
// with it.
int64_t Forget(Sql& sql, uint64_t arrival) {
  std::vector<BlobId> replaced;
  BlobId blob;
  sql.Query("SELECT blob FROM frame_video WHERE arrival = :arrival", In(arrival), Out(blob),
            [&] { replaced.push_back(blob); });
  if (replaced.empty()) return 0;
  for (const BlobId& one : replaced) AddRubbish(sql, one, "", 0);
  sql.Run("DELETE FROM frame_video WHERE arrival = :arrival", In(arrival));
  sql.Run("DELETE FROM frame WHERE arrival = :arrival", In(arrival));
  return static_cast<int64_t>(replaced.size());
}

// What each of a video's frames is to its camera, which learns from them where
// they are new.
std::vector<v1::Frame::Background> JudgeVideo(Sql& sql, std::string_view device,
                                              std::string_view camera, bool is_new,
                                              const std::vector<media::ChosenFrame>& frames) {
  std::string samples;
  BytesOut out{&samples};
  sql.Query("SELECT samples FROM camera_background WHERE device = :device AND camera = :camera",
            In(device, camera), Out(out), [] {});
  Background background(samples);
  auto judged = JudgeClip(frames, is_new, background);
  const std::string learnt = background.Serialize();
  if (learnt != samples) {
    sql.Run(
        "INSERT INTO camera_background (device, camera, samples) VALUES (:device, :camera, "
        ":samples) ON CONFLICT (device, camera) DO UPDATE SET samples = excluded.samples",
        In(device, camera, Bytes{learnt}));
  }
  return judged;
}

void InsertVideo(Sql& sql, uint64_t arrival, const v1::ClipManifest& manifest, bool is_new,
                 const CheckedVideo& video) {
  const v1::VideoTrack& track = manifest.video(static_cast<int>(video.position));
  const bool sideways = track.rotation_degrees() % 180 != 0;
  sql.Run(
      "INSERT INTO frame_video (arrival, position, camera, width, height, blob) VALUES (:arrival, "
      ":position, :camera, :width, :height, :blob)",
      In(arrival, video.position, track.camera(), sideways ? track.height() : track.width(),
         sideways ? track.width() : track.height(), video.thumbnails));
  const std::vector<int64_t> times = media::FrameTimes(track);
  const auto judged = JudgeVideo(sql, manifest.device(), track.camera(), is_new, video.frames);
  uint64_t at = 0;
  for (size_t i = 0; i < video.frames.size(); ++i) {
    const media::ChosenFrame& frame = video.frames[i];
    const int64_t monotonic_ns = media::MonotonicOf(track, times, frame.pts);
    sql.Run(
        "INSERT INTO frame (arrival, position, pts, reasons, offset_ns, taken_ns, phash, "
        "sharpness, exposure, clipped, blocked, motion, background, thumbnail_at, thumbnail_bytes) "
        "VALUES (:arrival, :position, :pts, :reasons, :offset, :taken, :phash, :sharpness, "
        ":exposure, :clipped, :blocked, :motion, :background, :at, :bytes)",
        In(arrival, video.position, frame.pts, frame.reasons,
           monotonic_ns - manifest.delivered().start_monotonic_ns(),
           manifest.fired_at().wall_unix_ns() + monotonic_ns - manifest.fired_at().monotonic_ns(),
           frame.phash, Millionths(frame.sharpness), Millionths(frame.exposure),
           Millionths(frame.clipped), Millionths(frame.blocked), Millionths(frame.motion),
           judged[i], at, frame.thumbnail.size()));
    at += frame.thumbnail.size();
  }
}

}  // namespace

RoomTables FrameTables() { return {.room = "frames", .migrations = kMigrations}; }

NamingTable FrameThumbnailNames() { return {.table = "frame_video", .for_each = &ForEachVideo}; }

void RecordFrames(Sql& sql, const CheckedClip& clip) {
  uint64_t arrival = 0;
  if (!sql.Query("SELECT arrival FROM clip WHERE id = :id", In(clip.id), Out(arrival), [] {})) {
    return;
  }
  const int64_t before = Forget(sql, arrival);
  for (const CheckedVideo& video : clip.videos) {
    InsertVideo(sql, arrival, clip.manifest, before == 0, video);
  }
  const int64_t names = static_cast<int64_t>(clip.videos.size()) - before;
  if (names != 0) CountNames(sql, names);
}

}  // namespace gleaner::cloud
