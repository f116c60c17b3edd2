#include "cloud/dataset/clip_source.h"

#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cloud/clips/clip_rows.h"
#include "cloud/dataset/splits.h"
#include "cloud/media/frame_times.h"
#include "cloud/media/worker_process.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr uint64_t kMaxSeriesBytes = 16 << 20;

// How a unit stands in the spool file, followed by its bytes.
struct UnitHead {
  int64_t pts;
  uint32_t keyframe;
  uint32_t bytes;
};

// Where a frame of this clip looks like one of a group that is in another split, that group.
std::optional<std::string> TiedTo(Sql& sql, const std::string& key, const std::string& schema,
                                  const FrozenFrame& frame) {
  std::optional<std::string> tied;
  std::string other;
  sql.Query("SELECT DISTINCT other FROM seal_tie WHERE clip = :clip ORDER BY other",
            In(frame.name.clip), Out(other), [&] {
              if (!tied && SplitOf(key, schema, other) != frame.split) tied = other;
            });
  return tied;
}

}  // namespace

struct ClipSources::Objects {
  std::string id;
  v1::ClipManifest manifest;
  struct Object {
    ObjectKey key;
    uint64_t bytes = 0;
  };
  std::vector<Object> videos;  // of the manifest's tracks
  std::optional<Object> series;

  uint64_t bytes() const {
    uint64_t all = series ? series->bytes : 0;
    for (const Object& video : videos) all += video.bytes;
    return all;
  }
};

absl::StatusOr<ClipSources::Objects> ClipSources::Find(const std::string& clip) const {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<Objects> {
    ASSIGN_OR_RETURN(const ManifestRow row, ReadManifestOfClip(sql, clip));
    Objects found{.id = clip};
    if (!found.manifest.ParseFromString(row.bytes)) {
      return absl::DataLossError(fmt::format("manifest of clip {}", clip));
    }
    const std::vector<BlobId> blobs = ReadBlobs(sql, row.number);
    for (int o = 0; o < found.manifest.objects_size(); ++o) {
      const v1::ClipObject& object = found.manifest.objects(o);
      const Objects::Object its{blobs.at(static_cast<size_t>(o)), object.size_bytes()};
      if (object.kind() == v1::ClipObject::KIND_VIDEO) found.videos.push_back(its);
      if (object.kind() == v1::ClipObject::KIND_SAMPLES) found.series = its;
    }
    return found;
  });
}

absl::StatusOr<uint64_t> ClipSources::SizeOf(const std::string& clip) const {
  ASSIGN_OR_RETURN(const Objects found, Find(clip));
  return found.bytes();
}

absl::StatusOr<ClipSource> ClipSources::Open(const FrozenFrame& frame, const std::string& key,
                                             const std::string& schema,
                                             std::stop_token stop) const {
  ASSIGN_OR_RETURN(Objects found, Find(frame.name.clip));
  ASSIGN_OR_RETURN(const std::optional<std::string> tied,
                   database_.Read([&](Sql& sql) -> absl::StatusOr<std::optional<std::string>> {
                     return TiedTo(sql, key, schema, frame);
                   }));
  ClipSource source{.manifest = found.manifest, .bytes = found.bytes()};
  const auto clip = std::make_shared<const Objects>(std::move(found));
  source.series = [this, clip]() -> absl::StatusOr<v1::SampleSeries> {
    v1::SampleSeries series;
    if (!clip->series) return series;
    if (clip->series->bytes > kMaxSeriesBytes) {
      return absl::DataLossError(
          fmt::format("the sample series of clip {} has {} bytes, more than {}", clip->id,
                      clip->series->bytes, kMaxSeriesBytes));
    }
    std::string bytes;
    RETURN_IF_ERROR(objects_.Read(clip->series->key, 0, clip->series->bytes, &bytes));
    if (!series.ParseFromString(bytes)) {
      return absl::DataLossError(fmt::format("the sample series of clip {}", clip->id));
    }
    return series;
  };
  source.video = [this, clip, tied, stop = std::move(stop)](std::string_view camera,
                                                            const auto& each) -> absl::Status {
    if (tied) {
      return absl::FailedPreconditionError(fmt::format(
          "a frame of the clip looks like one of group {}, which is in another split", *tied));
    }
    return Video(*clip, camera, stop, each);
  };
  return source;
}

absl::Status ClipSources::Video(const Objects& clip, std::string_view camera,
                                const std::stop_token& stop,
                                const std::function<absl::Status(const AccessUnit&)>& each) const {
  size_t position = 0;
  const v1::VideoTrack* track = nullptr;
  for (const v1::VideoTrack& one : clip.manifest.video()) {
    if (one.camera() == camera) {
      track = &one;
      break;
    }
    ++position;
  }
  if (track == nullptr || position >= clip.videos.size()) {
    return absl::DataLossError(fmt::format("clip {} has no camera {}", clip.id, camera));
  }
  if (track->codec() != "h264" && track->codec() != "hevc") {
    return absl::FailedPreconditionError(
        fmt::format("the video is {}, and not H.264 or H.265", track->codec()));
  }
  ASSIGN_OR_RETURN(SpoolFile spool, SpoolFile::Make(options_.folder));
  ASSIGN_OR_RETURN(const Fd copy, objects_.OpenCopy(clip.videos[position].key));
  std::optional<int64_t> before;
  RETURN_IF_ERROR(media::RunForPackets(
      options_.program, copy.get(), *track, clip.videos[position].bytes, options_.cpu_ns, stop,
      [&](const media::Packet& packet) -> absl::Status {
        if (before && packet.pts <= *before) {
          return absl::FailedPreconditionError(
              "the video has frames that are shown in another order than they are coded in");
        }
        before = packet.pts;
        const UnitHead head{.pts = packet.pts,
                            .keyframe = packet.keyframe,
                            .bytes = static_cast<uint32_t>(packet.bytes.size())};
        RETURN_IF_ERROR(spool.Append({reinterpret_cast<const char*>(&head), sizeof(head)}));
        return spool.Append(packet.bytes);
      }));
  RETURN_IF_ERROR(spool.End());

  const std::vector<int64_t> times = media::FrameTimes(*track);
  if (times.empty()) return absl::OkStatus();
  const v1::Instant& fired = clip.manifest.fired_at();
  std::string bytes;
  for (uint64_t at = 0; at < spool.size();) {
    UnitHead head;
    RETURN_IF_ERROR(spool.Read(at, sizeof(head), &bytes));
    std::memcpy(&head, bytes.data(), sizeof(head));
    at += sizeof(head);
    RETURN_IF_ERROR(spool.Read(at, head.bytes, &bytes));
    at += head.bytes;
    RETURN_IF_ERROR(each({.pts = head.pts,
                          .unix_ns = fired.wall_unix_ns() - fired.monotonic_ns() +
                                     media::MonotonicOf(*track, times, head.pts),
                          .keyframe = head.keyframe != 0,
                          .bytes = bytes}));
  }
  return absl::OkStatus();
}

}  // namespace gleaner::cloud
