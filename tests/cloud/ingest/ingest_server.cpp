// ingest_server FOLDER late|early: ingest alone, plaintext on a free loopback port, which it writes
// to standard output. `early` acknowledges before anything is durable: a negative control. Runs
// until it is killed, or dies by itself where GLEANER_CRASH_AT says.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "cloud/ingest/ingest_service.h"
#include "cloud/rpc/device_server.h"
#include "common/log.h"
#include "tests/cloud/catalog/catalog_testing.h"
#include "tests/data/test_objects.h"

int main(int argc, char** argv) {
  using namespace gleaner;
  using namespace gleaner::cloud;
  if (argc != 3 || !InitLogging("ingest_server", "error").ok()) return 2;
  const std::string folder = argv[1];
  auto catalog = OpenTestCatalog(folder + "/catalog.db");
  auto blobs = FileBlobStore::Open(folder + "/blobs");
  if (!catalog.ok() || !blobs.ok()) return 3;
  TestObjects objects(**blobs, folder);
  IngestOptions options;
  options.workers = 4;
  options.free_bytes_floor = 0;
  options.trust_metadata = true;
  // The negative control: what it says is not true yet.
  if (std::string_view(argv[2]) == "early") {
    ::setenv("GLEANER_FAULT", "ingest.acknowledge_early", 1);
  }
  IngestService service((*catalog)->uploads, (*catalog)->names, **blobs, *objects, RealClock(),
                        options);
  DeviceServerOptions door;
  door.listen = {"127.0.0.1", 0};
  door.plaintext = true;
  const auto server = DeviceServer::Start(door, {&service}, RealClock());
  if (!server.ok()) return 4;
  std::printf("%d\n", (*server)->port());
  std::fflush(stdout);
  for (;;) ::pause();
}
