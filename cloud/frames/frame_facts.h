// What other rooms need to know of many frames at once, within their own transactions.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cloud/database/sql.h"
#include "cloud/frames/frames.h"
#include "cloud/search/filter.h"

namespace gleaner::cloud {

struct FrameFacts {
  FrameName name;
  std::string device, site, rule;
  int64_t fired_ns = 0;  // the clip's
  int64_t taken_ns = 0;
  uint32_t width = 0, height = 0;  // of the upright picture
  uint64_t phash = 0;
};

// Those frames of these clips that the filter finds, in no order. At most a thousand clips. Errors
// as FilterCondition: none without a filter. May throw SqlError.
absl::Status ReadFrameFacts(Sql& sql, const std::vector<std::string>& clips, const Filter& filter,
                            const std::function<void(const FrameFacts&)>& each);

// The order of lists: by clip, camera and PTS.
inline bool Before(const FrameName& a, const FrameName& b) {
  if (a.clip != b.clip) return a.clip < b.clip;
  if (a.camera != b.camera) return a.camera < b.camera;
  return a.pts < b.pts;
}

}  // namespace gleaner::cloud
