// A spool with made-up clips, and certificates, for tests of the device's side of the network.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "edge/spool/spool.h"
#include "edge/upload/link.h"

namespace gleaner::edge {

// A folder that goes away with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string path(const std::string& name = "") const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// Looks again every few milliseconds, for at most ten seconds. For state that nothing announces.
bool Eventually(const std::function<bool()>& condition);

std::unique_ptr<Spool> OpenSpool(const std::string& directory, Clock& clock,
                                 uint64_t quota_bytes = 32 << 20);

// Commits a clip with one object of random bytes for each size.
ClipKey AddClip(Spool& spool, const std::vector<uint64_t>& sizes, uint64_t seed,
                uint32_t priority = 5);

std::unique_ptr<Link> PlainLink(const std::string& address, Clock& clock);

// An authority with a server's ("localhost") and devices' certificates, made by the openssl
// command. Elliptic curves: it takes a blink.
class TestAuthority {
 public:
  TestAuthority();
  // NAME.pem and NAME.key in path(), valid for 30 days; what is there is replaced.
  void Issue(const std::string& name);
  std::string path(const std::string& file) const { return folder_.path(file); }
  LinkOptions Options(const std::string& address, const std::string& name) const;

 private:
  TemporaryFolder folder_;
};

}  // namespace gleaner::edge
