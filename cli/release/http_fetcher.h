// A repository of releases as a web server hands it out.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

#include "common/tuf/fetch.h"

namespace gleaner::cli {

// One thread at a time. The server need not be honest: neither what surrounds a file may be endless
// (a head has at most 64 KiB) nor may a file come drop by drop (less than 1 KiB a second for half a
// minute is slow retrieval, one of the attacks that TUF names).
class HttpFetcher : public tuf::Fetcher {
 public:
  // `url`: "https://models.example.com/releases"; `ca` as ClientOptions::ca. INVALID_ARGUMENT if it
  // is no such address.
  static absl::StatusOr<std::unique_ptr<HttpFetcher>> Connect(const std::string& url,
                                                              const std::string& ca);
  absl::Status Fetch(const std::string& path, const tuf::Sink& sink) override;

 private:
  struct CloseHandle {
    void operator()(CURL* curl) const { ::curl_easy_cleanup(curl); }
  };
  HttpFetcher(std::string server, std::string folder, std::string ca, CURL* curl)
      : server_(std::move(server)), folder_(std::move(folder)), ca_(std::move(ca)), curl_(curl) {}

  std::string server_, folder_, ca_;
  std::unique_ptr<CURL, CloseHandle> curl_;  // keeps the connection
};

}  // namespace gleaner::cli
