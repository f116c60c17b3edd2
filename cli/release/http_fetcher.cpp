#include "cli/release/http_fetcher.h"

#include <fmt/format.h>

#include "cli/unreachable.h"
#include "common/printable.h"
#include "common/status.h"
#include "httplib.h"

namespace gleaner::cli {
namespace {

constexpr int kConnectTimeoutS = 10;
constexpr int kReadTimeoutS = 60;

}  // namespace

HttpFetcher::HttpFetcher(std::string server, std::string folder,
                         std::unique_ptr<httplib::Client> http)
    : server_(std::move(server)), folder_(std::move(folder)), http_(std::move(http)) {}
HttpFetcher::~HttpFetcher() = default;

absl::StatusOr<std::unique_ptr<HttpFetcher>> HttpFetcher::Connect(const std::string& url,
                                                                  const std::string& ca) {
  const size_t scheme = url.find("://");
  const size_t slash = scheme == std::string::npos ? std::string::npos : url.find('/', scheme + 3);
  const std::string server = url.substr(0, slash);
  std::string folder = slash == std::string::npos ? "" : url.substr(slash);
  while (folder.ends_with('/')) folder.pop_back();
  auto http = std::make_unique<httplib::Client>(server);
  if (!http->is_valid() || HostAndPort(server).first.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is not an address; write it as https://models.example.com/releases",
                    Printable(url)));
  }
  http->set_connection_timeout(kConnectTimeoutS);
  http->set_read_timeout(kReadTimeoutS);
  http->set_keep_alive(true);
  if (!ca.empty()) http->set_ca_cert_path(ca);
  return std::unique_ptr<HttpFetcher>(new HttpFetcher(server, std::move(folder), std::move(http)));
}

absl::Status HttpFetcher::Fetch(const std::string& path, const tuf::Sink& sink) {
  absl::Status taken;
  int status = 0;
  const auto result = http_->Get(
      folder_ + "/" + path,
      [&](const httplib::Response& response) {
        status = response.status;
        return true;
      },
      [&](const char* data, size_t size) {
        if (status != 200) return false;  // an error's page is nothing to gather
        taken = sink({data, size});
        return taken.ok();
      });
  RETURN_IF_ERROR(taken);
  if (status == 404 || status == 403) {
    return absl::NotFoundError(fmt::format("{} has no {}", server_ + folder_, path));
  }
  if (status != 0 && status != 200) {
    return absl::UnavailableError(
        fmt::format("{}{}/{}: HTTP status {}", server_, folder_, path, status));
  }
  if (result) return absl::OkStatus();
  if (result.error() == httplib::Error::Connection) {
    return WhyUnreachable(server_, kConnectTimeoutS, ServerOf::kReleases);
  }
  return absl::UnavailableError(
      fmt::format("{}{}/{}: {}", server_, folder_, path, httplib::to_string(result.error())));
}

}  // namespace gleaner::cli
