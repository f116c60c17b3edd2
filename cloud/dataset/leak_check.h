// No frame of one split in another: looked at when a version is frozen, and again before each
// export, from the catalog's own key and seals. What the list says is not believed.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>

#include "absl/status/status.h"
#include "cloud/database/database.h"
#include "cloud/dataset/frozen_list.h"
#include "cloud/dataset/splits.h"

namespace gleaner::cloud {

// Holds a few bytes for each group.
class LeakCheck {
 public:
  // `database` must outlive it.
  LeakCheck(Database& database, std::string key, std::string schema)
      : database_(database), key_(std::move(key)), schema_(std::move(schema)) {}

  // FAILED_PRECONDITION names the frame, or the group, that would leak. Frames come in the list's
  // order, each once.
  absl::Status Add(const FrozenFrame& frame);
  size_t groups(Split split) const { return groups_of_[static_cast<size_t>(split)]; }

 private:
  Database& database_;
  const std::string key_, schema_;
  std::unordered_map<std::string, Split> groups_;
  std::array<size_t, 3> groups_of_{};
  FrameName last_;
};

}  // namespace gleaner::cloud
