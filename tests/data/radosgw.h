// A store with S3's interface of the tests' own: Ceph's (radosgw.sh).
#pragma once

#include <sys/types.h>

#include <string>

#include "common/file.h"

namespace gleaner {

// Whether there is one to be had on this machine; else the test is skipped, and says which packages
// it needs.
bool HasRadosgw();
inline constexpr const char* kNoRadosgw = "needs the packages radosgw, ceph-mon, ceph-osd";

// Its key is "gleaner", its secret "gleaner-secret". Goes with its owner.
class Radosgw {
 public:
  enum class KeptIn { kMemory, kDisk };

  // Writes under `folder`, which is on a disk if its objects are to be. Throws std::runtime_error
  // if it doesn't start.
  Radosgw(const std::string& folder, KeptIn kept_in);
  ~Radosgw();
  Radosgw(const Radosgw&) = delete;
  Radosgw& operator=(const Radosgw&) = delete;

  const std::string& endpoint() const { return endpoint_; }

  // As `kill -9` of all its processes, or, with objects in memory, of the gateway alone; nobody
  // answers until it was started again, which goes on with what is left and takes some seconds.
  void Kill();
  void BeginStart();
  void UntilStarted();

 private:
  void Tell(const std::string& word);
  void WaitForLine();

  const std::string folder_;
  std::string endpoint_;
  pid_t script_ = -1;
  Fd to_, from_;
  bool starting_ = true;
};

}  // namespace gleaner
