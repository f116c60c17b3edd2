#include "cloud/similar/duplicates.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>
#include <tuple>

#include "cloud/database/tally.h"
#include "cloud/similar/likeness.h"

namespace gleaner::cloud {
namespace {

constexpr std::string_view kTally = "duplicate-cluster";

// What is recorded of a frame, and its grid.
struct Frame {
  int64_t position = 0, pts = 0, taken_ns = 0;
  uint64_t phash = 0;
  std::string camera;
  const media::LumaGrid* grid = nullptr;
};

struct Clip {
  int64_t arrival = 0;
  std::string device, site;
};

struct Leader {
  uint64_t cluster = 0;
  int64_t taken_ns = 0;
  uint64_t phash = 0;
  int bits = 0;  // that differ from the frame's
};

// The nearest in time of those that `where` names, before and after.
template <typename... Ins>
void Near(Sql& sql, const std::string& where, const Ins&... ins, int64_t taken_ns, int64_t span_ns,
          const std::function<void(const Leader&)>& each) {
  Leader one;
  const std::string columns =
      "SELECT number, taken_ns, phash FROM duplicate_cluster WHERE " + where;
  sql.Query(columns +
                " AND taken_ns >= :from AND taken_ns <= :at ORDER BY taken_ns DESC, number "
                "LIMIT :most",
            In(ins..., taken_ns - span_ns, taken_ns, kNear),
            Out(one.cluster, one.taken_ns, one.phash), [&] { each(one); });
  sql.Query(columns +
                " AND taken_ns > :at AND taken_ns <= :until ORDER BY taken_ns, number LIMIT "
                ":most",
            In(ins..., taken_ns, taken_ns + span_ns, kNear),
            Out(one.cluster, one.taken_ns, one.phash), [&] { each(one); });
}

// In the order in which they are compared.
std::vector<Leader> Candidates(Sql& sql, const Clip& clip, const Frame& frame) {
  std::map<uint64_t, Leader> found;
  const auto keep = [&](int bits) {
    return [&found, &frame, bits](const Leader& leader) {
      const int differ = std::popcount(leader.phash ^ frame.phash);
      if (differ > bits) return;
      Leader& kept = found[leader.cluster];
      kept = leader;
      kept.bits = differ;
    };
  };
  Near<std::string, std::string>(sql, "device = :device AND camera = :camera", clip.device,
                                 frame.camera, frame.taken_ns, kSameCameraNs,
                                 keep(kSameCameraBits));
  // A device without a site shares none with another.
  if (!clip.site.empty()) {
    Near<std::string>(sql, "site = :site", clip.site, frame.taken_ns, kSameSiteNs,
                      keep(kSameSiteBits));
  }
  std::vector<Leader> candidates;
  for (const auto& [cluster, leader] : found) candidates.push_back(leader);
  std::sort(candidates.begin(), candidates.end(), [&](const Leader& a, const Leader& b) {
    const auto order = [&](const Leader& one) {
      return std::tuple(one.bits, std::abs(one.taken_ns - frame.taken_ns), one.cluster);
    };
    return order(a) < order(b);
  });
  if (candidates.size() > kCompared) candidates.resize(kCompared);
  return candidates;
}

std::optional<media::LumaGrid> GridOf(Sql& sql, uint64_t cluster) {
  std::string bytes;
  BytesOut out{&bytes};
  sql.Query("SELECT grid FROM duplicate_cluster WHERE number = :number", In(cluster), Out(out),
            [] {});
  media::LumaGrid grid{};
  if (bytes.size() != grid.size()) return std::nullopt;
  std::memcpy(grid.data(), bytes.data(), grid.size());
  return grid;
}

uint64_t BeginCluster(Sql& sql, const Clip& clip, const Frame& frame) {
  const std::string_view grid(reinterpret_cast<const char*>(frame.grid->data()),
                              frame.grid->size());
  sql.Run(
      "INSERT INTO duplicate_cluster (device, camera, site, taken_ns, phash, grid, frames) "
      "VALUES (:device, :camera, :site, :taken, :phash, :grid, 0)",
      In(clip.device, frame.camera, clip.site, frame.taken_ns, frame.phash, Bytes{grid}));
  Tally(sql, kTally, "", 1);
  uint64_t number = 0;
  sql.Query("SELECT MAX(number) FROM duplicate_cluster", In(), Out(number), [] {});
  return number;
}

void Join(Sql& sql, const Clip& clip, const Frame& frame) {
  uint64_t cluster = 0;
  for (const Leader& leader : Candidates(sql, clip, frame)) {
    const auto grid = GridOf(sql, leader.cluster);
    if (grid && AreDuplicates(Compare(*grid, *frame.grid))) {
      cluster = leader.cluster;
      break;
    }
  }
  if (cluster == 0) cluster = BeginCluster(sql, clip, frame);
  sql.Run(
      "INSERT INTO duplicate_frame (arrival, position, pts, cluster) VALUES (:arrival, "
      ":position, :pts, :cluster)",
      In(clip.arrival, frame.position, frame.pts, cluster));
  sql.Run("UPDATE duplicate_cluster SET frames = frames + 1 WHERE number = :number", In(cluster));
}

// A cluster goes with its last frame; its leader's picture outlives the leader.
void Leave(Sql& sql, int64_t arrival, int64_t position, int64_t pts, uint64_t cluster) {
  sql.Run(
      "DELETE FROM duplicate_frame WHERE arrival = :arrival AND position = :position AND pts = "
      ":pts",
      In(arrival, position, pts));
  sql.Run("UPDATE duplicate_cluster SET frames = frames - 1 WHERE number = :number", In(cluster));
  int64_t frames = 0;
  sql.Query("SELECT frames FROM duplicate_cluster WHERE number = :number", In(cluster), Out(frames),
            [] {});
  if (frames > 0) return;
  sql.Run("DELETE FROM duplicate_cluster WHERE number = :number", In(cluster));
  Tally(sql, kTally, "", -1);
}

}  // namespace

void JoinClusters(Sql& sql, const CheckedClip& checked) {
  Clip clip;
  if (!sql.Query("SELECT arrival, device, site FROM clip WHERE id = :id", In(checked.id),
                 Out(clip.arrival, clip.device, clip.site), [] {})) {
    return;
  }
  using Key = std::pair<int64_t, int64_t>;  // position, PTS
  std::map<Key, uint64_t> before;
  {
    Key key;
    uint64_t cluster = 0;
    sql.Query("SELECT position, pts, cluster FROM duplicate_frame WHERE arrival = :arrival",
              In(clip.arrival), Out(key.first, key.second, cluster),
              [&] { before[key] = cluster; });
  }
  std::map<Key, Frame> now;
  {
    Frame one;
    sql.Query(
        "SELECT frame.position, frame.pts, frame.taken_ns, frame.phash, frame_video.camera "
        "FROM frame JOIN frame_video ON frame_video.arrival = frame.arrival AND "
        "frame_video.position = frame.position WHERE frame.arrival = :arrival",
        In(clip.arrival), Out(one.position, one.pts, one.taken_ns, one.phash, one.camera), [&] {
          now[{one.position, one.pts}] = one;
        });
  }
  for (const CheckedVideo& video : checked.videos) {
    for (const media::ChosenFrame& frame : video.frames) {
      const auto found = now.find({static_cast<int64_t>(video.position), frame.pts});
      if (found != now.end()) found->second.grid = &frame.grid;
    }
  }
  for (const auto& [key, frame] : now) {
    if (!before.contains(key) && frame.grid != nullptr) Join(sql, clip, frame);
  }
  for (const auto& [key, cluster] : before) {
    if (!now.contains(key)) Leave(sql, clip.arrival, key.first, key.second, cluster);
  }
}

std::optional<uint64_t> ClusterOf(Sql& sql, const FrameName& frame) {
  uint64_t cluster = 0;
  if (!sql.Query(
          "SELECT duplicate_frame.cluster FROM clip JOIN frame_video ON frame_video.arrival "
          "= clip.arrival JOIN duplicate_frame ON duplicate_frame.arrival = clip.arrival AND "
          "duplicate_frame.position = frame_video.position WHERE clip.id = :clip AND "
          "frame_video.camera = :camera AND duplicate_frame.pts = :pts",
          In(frame.clip, frame.camera, frame.pts), Out(cluster), [] {})) {
    return std::nullopt;
  }
  return cluster;
}

void ReadClustersOf(Sql& sql, const std::vector<std::string>& clips,
                    const std::function<void(const FrameName&, uint64_t)>& each) {
  if (clips.empty()) return;
  Parameters parameters;
  std::string query =
      "SELECT clip.id, frame_video.camera, duplicate_frame.pts, duplicate_frame.cluster FROM clip "
      "JOIN duplicate_frame ON duplicate_frame.arrival = clip.arrival JOIN frame_video ON "
      "frame_video.arrival = clip.arrival AND frame_video.position = duplicate_frame.position "
      "WHERE "
      "clip.id IN (";
  for (size_t i = 0; i < clips.size(); ++i) {
    query += (i == 0 ? "" : ", ") + parameters.NextName();
    parameters.Add(clips[i]);
  }
  query += ")";
  FrameName name;
  uint64_t cluster = 0;
  sql.QueryOnce(query, parameters, Out(name.clip, name.camera, name.pts, cluster),
                [&] { each(name, cluster); });
}

}  // namespace gleaner::cloud
