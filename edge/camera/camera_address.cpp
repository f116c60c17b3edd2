#include "edge/camera/camera_address.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

constexpr size_t kMaxUrlBytes = 2048;
constexpr uint16_t kRtspPort = 554;   // RFC 2326, 3.2
constexpr uint16_t kRtspsPort = 322;  // RFC 7826, 4.2
constexpr char kHowTo[] =
    "must be a path (/srv/film.mp4), a V4L2 device (/dev/video0), or start with rtsp:// or "
    "rtsps://";

bool IsControl(char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); }

// How much a host looks like one. A single label is one, but so is many a password.
enum class Likeness { kNone, kLabel, kName, kNumber };

struct Host {
  std::string name;
  uint16_t port = 0;  // 0: not said
  Likeness likeness = Likeness::kNone;
};

Likeness LikenessOf(std::string_view name) {
  if (name.empty() || name.size() > 253) return Likeness::kNone;
  const bool characters = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_';
  });
  if (!characters || name.front() == '.' || name.find("..") != std::string_view::npos) {
    return Likeness::kNone;
  }
  if (name == "localhost") return Likeness::kName;
  const auto dots = std::count(name.begin(), name.end(), '.');
  const bool digits = name.find_first_not_of("0123456789.") == std::string_view::npos;
  if (digits) return dots == 3 ? Likeness::kNumber : Likeness::kNone;
  return dots > 0 ? Likeness::kName : Likeness::kLabel;
}

// "host", "host:port", "[address]:port".
std::optional<Host> ParseHost(std::string_view text) {
  Host host;
  std::string_view rest;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos || end < 3) return std::nullopt;
    const std::string_view address = text.substr(1, end - 1);
    if (address.find(':') == std::string_view::npos ||
        address.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) {
      return std::nullopt;
    }
    host.name = absl::AsciiStrToLower({address.data(), address.size()});
    host.likeness = Likeness::kNumber;
    rest = text.substr(end + 1);
  } else {
    const std::string_view name = text.substr(0, text.find(':'));
    host.name = absl::AsciiStrToLower({name.data(), name.size()});
    host.likeness = LikenessOf(host.name);
    rest = text.substr(name.size());
  }
  if (host.likeness == Likeness::kNone) return std::nullopt;
  if (rest.empty()) return host;
  uint32_t port = 0;
  const std::string_view digits = rest.substr(1);
  if (rest.front() != ':' || digits.empty() || digits.size() > 5 ||
      digits.find_first_not_of("0123456789") != std::string_view::npos ||
      !absl::SimpleAtoi({digits.data(), digits.size()}, &port) || port == 0 || port > 65535) {
    return std::nullopt;
  }
  host.port = static_cast<uint16_t>(port);
  return host;
}

// "%40" is "@"; a "%" that no two hexadecimal digits follow is a "%".
std::string PercentDecoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() &&
        absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 1])) &&
        absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 2]))) {
      decoded += absl::HexStringToBytes({text.data() + i + 1, 2});
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

// What would break the request that the URL goes into: spaces, quotes, bytes beyond ASCII.
std::string Encoded(std::string_view path) {
  std::string encoded;
  for (const char c : path) {
    if (c == ' ' || c == '"' || c == '\\' || static_cast<unsigned char>(c) >= 0x7f) {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      encoded += c;
    }
  }
  return encoded;
}

struct Reading {
  Host host;
  size_t login_end = 0;  // where its "@" is; npos: there is no login
  size_t path_begin = 0;
};

// Every way in which what follows "://" can be read: as if nothing stood before the host, and with
// each "@" as the end of a login.
std::vector<Reading> Readings(std::string_view rest) {
  std::vector<Reading> readings;
  const auto consider = [&](size_t login_end, size_t begin) {
    const size_t end = std::min(rest.find_first_of("/?#", begin), rest.size());
    if (auto host = ParseHost(rest.substr(begin, end - begin))) {
      readings.push_back({*std::move(host), login_end, end});
    }
  };
  consider(std::string_view::npos, 0);
  for (size_t at = rest.find('@'); at != std::string_view::npos; at = rest.find('@', at + 1)) {
    consider(at, at + 1);
  }
  return readings;
}

}  // namespace

std::string_view ToString(SourceKind kind) {
  switch (kind) {
    case SourceKind::kFile:
      return "file";
    case SourceKind::kRtsp:
      return "rtsp";
    case SourceKind::kV4l2:
      return "v4l2";
  }
  return "";
}

absl::StatusOr<CameraAddress> CameraAddress::Parse(std::string_view url, std::string_view source) {
  const absl::string_view stripped = absl::StripAsciiWhitespace({url.data(), url.size()});
  url = {stripped.data(), stripped.size()};  // what came along when it was pasted
  if (url.size() > kMaxUrlBytes) {
    return absl::InvalidArgumentError(fmt::format("is longer than {} bytes", kMaxUrlBytes));
  }
  if (std::any_of(url.begin(), url.end(), IsControl)) {
    return absl::InvalidArgumentError("holds a control character, such as a line end");
  }
  CameraAddress address;
  const size_t colon = url.find("://");
  const std::string scheme =
      colon == std::string_view::npos ? "" : absl::AsciiStrToLower({url.data(), colon});
  if (source == "rtsp" || (source == "auto" && (scheme == "rtsp" || scheme == "rtsps"))) {
    if (scheme != "rtsp" && scheme != "rtsps") {
      return absl::InvalidArgumentError("must start with rtsp:// or rtsps://");
    }
    address.kind_ = SourceKind::kRtsp;
    address.tls_ = scheme == "rtsps";
    if (absl::Status status = address.ParseRtsp(url.substr(colon + 3)); !status.ok()) return status;
    return address;
  }
  if (scheme == "http" || scheme == "https") {
    return absl::InvalidArgumentError(
        fmt::format("is the address of a page or a picture, which isn't watched: give the camera's "
                    "RTSP stream; "
                    "it {}",
                    kHowTo));
  }
  if (url.starts_with("file:///")) url.remove_prefix(std::string_view("file://").size());
  // What has no directory in front may be an address whose scheme was forgotten or mistyped, and
  // its login would be shown as a file's name.
  const bool anchored = (url.starts_with('/') && !url.starts_with("//")) || url.starts_with("./") ||
                        url.starts_with("../") || url.starts_with("file:/");
  if (url.empty() || url.find("://") != std::string_view::npos ||
      (!anchored && url.find_first_of("@:?&=") != std::string_view::npos)) {
    return absl::InvalidArgumentError(kHowTo);
  }
  const bool device = url.starts_with("/dev/video") || url.starts_with("/dev/v4l/");
  address.kind_ =
      source == "v4l2" || (source == "auto" && device) ? SourceKind::kV4l2 : SourceKind::kFile;
  if (url.starts_with("file:")) url.remove_prefix(5);
  address.shown_ = address.path_ = std::string(url);
  return address;
}

absl::Status CameraAddress::ParseRtsp(std::string_view rest) {
  const std::vector<Reading> readings = Readings(rest);
  if (readings.empty()) {
    return absl::InvalidArgumentError(
        "has no host, or a port that is none: write rtsp://host:port/path");
  }
  // The likeliest host; of two, the one without a login or the first.
  const Reading* best = &readings[0];
  for (const Reading& reading : readings) {
    if (reading.host.likeness > best->host.likeness) best = &reading;
  }
  for (const Reading& reading : readings) {
    if (&reading != best && reading.host.likeness == best->host.likeness) {
      return absl::InvalidArgumentError(
          "can be read in two ways: write %40 for each @ but the one before the host, or use the "
          "keys user and password_file");
    }
  }
  host_ = best->host.name;
  const std::string bracketed =
      host_.find(':') == std::string::npos ? host_ : fmt::format("[{}]", host_);
  const std::string authority =
      best->host.port == 0 ? bracketed : fmt::format("{}:{}", bracketed, best->host.port);
  port_ = best->host.port != 0 ? best->host.port : tls_ ? kRtspsPort : kRtspPort;
  shown_ = fmt::format("{}://{}", tls_ ? "rtsps" : "rtsp", authority);
  uri_ = shown_ + Encoded(rest.substr(best->path_begin));
  if (best->login_end == std::string_view::npos) return absl::OkStatus();
  const std::string_view login = rest.substr(0, best->login_end);
  const size_t split = login.find(':');
  user_ = PercentDecoded(login.substr(0, split));
  if (split != std::string_view::npos) password_ = PercentDecoded(login.substr(split + 1));
  if (std::any_of(user_.begin(), user_.end(), IsControl)) {
    return absl::InvalidArgumentError("holds a user name with a control character in it");
  }
  return absl::OkStatus();
}

}  // namespace gleaner::edge
