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
      // In front of the host, as people paste it and as it should be.
      {at("opera7or:Hunter2a"), {"Hunter2a", "opera7or"}},
      {at("admin:Hunter2b/Secret2b"), {"Hunter2b", "Secret2b"}},
      {at("admin:Hunter2c?Secret2c"), {"Hunter2c", "Secret2c"}},
      {at("admin:Hunter2d#Secret2d"), {"Hunter2d", "Secret2d"}},
      {at("admin:Hunter2e@Secret2e"), {"Hunter2e", "Secret2e"}},
      {at("admin:Hunter2f:Secret2f"), {"Hunter2f", "Secret2f"}},
      {at("admin:Hunter2g Secret2g"), {"Hunter2g", "Secret2g"}},
      {at("admin:Hunter2h%40Secret2h"), {"Hunter2h", "Secret2h"}},
      {at("admin:Hunter2i%2FSecret2i"), {"Hunter2i", "Secret2i"}},
      {at("admin:4711/Secret2j"), {"admin:4711", "Secret2j"}},
      {at("admin:Hunter2k@Secret2k/Third2kk"), {"Hunter2k", "Secret2k", "Third2kk"}},
      {at("admin:Hunter2l[Secret2l]"), {"Hunter2l", "Secret2l"}},
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
