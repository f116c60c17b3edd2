// Where a camera is: its URL, taken apart once. What may be shown of it, what is opened, and what
// the URL itself says of a login are three things, and nothing else in the daemon holds the URL.
//
// Cameras' addresses carry passwords in every place: before the host, in the query
// ("?user=a&password=b") and in the path ("/user=a&password=b&channel=1.sdp"). So of an address
// only scheme, host and port are ever shown.
//
// A password in front of the host is taken as people paste it, with "@", "#", "/", "?", ":" and
// spaces in it, or percent-encoded: the host is the one place in the URL that can be a host. Where
// a URL can be read in two ways it is refused rather than guessed at, for a wrong guess would show
// a part of the password as the host.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gleaner::edge {

enum class SourceKind { kFile, kRtsp, kV4l2 };

// "file", "rtsp", "v4l2".
std::string_view ToString(SourceKind kind);

// A copyable value. Without Parse() it is a file without a name: shown() is empty, and no opening
// succeeds.
class CameraAddress {
 public:
  // `source`: "auto" (by the URL), "file", "rtsp" or "v4l2". INVALID_ARGUMENT says what is wrong
  // and how to write it, without a single character of the URL.
  static absl::StatusOr<CameraAddress> Parse(std::string_view url,
                                             std::string_view source = "auto");

  SourceKind kind() const { return kind_; }
  // For people: "rtsp://host" or "rtsp://host:port"; a file's or a device's path.
  const std::string& shown() const { return shown_; }

  // Files and V4L2: what open(2) takes.
  const std::string& path() const { return path_; }

  // RTSP. `host` is a name or a number without brackets, in lower case.
  const std::string& host() const { return host_; }
  uint16_t port() const { return port_; }
  bool tls() const { return tls_; }
  // The URL as the camera is asked for it: without a login, spaces and the like encoded.
  const std::string& uri() const { return uri_; }
  // What stands before the host, decoded.
  bool has_login() const { return !user_.empty() || !password_.empty(); }
  const std::string& user() const { return user_; }
  const std::string& password() const { return password_; }

 private:
  absl::Status ParseRtsp(std::string_view rest);

  SourceKind kind_ = SourceKind::kFile;
  std::string shown_;
  std::string path_;
  std::string host_;
  uint16_t port_ = 0;
  bool tls_ = false;
  std::string uri_;
  std::string user_;
  std::string password_;
};

}  // namespace gleaner::edge
