// The byte stream to a camera: TCP, or TLS over it for rtsps://. Every wait ends when `interrupted`
// says so, within a twentieth of a second, and so does every read, however much there is to read.
//
// TLS keeps others from reading along; it doesn't prove which camera this is, for cameras' own
// certificates are signed by nobody.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/file.h"
#include "edge/camera/net_address.h"

namespace gleaner::edge {

// Not thread-safe. Errors don't name the camera; the caller does.
class RtspConnection {
 public:
  // Tries all of the host's addresses at once and takes the first that answers. UNAVAILABLE where
  // none does, CANCELLED when interrupted.
  static absl::StatusOr<std::unique_ptr<RtspConnection>> Open(const std::string& host,
                                                              uint16_t port, bool tls,
                                                              std::function<bool()> interrupted);

  // Reads what is there, at most `size` bytes, waiting for the first; one of `others` that becomes
  // readable ends the wait as well. 0: nothing came within a moment, or only on one of `others`.
  // UNAVAILABLE when the camera has closed the connection, CANCELLED when interrupted.
  absl::StatusOr<size_t> Read(char* data, size_t size, std::span<const int> others = {});
  absl::Status Write(std::string_view bytes);
  // Writes a little, unless the camera hasn't taken what was written before: for what it can do
  // without.
  void WriteIfRoom(std::string_view bytes);

  // The camera's end of the connection, and this one.
  NetAddress peer() const;
  NetAddress local() const;

 private:
  struct FreeTls {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* tls) const { SSL_free(tls); }
  };

  RtspConnection(Fd fd, std::function<bool()> interrupted)
      : fd_(std::move(fd)), interrupted_(std::move(interrupted)) {}
  absl::Status StartTls(const std::string& host);
  // Waits a moment for `events` (poll's), in vain maybe.
  absl::Status Await(short events, std::span<const int> others = {});
  // What TLS wants to be waited for after `result`; 0 if the connection is broken.
  short TlsWants(int result) const;

  Fd fd_;
  std::function<bool()> interrupted_;
  std::unique_ptr<SSL_CTX, FreeTls> context_;
  std::unique_ptr<SSL, FreeTls> tls_;  // null for plain TCP
};

}  // namespace gleaner::edge
