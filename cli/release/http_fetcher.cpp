#include "cli/release/http_fetcher.h"

#include <fmt/format.h>

#include <array>

#include "cli/unreachable.h"
#include "common/printable.h"
#include "common/status.h"

namespace gleaner::cli {
namespace {

constexpr int kConnectTimeoutS = 10;
constexpr long kLeastBytesPerS = 1024, kSlowForS = 30;
constexpr size_t kMaxHeadBytes = 64 * 1024;

// One file on its way, as curl's callbacks see it.
struct Transfer {
  CURL* curl;
  const tuf::Sink& sink;
  size_t head_bytes = 0;  // all lines of it, those of answers before the last as well
  bool head_too_long = false;
  absl::Status taken{};

  long status() const {
    long status = 0;
    ::curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
  }
};

size_t TakeHead(char*, size_t, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.head_bytes += size;
  transfer.head_too_long = transfer.head_bytes > kMaxHeadBytes;
  return transfer.head_too_long ? 0 : size;
}

size_t TakePiece(char* data, size_t, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.status() != 200) return 0;  // an error's page is nothing to gather
  transfer.taken = transfer.sink({data, size});
  return transfer.taken.ok() ? size : 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpFetcher>> HttpFetcher::Connect(const std::string& url,
                                                                  const std::string& ca) {
  const size_t scheme = url.find("://");
  const size_t slash = scheme == std::string::npos ? std::string::npos : url.find('/', scheme + 3);
  const std::string server = url.substr(0, slash);
  std::string folder = slash == std::string::npos ? "" : url.substr(slash);
  while (folder.ends_with('/')) folder.pop_back();
  const bool is_http = url.starts_with("http://") || url.starts_with("https://");
  if (!is_http || HostAndPort(server).first.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is not an address; write it as https://models.example.com/releases",
                    Printable(url)));
  }
  static const CURLcode started = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)started;
  CURL* curl = ::curl_easy_init();
  if (curl == nullptr) return absl::ResourceExhaustedError("out of memory");
  return std::unique_ptr<HttpFetcher>(new HttpFetcher(server, std::move(folder), ca, curl));
}

absl::Status HttpFetcher::Fetch(const std::string& path, const tuf::Sink& sink) {
  CURL* const curl = curl_.get();
  ::curl_easy_reset(curl);
  Transfer transfer{.curl = curl, .sink = sink};
  std::array<char, CURL_ERROR_SIZE> error{};
  const std::string url = fmt::format("{}{}/{}", server_, folder_, path);
  ::curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  ::curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  ::curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  ::curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error.data());
  ::curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, long{kConnectTimeoutS});
  ::curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, kLeastBytesPerS);
  ::curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kSlowForS);
  if (!ca_.empty()) ::curl_easy_setopt(curl, CURLOPT_CAINFO, ca_.c_str());
  ::curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &TakeHead);
  ::curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  ::curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &TakePiece);
  ::curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  const CURLcode code = ::curl_easy_perform(curl);
  RETURN_IF_ERROR(transfer.taken);
  const long status = transfer.status();
  if (status == 404 || status == 403) {
    return absl::NotFoundError(fmt::format("{} has no {}", server_ + folder_, path));
  }
  if (transfer.head_too_long) {
    return absl::UnavailableError(
        fmt::format("{}: its head goes on beyond {} KiB", url, kMaxHeadBytes / 1024));
  }
  if (status != 0 && status != 200) {
    return absl::UnavailableError(fmt::format("{}: HTTP status {}", url, status));
  }
  if (code == CURLE_OK && status == 200) return absl::OkStatus();
  if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST) {
    return WhyUnreachable(server_, kConnectTimeoutS, ServerOf::kReleases);
  }
  return absl::UnavailableError(fmt::format(
      "{}: {}", url, Printable(error[0] != '\0' ? error.data() : ::curl_easy_strerror(code))));
}

}  // namespace gleaner::cli
