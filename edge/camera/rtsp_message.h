// RTSP on the wire (RFC 2326): requests written, and a byte stream taken apart into responses,
// requests of the camera's, and the RTP packets that are interleaved with them (10.12).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

namespace gleaner::edge {

// A response or a request: its first line, its headers in order, its body.
struct RtspMessage {
  int code = 0;                                              // of a response; 0 for a request
  std::string method;                                        // of a request
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;

  // The first header of that name (lower case), or "".
  std::string_view Header(std::string_view name) const;
  std::vector<std::string> Headers(std::string_view name) const;
};

// "key=value" or "key" among the parameters that `separator` parts, as in Transport and Session
// headers; nullopt if it isn't there.
std::optional<std::string> Parameter(std::string_view header, std::string_view key);

// One interleaved packet; the bytes live until the reader is used again.
struct RtspData {
  uint8_t channel = 0;
  std::string_view bytes;
};

// Not thread-safe.
class RtspReader {
 public:
  static constexpr size_t kMaxHeaderBytes = 16 << 10;
  static constexpr size_t kMaxBodyBytes = 256 << 10;
  // Bytes that are neither a message nor a packet are skipped, up to so many in a row; but not in
  // front of the first message.
  static constexpr size_t kMaxGarbageBytes = 1 << 20;

  // Where up to `size` bytes from the camera go; Received() says how many came.
  char* Space(size_t size);
  void Received(size_t size) { end_ += size; }

  // The next whole item, or monostate when more bytes are needed. DATA_LOSS: this isn't RTSP, or a
  // message is larger than any camera's.
  absl::StatusOr<std::variant<std::monostate, RtspMessage, RtspData>> Next();

 private:
  std::string_view unread() const { return {buffer_.data() + begin_, end_ - begin_}; }
  absl::StatusOr<std::optional<RtspMessage>> NextMessage();

  std::vector<char> buffer_;
  size_t begin_ = 0;  // of what has not been taken
  size_t end_ = 0;
  size_t garbage_ = 0;   // bytes skipped since the last item
  bool spoken_ = false;  // there has been a message
};

}  // namespace gleaner::edge
