// `gleaner-cloud backup`, `restore`, `kept` and `recover`: what an operator does with a server's
// data folder. Each says on standard output what it did, or on standard error why not, and returns
// the exit status.
#pragma once

#include <string>

#include "cloud/store/s3/store_config.h"
#include "common/clock.h"

namespace gleaner::cloud {

inline constexpr int kExitOk = 0;
// It couldn't be done, or was done and something is damaged.
inline constexpr int kExitFailed = 1;

int BackupCommand(const std::string& data_dir, const std::string& directory, Clock& clock);
// Where objects are in a bucket, a backup is the catalog alone.
int BackupCatalogCommand(const std::string& data_dir, const std::string& directory);
int RestoreCommand(const std::string& directory, const std::string& data_dir, Clock& clock);

struct KeptOptions {
  std::string export_to;  // empty: don't
  bool free = false;
};
int KeptCommand(const std::string& data_dir, const KeptOptions& options, Clock& clock);

// See recover.h.
int RecoverCommand(const std::string& data_dir, const StoreConfig& store,
                   const std::string& database, Clock& clock);

}  // namespace gleaner::cloud
