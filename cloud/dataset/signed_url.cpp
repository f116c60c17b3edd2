#include "cloud/dataset/signed_url.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <charconv>

#include "common/clock.h"
#include "common/digest.h"

namespace gleaner::cloud {

UrlSigner::UrlSigner(std::string key, int64_t now_unix_ns)
    : key_(std::move(key)),
      now_unix_s_(now_unix_ns / kNanosPerSecond),
      until_unix_s_(now_unix_s_ + kSignedSeconds) {}

std::string UrlSigner::MacOf(std::string_view path, int64_t until) const {
  return Hex(AsBytes(HmacSha256(key_, fmt::format("{}\n{}", path, until))));
}

std::string UrlSigner::Sign(std::string_view path) const {
  return fmt::format("{}{}?until={}&by={}", kSignedPrefix, path, until_unix_s_,
                     MacOf(path, until_unix_s_));
}

absl::Status UrlSigner::Check(const HttpRequest& request, std::string* path) const {
  const auto until = request.query.find("until");
  const auto by = request.query.find("by");
  int64_t second = 0;
  if (until != request.query.end() && by != request.query.end() &&
      request.path.starts_with(kSignedPrefix)) {
    const std::string& text = until->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), second);
    *path = request.path.substr(kSignedPrefix.size());
    const std::string mac = MacOf(*path, second);
    if (error == std::errc() && end == text.data() + text.size() &&
        by->second.size() == mac.size() &&
        CRYPTO_memcmp(by->second.data(), mac.data(), mac.size()) == 0) {
      if (second >= now_unix_s_) return absl::OkStatus();
      return absl::PermissionDeniedError("this URL's time is over: ask for the export again");
    }
  }
  return absl::PermissionDeniedError("this URL is not one that this server signed");
}

}  // namespace gleaner::cloud
