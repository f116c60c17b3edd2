// Thirty and more shapes in which a camera's URL carries a password, each with what must never be
// seen of it.
#pragma once

#include <string>
#include <vector>

#include "fmt/format.h"

namespace gleaner::edge {

struct SecretUrl {
  std::string url;
  std::vector<std::string> secrets;
};

// Of a camera at `host` ("127.0.0.1:8554"). Some are addresses, some are mistakes.
inline std::vector<SecretUrl> SecretUrls(const std::string& host) {
  const auto at = [&](const std::string& before, const std::string& after = "/live") {
    return fmt::format("rtsp://{}@{}{}", before, host, after);
  };
  const auto path = [&](const std::string& after) {
    return fmt::format("rtsp://{}{}", host, after);
  };
  return {
      // In front of the host.
      {at("opera7or:Hunter2a"), {"Hunter2a", "opera7or"}},
      {at("admin:Hunt/er2b"), {"Hunt/er2b", "er2b", "Hunt"}},
      {at("admin:Hunt?er2c"), {"Hunt?er2c", "er2c"}},
      {at("admin:Hunt#er2d"), {"Hunt#er2d", "er2d"}},
      {at("admin:Hunt@er2e"), {"Hunt@er2e", "er2e"}},
      {at("admin:Hunt:er2f"), {"Hunt:er2f", "er2f"}},
      {at("admin:Hunt er2g"), {"Hunt er2g", "er2g"}},
      {at("admin:Hunt%40er2h"), {"Hunt%40er2h", "Hunt@er2h", "er2h"}},
      {at("admin:Hunt%2Fer2i"), {"Hunt%2Fer2i", "Hunt/er2i", "er2i"}},
      {at("admin:4711/er2j"), {"4711", "er2j"}},
      {at("admin:Hunt@er.2k/x"), {"er.2k", "Hunt@"}},
      {at("admin:Hunt[er]2l"), {"Hunt[er]2l"}},
      {at("admin:\\\"Hunter2m"), {"Hunter2m"}},
      {at("Hunter2n"), {"Hunter2n"}},
      {at(":Hunter2o"), {"Hunter2o"}},
      {at("admin:Hunter2p", ""), {"Hunter2p"}},
      {at("admin:Hunter2q", "?x=1"), {"Hunter2q"}},
      // In the query, the path, the fragment.
      {path("/live?user=admin&password=Hunter3a"), {"Hunter3a"}},
      {path("/live?usr=admin&pwd=Hunter3b"), {"Hunter3b"}},
      {path("/live?token=Hunter3c"), {"Hunter3c"}},
      {path("/?Hunter3d"), {"Hunter3d"}},
      {path("?pwd=Hunter3e"), {"Hunter3e"}},
      {path("/user=admin&password=Hunter3f&channel=1&stream=0.sdp"), {"Hunter3f"}},
      {path("/user=admin_password=Hunter3g_channel=1_stream=0.sdp?real_stream"), {"Hunter3g"}},
      {path("/admin/Hunter3h/ch01"), {"Hunter3h"}},
      {path("/Hunter3i"), {"Hunter3i"}},
      {path("/live#Hunter3j"), {"Hunter3j"}},
      {path("/live;password=Hunter3k"), {"Hunter3k"}},
      {path("/live/rtsp://admin:Hunter3l@10.9.9.9/x"), {"Hunter3l"}},
      {at("admin:Hunter3m", "/live?password=Hunter3n"), {"Hunter3m", "Hunter3n"}},
      // Mistakes.
      {"RTSP://admin:Hunter4a@" + host + "/live", {"Hunter4a"}},
      {"rtsps://admin:Hunter4b@" + host + "/live", {"Hunter4b"}},
      {"http://admin:Hunter4c@" + host + "/live", {"Hunter4c"}},
      {"rtsp+http://admin:Hunter4d@" + host + "/live", {"Hunter4d"}},
      {"rtsp:/admin:Hunter4e@" + host + "/live", {"Hunter4e"}},
      {"rtsp:admin:Hunter4f@" + host + "/live", {"Hunter4f"}},
      {"//admin:Hunter4g@" + host + "/live", {"Hunter4g"}},
      {"admin:Hunter4h@" + host + "/live", {"Hunter4h"}},
      {host + "/live?password=Hunter4i", {"Hunter4i"}},
      {"rtsp://admin:Hunter4j@", {"Hunter4j"}},
      {"rtsp://admin:Hunter4k@:554/live", {"Hunter4k"}},
      {"rtsp://admin:Hunter4l@" + host + "/x@10.9.9.9", {"Hunter4l"}},
      {"rtsp://admin:Hunter4m%0a@" + host + "/live", {"Hunter4m"}},
  };
}

}  // namespace gleaner::edge
