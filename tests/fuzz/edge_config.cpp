// gleaner-edge's configuration: what is let through is what the daemon starts with.
#include <set>

#include "common/limits.h"
#include "common/name.h"
#include "edge/config.h"
#include "edge/trigger/expression.h"
#include "tests/fuzz/config_text.h"

namespace gleaner::fuzz {
std::vector<std::string> Seeds() { return {}; }
}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  auto reader = ConfigReader::Parse(fuzz::AsText(data, size), fuzz::kPath);
  if (!reader.ok()) return 0;
  const auto config = edge::Config::Read(*reader);
  if (!config.ok()) {
    fuzz::RequireMistakes(config.status());
    return 0;
  }
  ++fuzz::accepted;
  REQUIRE(IsName(config->device));
  REQUIRE(config->site.empty() || IsName(config->site));
  REQUIRE(!config->link.server.empty());
  REQUIRE(config->spool.quota_bytes >= kBlockBytes && !config->spool.directory.empty());
  REQUIRE(config->spool.max_age_ns >= 0);
  REQUIRE(config->upload.window_chunks >= 1 && config->upload.clips_in_flight >= 1);
  REQUIRE(config->cameras.size() <= kMaxCameras);
  std::set<std::string> names;
  for (const edge::CameraOptions& camera : config->cameras) {
    REQUIRE(IsName(camera.name) && !camera.address.shown().empty() &&
            names.insert(camera.name).second);
  }
  REQUIRE(config->detectors.size() == config->cameras.size());
  names.clear();
  for (const edge::RuleOptions& rule : config->rules) {
    REQUIRE(IsName(rule.name) && names.insert(rule.name).second);
    REQUIRE(rule.priority <= kMaxPriority);
    REQUIRE(rule.pre_ns >= 0 && rule.post_ns >= 0 && rule.cooldown_ns >= 0);
    REQUIRE(rule.max_clip_ns >= rule.pre_ns + rule.post_ns);
  }
  const auto engine = edge::TriggerEngine::Create(
      config->rules, edge::SignalsOf(config->cameras, config->sensors), {});
  REQUIRE(engine.ok());
  return 0;
}
