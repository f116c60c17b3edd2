// A repository of releases as a web server hands it out.
#pragma once

#include <memory>
#include <string>

#include "common/tuf/fetch.h"

namespace httplib {
class Client;
}

namespace gleaner::cli {

// One thread at a time.
class HttpFetcher : public tuf::Fetcher {
 public:
  // `url`: "https://models.example.com/releases"; `ca` as ClientOptions::ca. INVALID_ARGUMENT if it
  // is no such address.
  static absl::StatusOr<std::unique_ptr<HttpFetcher>> Connect(const std::string& url,
                                                              const std::string& ca);
  ~HttpFetcher() override;
  absl::Status Fetch(const std::string& path, const tuf::Sink& sink) override;

 private:
  HttpFetcher(std::string server, std::string folder, std::unique_ptr<httplib::Client> http);

  std::string server_, folder_;
  std::unique_ptr<httplib::Client> http_;
};

}  // namespace gleaner::cli
