// URLs that are a permission by themselves, for programs that read shards and can't send a token
// (curl, a training job): the path of one file and the second until which it holds, under
// HMAC-SHA256 with a key of the catalog, so any server over it knows them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "cloud/http/http_message.h"

namespace gleaner::cloud {

inline constexpr std::string_view kSignedPrefix = "/signed";
inline constexpr int64_t kSignedSeconds = 3600;

class UrlSigner {
 public:
  // Signs for kSignedSeconds from now on.
  UrlSigner(std::string key, int64_t now_unix_ns);

  int64_t until_unix_s() const { return until_unix_s_; }
  // "/signed/datasets/…?until=…&by=…"
  std::string Sign(std::string_view path) const;
  // PERMISSION_DENIED for what it never signed, or whose time is over. *path: what was signed.
  absl::Status Check(const HttpRequest& request, std::string* path) const;

 private:
  std::string MacOf(std::string_view path, int64_t until) const;

  const std::string key_;
  const int64_t now_unix_s_, until_unix_s_;
};

}  // namespace gleaner::cloud
