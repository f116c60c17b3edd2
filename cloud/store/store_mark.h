// What the blob folder says of itself, in a file beside the segments: which store it is, in which
// history, and how often its blobs have been given a name. The catalog says the same of itself
// (StoreIdentity), and data_folder.h compares the two.
//
// On disk: BLOBS/store, text of four lines, as
//
//   gleaner blob store 2                     the layout: 2, blobs share segments
//   id 0f3c…                                 32 of lower-case hex
//   history 9a61…                            the same
//   named 00000000000000000042               20 digits
//
// It is written whole (a new file, renamed) but for the last number, which is written in place
// after each transaction that raised it. That write is not synced at once, so that no clip pays for
// it: within a second, and when the server stops. So after a crash of the server the number is
// right, and after a power cut it may be behind by a second's clips, never ahead.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/store/blob_names.h"
#include "common/clock.h"
#include "common/file.h"

namespace gleaner::cloud {

// The layout that this program writes, and the highest that it reads.
inline constexpr uint64_t kBlobLayout = 2;

std::string StoreMarkPath(const std::string& blobs);

// Empty if the folder has none, or isn't there. FAILED_PRECONDITION if a newer program made the
// layout, DATA_LOSS if it isn't a mark.
absl::StatusOr<std::optional<StoreIdentity>> ReadStoreMark(const std::string& blobs);

// Durable on return.
absl::Status WriteStoreMark(const std::string& blobs, const StoreIdentity& identity);

// Keeps the number up to date while a server runs. Thread-safe.
class StoreWitness {
 public:
  static absl::StatusOr<std::unique_ptr<StoreWitness>> Open(const std::string& blobs, Clock& clock);
  // Syncs.
  ~StoreWitness();

  // Returns at once. What goes wrong is logged: the number is then behind, as after a power cut.
  void Note(uint64_t named);

 private:
  StoreWitness(std::string path, Fd file, Clock& clock);
  void Sync();

  const std::string path_;
  const Fd file_;
  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool dirty_ = false;
  std::jthread thread_;
};

}  // namespace gleaner::cloud
