// What is kept aside: bytes in the blob folder that the catalog doesn't name, and that may be
// clips it has forgotten (see data_folder.h and backup.h). They stay until somebody frees them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/store/blob_names.h"
#include "common/clock.h"

namespace gleaner::cloud {

// Of the folder `data_dir`, also while a server works there.
absl::StatusOr<std::vector<KeptRow>> ReadKept(const std::string& data_dir, const StoreRooms& rooms);

// Writes each object of it that can be told from what is before it into a file of its own under
// `directory`, which is made: videos as .mp4, pictures as .jpg, the rest as .bin. Which clip they
// belonged to nobody knows any more. How many files.
absl::StatusOr<uint64_t> ExportKept(const std::string& data_dir, const StoreRooms& rooms,
                                    const std::string& directory);

// Frees it. No server works there: FAILED_PRECONDITION. How many bytes.
absl::StatusOr<uint64_t> FreeKept(const std::string& data_dir, const StoreRooms& rooms,
                                  Clock& clock);

}  // namespace gleaner::cloud
