// The door for browsers and scripts: HTTP/1.0 and 1.1. README.md says why Boost, and what it does.
//
// One thread owns all connections: it accepts, reads, sends and times out, and never waits. A fixed
// pool runs the handlers, and only for requests that are here with their whole body: who sends or
// reads slowly holds a connection and some memory, never a thread. Bounds:
//  - a head is at most 32 KiB and is here within 5 s of its first byte; a body is at most 1 MiB and
//  has 30 s more; a reader who takes nothing for 20 s is dropped; between requests a connection may
//  rest for 30 s;
//  - a body that is not here with its head is read only once `admit` has let the request pass;
//  - what bodies on their way and answers being taken hold in memory is at most 64 MiB together:
//  beyond that a request gets 503. Short ones (16 KiB) always pass;
//  - at most 512 connections: beyond that the longest idle one is closed, or else the one that has
//  kept the server waiting longest; if none has, the new one gets 503;
//  - at most 2,048 streams (see HttpStream) beside those.
// A connection whose framing is in doubt is closed after the answer, so that what is left in it is
// never read as a request; see request_reader.h for what is refused.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

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
    // Whether to read the body of this POST, of which only the head is here; false after filling in
    // the refusal. May be empty. `post` follows, and must not rely on this having been asked.
    std::function<bool(const HttpRequest&, HttpResponse&)> admit;
    // After each answer, those that no handler saw included; of the response, only status and
    // headers are left. A stream counts when it begins. On the loop's thread: must not block.
    std::function<void(const HttpRequest&, const HttpResponse&, double seconds)> done;
    // On every answer, for example the security headers.
    HttpHeaders headers;
  };
  struct Limits {
    size_t threads = 32;
    size_t connections = 512;
    size_t streams = 2048;
    size_t held_bytes = 64 << 20;
    std::chrono::milliseconds idle{30'000};
    std::chrono::milliseconds head{5'000};
    std::chrono::milliseconds body{30'000};
    std::chrono::milliseconds write{20'000};
  };

  // Listens and serves at once. The error names the address ("listen on 127.0.0.1:8080: Address
  // already in use").
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const ListenAddress& address,
                                                           const Limits& limits, Handlers handlers);
  // Stops.
  ~HttpServer();

  uint16_t port() const;

  // There is something new for streams to send. From any thread, as often as you like: they are
  // asked soon, and at most ten times a second.
  void WakeStreams();

  // No new requests, and streams end; requests under way get 2 s to end, then their connections are
  // cut. Handlers that are running are waited for. Safe to repeat.
  void Stop();

 private:
  class Engine;
  explicit HttpServer(std::unique_ptr<Engine> engine);
  std::unique_ptr<Engine> engine_;
};

}  // namespace gleaner::cloud
