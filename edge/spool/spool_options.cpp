#include <fmt/format.h>

#include <filesystem>

#include "common/file.h"
#include "common/text.h"
#include "edge/spool/spool.h"
#include "edge/spool/spool_impl.h"

namespace gleaner::edge {

SpoolOptions SpoolOptions::Read(ConfigReader& reader) {
  SpoolOptions options;
  options.directory = reader.Folder("directory", "/var/lib/gleaner-edge");
  if (options.directory.empty()) reader.Error("directory", "must not be empty");
  options.quota_bytes =
      static_cast<uint64_t>(reader.Bytes("quota", static_cast<int64_t>(options.quota_bytes),
                                         {.min = 16 << 20, .max = int64_t{1} << 40}));
  options.when_full = reader.String("when_full", options.when_full);
  if (options.when_full != "evict" && options.when_full != "stop") {
    reader.Error(
        "when_full",
        "must be \"evict\" (the least valuable, oldest clip goes) or \"stop\" (new clips fail)");
  }
  options.max_age_ns = reader.DurationNs("max_age", 0);
  return options;
}

void SpoolOptions::CheckDisk(ConfigReader& reader) const {
  const auto disk = SpaceAt(directory);
  if (!disk.ok()) return;  // opening the spool says why
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(BlocksPath(directory), error);
  const uint64_t has = error ? 0 : size;
  if (quota_bytes > disk->total_bytes) {
    reader.Error("quota",
                 fmt::format("is {}, and the disk under {} has {} in all", HumanBytes(quota_bytes),
                             directory, HumanBytes(disk->total_bytes)));
  } else if (quota_bytes > has + disk->free_bytes) {
    reader.Warn("quota",
                fmt::format("is {}, and the disk under {} has {} left: too little for it",
                            HumanBytes(quota_bytes), directory, HumanBytes(disk->free_bytes)));
  }
}

}  // namespace gleaner::edge
