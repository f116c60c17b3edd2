#include "cloud/http/response_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <iterator>

namespace gleaner::cloud {

bool HasNoBody(int status) { return status < 200 || status == 204 || status == 304; }

std::string ResponseHead(int status, const HttpHeaders& headers, std::optional<uint64_t> length,
                         Persistence persistence) {
  namespace http = boost::beast::http;
  const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
  std::string head =
      fmt::format("HTTP/1.1 {} {}\r\n", status, std::string_view(reason.data(), reason.size()));
  for (const auto& [name, value] : headers) {
    head.append(name).append(": ");
    std::replace_copy_if(
        value.begin(), value.end(), std::back_inserter(head),
        [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
    head.append("\r\n");
  }
  if (length && !HasNoBody(status)) head += fmt::format("Content-Length: {}\r\n", *length);
  if (persistence == Persistence::kClose) head += "Connection: close\r\n";
  if (persistence == Persistence::kKeepHttp10) head += "Connection: keep-alive\r\n";
  return head += "\r\n";
}

}  // namespace gleaner::cloud
