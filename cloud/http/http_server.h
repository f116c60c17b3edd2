// The door for browsers and scripts: cpp-httplib parses and answers HTTP/1.1, the transport around
// it is our own.
//
// The library alone would (in Debian's 0.11) share its port silently with a second server
// (SO_REUSEPORT), refuse every connection whose descriptor is above 1023, which a server with
// thousands of devices soon reaches, hold a thread for each idle browser connection, read request
// heads without a limit, and serve a Range beyond the end of a file. Here:
//  - one thread accepts and watches idle connections (epoll); a fixed pool answers requests, so an
//  idle connection costs no thread;
//  - a request's head is at most 32 KiB and must be here within 5 s of its first byte, and gets a
//  thread only then; its body is at most 1 MiB and has 30 s more; a reader who takes nothing for 20
//  s is dropped;
//  - 8 threads (of few: half) are kept for requests that are here and answers that are taken: a
//  body that is still on its way or an answer of more than 256 KiB beyond that gets 503, and
//  whoever does not read the short answers to what it asked is dropped;
//  - at most 512 connections: beyond that the longest idle one is closed, and if none is idle the
//  new one gets 503;
//  - a connection whose framing is in doubt is closed after the answer, so that what is left in it
//  is never read as a request.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cloud/http/http_message.h"
#include "cloud/net/listen_address.h"

namespace gleaner::cloud {

class HttpServer {
 public:
  // Called on the pool's threads, many at once. Exceptions become a 500.
  struct Handlers {
    // GET and HEAD (whose body is not sent). Ranges are the handler's own business.
    std::function<void(const HttpRequest&, HttpResponse&)> get;
    // POST, with its whole body.
    std::function<void(const HttpRequest&, HttpResponse&)> post;
    // After each answer, those that no handler saw included.
    std::function<void(const HttpRequest&, const HttpResponse&, double seconds)> done;
    // On every answer, for example the security headers.
    HttpHeaders headers;
  };

  // Listens and serves at once. The error names the address ("listen on 127.0.0.1:8080: Address
  // already in use").
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const ListenAddress& address,
                                                           size_t threads, Handlers handlers);
  // Stops.
  ~HttpServer();

  uint16_t port() const;

  // No new requests; those under way get 2 s to end, then their connections are cut. Safe to
  // repeat.
  void Stop();

 private:
  class Engine;
  explicit HttpServer(std::unique_ptr<Engine> engine);
  std::unique_ptr<Engine> engine_;
};

}  // namespace gleaner::cloud
