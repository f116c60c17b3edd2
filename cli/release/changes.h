// What a draft changes of what is published: what people have to know before they sign it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/tuf/metadata.h"

namespace gleaner::cli {

// Of a role whose keys or threshold are others.
struct RoleChange {
  tuf::Role role = tuf::Role::kRoot;
  std::vector<std::string> keys_added, keys_removed;  // ids
  uint32_t threshold = 0;
  uint32_t threshold_before = 0;  // 0 for none
};
// Without a root before, all is new.
std::vector<RoleChange> Changes(const std::optional<tuf::Signed<tuf::Root>>& before,
                                const tuf::Root& draft);

struct FileChange {
  bool added = false;  // else removed
  tuf::Target target;
};
// By path; a file that is replaced is removed and then added, also where only what it says of
// itself is other.
std::vector<FileChange> Changes(const std::optional<tuf::Signed<tuf::Targets>>& before,
                                const tuf::Targets& draft);

}  // namespace gleaner::cli
