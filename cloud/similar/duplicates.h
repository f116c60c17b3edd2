// Clusters of near-duplicates: frames that one needn't label, show or count twice.
//
// A frame is put into a cluster in the transaction that records it, and stays there. A cluster is
// the frame that began it, its leader, and all that look like that one (likeness.h); what looks
// like another member only begins a cluster of its own, so clusters don't grow along a slow
// movement until their ends have nothing in common.
//
// Content alone can't be asked of a million frames, and need not be: near-duplicates come from the
// same camera within the same day, or from another camera of the same site within minutes. Of these
// a frame is compared with a bounded number of leaders: the kNear nearest in time before it and as
// many after it, of which the kCompared whose hashes are nearest. So the work for a frame doesn't
// grow with the catalog, and the same frames in the same order make the same clusters.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cloud/database/sql.h"
#include "cloud/frames/frames.h"
#include "cloud/media/checked_frames.h"

namespace gleaner::cloud {

inline constexpr int64_t kSameCameraNs = int64_t{24} * 3600 * 1'000'000'000;
inline constexpr int64_t kSameSiteNs = int64_t{600} * 1'000'000'000;
inline constexpr size_t kNear = 32;
inline constexpr size_t kCompared = 12;
// Bits of the hash that may differ: a crop changes many, another camera's view must be very like.
inline constexpr int kSameCameraBits = 28, kSameSiteBits = 12;

// --- within a transaction; may throw SqlError

// As WithCheck (media/checked_frames.h), after the room of frames has written its rows. Frames that
// an earlier check of the clip had found too stay where they are.
void JoinClusters(Sql& sql, const CheckedClip& clip);

// The number of the frame's cluster, above 0; none for a frame that is none, or that was recorded
// before there were clusters.
std::optional<uint64_t> ClusterOf(Sql& sql, const FrameName& frame);

// Those of the frames of these clips, in no order. At most a thousand clips.
void ReadClustersOf(Sql& sql, const std::vector<std::string>& clips,
                    const std::function<void(const FrameName&, uint64_t cluster)>& each);

}  // namespace gleaner::cloud
