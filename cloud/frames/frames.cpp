#include "cloud/frames/frames.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <vector>

#include "absl/strings/str_split.h"
#include "cloud/clips/clip_rows.h"
#include "cloud/database/pages.h"
#include "cloud/frames/frame_rows.h"
#include "cloud/media/frame_choice.h"
#include "cloud/media/frame_times.h"
#include "cloud/search/filter_sql.h"
#include "common/clock.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr std::string_view kColumns =
    "frame.arrival, frame.position, frame.pts, clip.id, clip.device, clip.site, clip.rule, "
    "frame_video.camera, frame_video.width, frame_video.height, frame.reasons, frame.offset_ns, "
    "frame.taken_ns, frame.phash, frame.sharpness, frame.exposure, frame.clipped, frame.blocked, "
    "frame.motion, frame.background";
constexpr std::string_view kTables =
    "frame JOIN frame_video ON frame_video.arrival = frame.arrival AND frame_video.position = "
    "frame.position JOIN clip ON clip.arrival = frame.arrival";

// Where a frame stands in the order of lists.
struct Place {
  int64_t arrival = 0, position = 0, pts = 0;
};

// One row of kColumns.
struct Row {
  Place place;
  std::string clip, device, site, rule, camera;
  uint32_t width = 0, height = 0, reasons = 0;
  int64_t offset_ns = 0, taken_ns = 0;
  uint64_t phash = 0;
  int64_t sharpness = 0, exposure = 0, clipped = 0, blocked = 0, motion = 0;
  int background = 0;

  auto outs() {
    return Out(place.arrival, place.position, place.pts, clip, device, site, rule, camera, width,
               height, reasons, offset_ns, taken_ns, phash, sharpness, exposure, clipped, blocked,
               motion, background);
  }

  void CopyTo(v1::Frame* frame) const {
    frame->mutable_id()->set_clip(clip);
    frame->mutable_id()->set_camera(camera);
    frame->mutable_id()->set_pts(place.pts);
    for (int reason = v1::Frame::Reason_MIN; reason <= v1::Frame::Reason_MAX; ++reason) {
      const auto one = static_cast<v1::Frame::Reason>(reason);
      if ((reasons & media::ReasonBit(one)) != 0) frame->add_reasons(one);
    }
    frame->set_offset_s(static_cast<double>(offset_ns) / kNanosPerSecond);
    frame->set_taken_unix_ns(taken_ns);
    frame->set_device(device);
    frame->set_site(site);
    frame->set_rule(rule);
    frame->set_width(width);
    frame->set_height(height);
    frame->set_phash(phash);
    frame->set_sharpness(static_cast<double>(sharpness) / kWholeShare);
    frame->set_exposure(static_cast<double>(exposure) / kWholeShare);
    frame->set_clipped(static_cast<double>(clipped) / kWholeShare);
    frame->set_blocked(static_cast<double>(blocked) / kWholeShare);
    frame->set_motion(static_cast<double>(motion) / kWholeShare);
    frame->set_background(static_cast<v1::Frame::Background>(background));
  }
};

absl::StatusOr<Place> ParseToken(const std::string& token) {
  const auto wrong = [] {
    return absl::InvalidArgumentError("page_token is not one that this server gave");
  };
  std::array<int64_t, 3> numbers{};
  const std::vector<std::string> parts = absl::StrSplit(token, '.');
  if (parts.size() != numbers.size()) return wrong();
  for (size_t i = 0; i < numbers.size(); ++i) {
    const char* end = parts[i].data() + parts[i].size();
    const auto [stopped, error] = std::from_chars(parts[i].data(), end, numbers[i]);
    if (error != std::errc() || stopped != end) return wrong();
  }
  return Place{numbers[0], numbers[1], numbers[2]};
}

absl::Status NoFrame(const FrameName& name) {
  return absl::NotFoundError(
      fmt::format("clip {} has no frame of camera {} at {}", name.clip, name.camera, name.pts));
}

absl::StatusOr<int64_t> ArrivalOf(Sql& sql, std::string_view clip_id) {
  int64_t arrival = 0;
  if (!sql.Query("SELECT arrival FROM clip WHERE id = :id", In(clip_id), Out(arrival), [] {})) {
    return NoClip(clip_id);
  }
  return arrival;
}

}  // namespace

absl::StatusOr<v1::Frame> ReadFrame(Sql& sql, const FrameName& name) {
  ASSIGN_OR_RETURN(const int64_t arrival, ArrivalOf(sql, name.clip));
  Row row;
  if (!sql.Query(fmt::format("SELECT {} FROM {} WHERE frame.arrival = :arrival AND "
                             "frame_video.camera = :camera AND frame.pts = :pts",
                             kColumns, kTables),
                 In(arrival, name.camera, name.pts), row.outs(), [] {})) {
    return NoFrame(name);
  }
  v1::Frame frame;
  row.CopyTo(&frame);
  return frame;
}

absl::StatusOr<v1::ListFramesResponse> Frames::List(const v1::ListFramesRequest& request,
                                                    const Filter& filter) {
  ASSIGN_OR_RETURN(const size_t page, PageSizeWithin(request.page_size()));
  // A clip's frames are read from its beginning, all clips' from the newest one back.
  const bool of_clip = !request.clip().empty();
  constexpr auto kMost = std::numeric_limits<int64_t>::max();
  constexpr auto kLeast = std::numeric_limits<int64_t>::min();
  Place from = of_clip ? Place{-1, -1, kLeast} : Place{kMost, kMost, kMost};
  if (!request.page_token().empty()) {
    ASSIGN_OR_RETURN(from, ParseToken(request.page_token()));
  }
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::ListFramesResponse> {
    Parameters parameters;
    ASSIGN_OR_RETURN(const std::string condition,
                     FilterCondition(sql, filter, FilterOf::kFrames, parameters));
    std::string query = fmt::format("SELECT {} FROM {} WHERE {}", kColumns, kTables, condition);
    const auto add = [&](int64_t value) {
      std::string name = parameters.NextName();
      parameters.Add(value);
      return name;
    };
    if (of_clip) {
      ASSIGN_OR_RETURN(const int64_t arrival, ArrivalOf(sql, request.clip()));
      query += fmt::format(" AND frame.arrival = {}", add(arrival));
    }
    const std::string arrival = add(from.arrival), position = add(from.position),
                      pts = add(from.pts);
    query += fmt::format(" AND (frame.arrival, frame.position, frame.pts) {} ({}, {}, {})",
                         of_clip ? ">" : "<", arrival, position, pts);
    const char* order = of_clip ? "ASC" : "DESC";
    // One more than asked for tells whether there is a next page.
    query += fmt::format(" ORDER BY frame.arrival {0}, frame.position {0}, frame.pts {0} LIMIT {1}",
                         order, page + 1);
    v1::ListFramesResponse response;
    Row row;
    Place last;
    bool more = false;
    sql.QueryOnce(query, parameters, row.outs(), [&] {
      if (static_cast<size_t>(response.frames_size()) == page) {
        more = true;
        return;
      }
      row.CopyTo(response.add_frames());
      last = row.place;
    });
    if (more) {
      response.set_next_page_token(fmt::format("{}.{}.{}", last.arrival, last.position, last.pts));
    }
    return response;
  });
}

absl::StatusOr<v1::Frame> Frames::Get(const FrameName& name) {
  return database_.Read([&](Sql& sql) { return ReadFrame(sql, name); });
}

absl::StatusOr<ThumbnailPlace> Frames::FindThumbnail(const FrameName& name) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<ThumbnailPlace> {
    ASSIGN_OR_RETURN(const int64_t arrival, ArrivalOf(sql, name.clip));
    ThumbnailPlace place;
    if (!sql.Query("SELECT frame_video.blob, frame.thumbnail_at, frame.thumbnail_bytes FROM frame "
                   "JOIN frame_video ON frame_video.arrival = frame.arrival AND "
                   "frame_video.position = frame.position WHERE frame.arrival = :arrival AND "
                   "frame_video.camera = :camera AND frame.pts = :pts",
                   In(arrival, name.camera, name.pts), Out(place.key, place.offset, place.size),
                   [] {})) {
      return NoFrame(name);
    }
    return place;
  });
}

absl::StatusOr<FrameVideo> Frames::FindVideo(const FrameName& name) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<FrameVideo> {
    ASSIGN_OR_RETURN(const ManifestRow row, ReadManifestOfClip(sql, name.clip));
    v1::ClipManifest manifest;
    if (!manifest.ParseFromString(row.bytes)) {
      return absl::DataLossError(fmt::format("manifest of clip {}", name.clip));
    }
    const std::vector<BlobId> blobs = ReadBlobs(sql, row.number);
    size_t position = 0;
    for (int o = 0; o < manifest.objects_size(); ++o) {
      if (manifest.objects(o).kind() != v1::ClipObject::KIND_VIDEO) continue;
      if (position >= static_cast<size_t>(manifest.video_size())) break;
      const v1::VideoTrack& track = manifest.video(static_cast<int>(position));
      if (track.camera() == name.camera) {
        const std::vector<int64_t> times = media::FrameTimes(track);
        if (!std::binary_search(times.begin(), times.end(), name.pts)) return NoFrame(name);
        return FrameVideo{
            .key = blobs.at(static_cast<size_t>(o)), .position = position, .track = track};
      }
      ++position;
    }
    return NoFrame(name);
  });
}

}  // namespace gleaner::cloud
