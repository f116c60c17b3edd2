// What comes over a connection of the page's port: the same bytes give the same requests however
// they are cut, and what is let through is plain.
#include <algorithm>
#include <vector>

#include "cloud/http/request_reader.h"
#include "tests/fuzz/fuzz.h"

namespace gleaner::fuzz {

std::vector<std::string> Seeds() {
  return {
      "GET /a%20b?c=d&e HTTP/1.1\r\nHost: x:80\r\n\r\nGET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
      "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody",
      "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;a=\"b\"\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.0\r\n\r\n"};
}

namespace {

struct Seen {
  std::vector<std::string> texts;  // of each request: method, path, body
  int refused = 0;
  bool operator==(const Seen&) const = default;
};

Seen Read(std::string_view bytes, size_t at_once) {
  using State = cloud::RequestReader::State;
  cloud::RequestReader reader;
  Seen seen;
  while (!bytes.empty() && reader.state() != State::kRefused) {
    const std::string_view piece = bytes.substr(0, at_once);
    bytes.remove_prefix(piece.size());
    for (State state = reader.Feed(piece); state == State::kWhole; state = reader.Next()) {
      const cloud::HttpRequest& request = reader.request();
      REQUIRE(request.path.starts_with('/') && request.path.find('\0') == std::string::npos);
      REQUIRE(request.path.size() <= cloud::RequestReader::kMaxPathBytes);
      REQUIRE(request.body.size() <= cloud::RequestReader::kMaxBodyBytes);
      REQUIRE(request.method == "GET" || request.method == "HEAD" || request.method == "POST");
      REQUIRE(request.headers.Count("Host") <= 1 && request.headers.Count("Content-Length") <= 1);
      REQUIRE(!request.headers.Has("Content-Length") || !request.headers.Has("Transfer-Encoding"));
      for (const auto& [name, value] : request.headers) {
        REQUIRE(!name.empty() &&
                name.find_first_of(std::string_view(" \t\0:\r\n", 6)) == std::string::npos);
        REQUIRE(value.find_first_of(std::string_view("\0\r\n", 3)) == std::string::npos);
      }
      seen.texts.insert(seen.texts.end(), {request.method, request.path, request.body});
      if (!reader.keep_alive()) return seen;
    }
  }
  if (reader.state() == State::kRefused) seen.refused = reader.refusal().status;
  return seen;
}

}  // namespace
}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  const auto whole = fuzz::Read(fuzz::AsText(data, size), std::max<size_t>(size, 1));
  if (!whole.texts.empty()) ++fuzz::accepted;
  REQUIRE(whole == fuzz::Read(fuzz::AsText(data, size), 1));
  REQUIRE(whole == fuzz::Read(fuzz::AsText(data, size), 7));
  return 0;
}
