#include "cloud/clips/clips.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "cloud/database/columns.h"
#include "cloud/database/pages.h"
#include "cloud/database/tally.h"
#include "cloud/search/filter_sql.h"
#include "common/clock.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr uint64_t kMaxCounted = 10'000;
constexpr int kMaxFacets = 100;

constexpr std::string_view kSummaryColumns =
    "arrival, id, device, site, rule, camera, boot_id, sequence, fired_ns, committed_ns, "
    "duration_ns, size_bytes, frame_count, width, height, has_preview, priority, media_state, "
    "media_problem, media_reason, decoded_frames, damaged_frames, thumbnails";

// One row of kSummaryColumns.
struct SummaryRow {
  int64_t arrival = 0, fired_ns = 0, committed_ns = 0, duration_ns = 0;
  std::string id, device, site, rule, camera, boot_id, media_problem;
  uint64_t sequence = 0, size_bytes = 0;
  uint32_t frame_count = 0, width = 0, height = 0, priority = 0;
  uint32_t decoded_frames = 0, damaged_frames = 0, thumbnails = 0;
  int media_state = 0, media_reason = 0;
  bool has_preview = false;

  auto outs() {
    return Out(arrival, id, device, site, rule, camera, boot_id, sequence, fired_ns, committed_ns,
               duration_ns, size_bytes, frame_count, width, height, has_preview, priority,
               media_state, media_problem, media_reason, decoded_frames, damaged_frames,
               thumbnails);
  }

  void CopyTo(v1::ClipSummary* summary) const {
    summary->set_id(id);
    summary->set_device(device);
    summary->set_site(site);
    summary->set_rule(rule);
    summary->set_camera(camera);
    summary->mutable_key()->set_boot_id(Unhex(boot_id));
    summary->mutable_key()->set_sequence(sequence);
    summary->set_fired_unix_ns(fired_ns);
    summary->set_committed_unix_ns(committed_ns);
    summary->set_duration_s(static_cast<double>(duration_ns) / kNanosPerSecond);
    summary->set_size_bytes(size_bytes);
    summary->set_frame_count(frame_count);
    summary->set_width(width);
    summary->set_height(height);
    summary->set_has_preview(has_preview);
    summary->set_priority(priority);
    v1::MediaCheck* media = summary->mutable_media();
    media->set_state(static_cast<v1::MediaCheck::State>(media_state));
    media->set_problem(media_problem);
    media->set_reason(static_cast<v1::MediaCheck::Reason>(media_reason));
    media->set_decoded_frames(decoded_frames);
    media->set_damaged_frames(damaged_frames);
    media->set_thumbnails(thumbnails);
  }
};

// Tokens are arrival numbers; `fallback` for an empty one.
absl::StatusOr<int64_t> ParseToken(std::string_view name, const std::string& token,
                                   int64_t fallback) {
  if (token.empty()) return fallback;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (error != std::errc() || end != token.data() + token.size() || value < 0) {
    return absl::InvalidArgumentError(fmt::format("{} is not one that this server gave", name));
  }
  return value;
}

int64_t NewestArrival(Sql& sql) {
  int64_t newest = 0;
  sql.Query("SELECT arrival FROM clip ORDER BY arrival DESC LIMIT 1", In(), Out(newest), [] {});
  return newest;
}

absl::StatusOr<uint64_t> CountMatches(Sql& sql, const Filter& filter) {
  if (filter.empty()) return std::min(kMaxCounted, ReadTally(sql, "all"));
  Parameters parameters;
  ASSIGN_OR_RETURN(const std::string condition,
                   FilterCondition(sql, filter, FilterOf::kClips, parameters));
  const std::string query =
      fmt::format("SELECT COUNT(*) FROM (SELECT 1 FROM clip WHERE {} LIMIT {}) AS matches",
                  condition, kMaxCounted);
  uint64_t count = 0;
  sql.QueryOnce(query, parameters, Out(count), [] {});
  return count;
}

std::string Neighbour(Sql& sql, std::string_view query, int64_t arrival) {
  std::string id;
  sql.Query(query, In(arrival), Out(id), [] {});
  return id;
}

std::string_view NameOf(v1::ClipObject::Kind kind) {
  switch (kind) {
    case v1::ClipObject::KIND_PREVIEW:
      return "preview";
    case v1::ClipObject::KIND_SAMPLES:
      return "samples object";
    default:
      return "video";
  }
}

void ReadFacet(Sql& sql, std::string_view dimension,
               google::protobuf::RepeatedPtrField<v1::Facet>* facets) {
  std::string value;
  uint64_t clips = 0;
  sql.Query(
      "SELECT value, clips FROM tally WHERE dimension = :dimension AND clips > 0 ORDER BY clips "
      "DESC, value LIMIT :limit",
      In(dimension, kMaxFacets), Out(value, clips), [&] {
        v1::Facet* facet = facets->Add();
        facet->set_value(value);
        facet->set_clips(clips);
      });
}

}  // namespace

absl::StatusOr<v1::ListClipsResponse> Clips::List(const v1::ListClipsRequest& request,
                                                  const Filter& filter) {
  ASSIGN_OR_RETURN(const size_t page, PageSizeWithin(request.page_size()));
  ASSIGN_OR_RETURN(const int64_t before, ParseToken("page_token", request.page_token(),
                                                    std::numeric_limits<int64_t>::max()));
  ASSIGN_OR_RETURN(const int64_t after, ParseToken("arrived_after", request.arrived_after(), -1));
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::ListClipsResponse> {
    v1::ListClipsResponse response;
    Parameters parameters;
    ASSIGN_OR_RETURN(const std::string condition,
                     FilterCondition(sql, filter, FilterOf::kClips, parameters));
    std::string query = fmt::format("SELECT {} FROM clip WHERE {}", kSummaryColumns, condition);
    query += fmt::format(" AND arrival < {}", parameters.NextName());
    parameters.Add(before);
    query += fmt::format(" AND arrival > {}", parameters.NextName());
    parameters.Add(after);
    // One more than asked for tells whether there is a next page.
    query += fmt::format(" ORDER BY arrival DESC LIMIT {}", page + 1);
    SummaryRow row;
    int64_t last = 0;
    bool more = false;
    sql.QueryOnce(query, parameters, row.outs(), [&] {
      if (static_cast<size_t>(response.clips_size()) == page) {
        more = true;
        return;
      }
      row.CopyTo(response.add_clips());
      last = row.arrival;
    });
    if (more) response.set_next_page_token(std::to_string(last));
    response.set_newest(std::to_string(std::max(NewestArrival(sql), after)));
    if (request.page_token().empty() && request.arrived_after().empty()) {
      ASSIGN_OR_RETURN(const uint64_t total, CountMatches(sql, filter));
      response.set_total(static_cast<uint32_t>(total));
    }
    return response;
  });
}

absl::StatusOr<v1::GetClipResponse> Clips::Get(std::string_view clip_id) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::GetClipResponse> {
    v1::GetClipResponse response;
    SummaryRow row;
    if (!sql.Query(fmt::format("SELECT {} FROM clip WHERE id = :id", kSummaryColumns), In(clip_id),
                   row.outs(), [] {})) {
      return NoClip(clip_id);
    }
    row.CopyTo(response.mutable_summary());
    ASSIGN_OR_RETURN(const ManifestRow manifest, ReadManifestOfClip(sql, clip_id));
    if (!response.mutable_manifest()->ParseFromString(manifest.bytes)) {
      return absl::DataLossError(fmt::format("manifest of clip {}", clip_id));
    }
    response.set_manifest_sha256(std::string(AsBytes(manifest.sha256)));
    response.set_newer_id(Neighbour(
        sql, "SELECT id FROM clip WHERE arrival > :arrival ORDER BY arrival LIMIT 1", row.arrival));
    response.set_older_id(
        Neighbour(sql, "SELECT id FROM clip WHERE arrival < :arrival ORDER BY arrival DESC LIMIT 1",
                  row.arrival));
    return response;
  });
}

absl::StatusOr<ObjectRow> Clips::FindObject(std::string_view clip_id, v1::ClipObject::Kind kind,
                                            size_t index) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<ObjectRow> {
    ASSIGN_OR_RETURN(const ManifestRow row, ReadManifestOfClip(sql, clip_id));
    v1::ClipManifest manifest;
    if (!manifest.ParseFromString(row.bytes)) {
      return absl::DataLossError(fmt::format("manifest of clip {}", clip_id));
    }
    size_t seen = 0;
    for (int i = 0; i < manifest.objects_size(); ++i) {
      const v1::ClipObject& object = manifest.objects(i);
      if (object.kind() != kind || seen++ != index) continue;
      return ObjectRow{.key = ReadBlobs(sql, row.number).at(static_cast<size_t>(i)),
                       .content_type = object.content_type(),
                       .size_bytes = object.size_bytes(),
                       .sha256 = DigestFromBytes(object.sha256())};
    }
    return absl::NotFoundError(
        seen == 0 ? fmt::format("clip {} has no {}", clip_id, NameOf(kind))
                  : fmt::format("clip {} has no {} number {}", clip_id, NameOf(kind), index));
  });
}

absl::StatusOr<ManifestRow> Clips::FindManifest(std::string_view clip_id) {
  return database_.Read([&](Sql& sql) { return ReadManifestOfClip(sql, clip_id); });
}

void ReadClipSummary(Sql& sql, v1::GetSummaryResponse* summary) {
  uint64_t bytes = 0;
  summary->set_clips(ReadTally(sql, "all", "", &bytes));
  summary->set_bytes(bytes);
  summary->set_media_ok(ReadTally(sql, "media_ok"));
  summary->set_media_failed(ReadTally(sql, "media_failed"));
  ReadFacet(sql, "device", summary->mutable_device_facet());
  ReadFacet(sql, "site", summary->mutable_site_facet());
  ReadFacet(sql, "rule", summary->mutable_rule_facet());
}

}  // namespace gleaner::cloud
