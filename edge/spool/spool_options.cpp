#include "edge/spool/spool.h"

namespace gleaner::edge {

SpoolOptions SpoolOptions::Read(ConfigReader& reader) {
  SpoolOptions options;
  options.directory = reader.String("directory", "/var/lib/gleaner-edge");
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

}  // namespace gleaner::edge
