// Dies where GLEANER_CRASH_AT says: as a client that refreshes, or as a repository that does.
//
//   tuf_crash_child client REPOSITORY ROOT STATE NOW     tuf_crash_child refresh REPOSITORY NOW
//   KEY…
#include <cstdio>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/file.h"
#include "common/tuf/bounds.h"
#include "common/tuf/client.h"
#include "common/tuf/repository.h"

int main(int argc, char** argv) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  absl::Status status;
  if (arguments.at(0) == "client") {
    const FakeClock clock(0, std::stoll(arguments.at(4)) * kNanosPerSecond);
    tuf::FolderFetcher fetcher(arguments.at(1));
    status =
        tuf::Client::Open({.packaged_root = ReadFile(arguments.at(2), tuf::kMaxRootBytes).value(),
                           .state_path = arguments.at(3)},
                          clock)
            ->Refresh(fetcher);
  } else {
    std::vector<tuf::PrivateKey> keys;
    for (size_t i = 3; i < arguments.size(); ++i) {
      keys.push_back(tuf::PrivateKey::Read(arguments[i]).value());
    }
    status = tuf::Repository::Open(arguments.at(1))
                 ->Refresh(keys, {}, std::stoll(arguments.at(2)))
                 .status();
  }
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
