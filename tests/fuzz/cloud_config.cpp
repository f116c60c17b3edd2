// gleaner-cloud's configuration: what is let through is what the server starts with.
#include "cloud/http/access.h"
#include "cloud/server_config.h"
#include "common/clock.h"
#include "tests/fuzz/config_text.h"

namespace gleaner::fuzz {
std::vector<std::string> Seeds() { return {}; }
}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  auto reader = ConfigReader::Parse(fuzz::AsText(data, size), fuzz::kPath);
  if (!reader.ok()) return 0;
  const auto config = cloud::ReadServerConfig(*reader, "/usr/bin");
  if (!config.ok()) {
    fuzz::RequireMistakes(config.status());
    return 0;
  }
  ++fuzz::accepted;
  REQUIRE(!config->data_dir.empty());
  REQUIRE(config->token.empty() || config->token.size() >= cloud::kMinTokenBytes);
  REQUIRE(config->ingest.trust_metadata == config->devices.plaintext);
  REQUIRE(config->fleet.trust_metadata == config->devices.plaintext);
  REQUIRE(!config->devices.plaintext || config->devices.listen.IsLoopback());
  REQUIRE(config->devices.memory_bytes >= 32 << 20);
  REQUIRE(config->ingest.workers >= 1 && config->media_workers >= 1);
  REQUIRE(config->ingest.reserved_per_device >= 0 && config->ingest.buffered_bytes >= 0 &&
          config->ingest.free_bytes_floor >= 0);
  REQUIRE(config->media_cpu_ns >= kNanosPerSecond);
  REQUIRE(config->fleet.policy.heartbeat_interval_s() >= 1);
  return 0;
}
