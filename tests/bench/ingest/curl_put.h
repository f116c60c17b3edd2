// PUTs with libcurl over one connection that is kept, as both peers' clients make them.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

namespace gleaner::bench {

// Used by one thread.
class CurlPut {
 public:
  // Every request has this header.
  explicit CurlPut(const std::string& header);

  // For options of the connection's.
  CURL* handle() const { return curl_.get(); }
  // The first `size` bytes of Payload(). Throws std::runtime_error.
  void Put(const std::string& url, size_t size) const;

 private:
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers_;
  const std::unique_ptr<CURL, void (*)(CURL*)> curl_;
};

}  // namespace gleaner::bench
