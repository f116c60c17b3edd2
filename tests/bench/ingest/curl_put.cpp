#include "tests/bench/ingest/curl_put.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string_view>

#include "tests/bench/ingest/clients.h"

namespace gleaner::bench {
namespace {

size_t Ignore(char*, size_t size, size_t count, void*) { return size * count; }

size_t Read(char* buffer, size_t size, size_t count, void* user) {
  std::string_view& left = *static_cast<std::string_view*>(user);
  const size_t take = std::min(size * count, left.size());
  std::memcpy(buffer, left.data(), take);
  left.remove_prefix(take);
  return take;
}

}  // namespace

CurlPut::CurlPut(const std::string& header)
    : headers_(curl_slist_append(nullptr, header.c_str()), &curl_slist_free_all),
      curl_(curl_easy_init(), &curl_easy_cleanup) {
  curl_easy_setopt(handle(), CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(handle(), CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(handle(), CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
  curl_easy_setopt(handle(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle(), CURLOPT_WRITEFUNCTION, &Ignore);
  curl_easy_setopt(handle(), CURLOPT_READFUNCTION, &Read);
}

void CurlPut::Put(const std::string& url, size_t size) const {
  std::string_view body = std::string_view(Payload()).substr(0, size);
  curl_easy_setopt(handle(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle(), CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(size));
  curl_easy_setopt(handle(), CURLOPT_READDATA, &body);
  const CURLcode result = curl_easy_perform(handle());
  long status = 0;  // NOLINT(google-runtime-int): curl's
  curl_easy_getinfo(handle(), CURLINFO_RESPONSE_CODE, &status);
  if (result != CURLE_OK || status / 100 != 2) {
    throw std::runtime_error(
        fmt::format("PUT {}: {}, HTTP status {}", url, curl_easy_strerror(result), status));
  }
}

}  // namespace gleaner::bench
