// HTTP/2 as it stands on the wire (RFC 9113, headers as in RFC 7541), for peers that say what no
// library would.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace gleaner::http2 {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr size_t kFrameHeadBytes = 9;
// What a frame may hold unless the other side allows more.
constexpr size_t kMaxPayloadBytes = 16384;

enum Type : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kWindowUpdate = 8,
  kContinuation = 9
};
enum Flags : uint8_t { kNone = 0, kAcknowledged = 1, kEndStream = 1, kEndHeaders = 4 };

// The lowest `bytes` bytes of a number, the highest of them first.
inline std::string BigEndian(uint32_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    text += static_cast<char>(value >> shift);
  }
  return text;
}

inline std::string Frame(Type type, int flags, uint32_t stream, std::string_view payload) {
  std::string frame = BigEndian(static_cast<uint32_t>(payload.size()), 3);
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  frame += BigEndian(stream, 4);
  return frame.append(payload);
}

// A number behind a prefix of `bits` bits, in whose byte `first` says what kind of field it is.
inline std::string HpackNumber(int first, int bits, uint64_t value) {
  const uint64_t most = (uint64_t{1} << bits) - 1;
  if (value < most) return {static_cast<char>(first | static_cast<int>(value))};
  std::string text{static_cast<char>(first | static_cast<int>(most))};
  for (value -= most; value >= 0x80; value >>= 7) text += static_cast<char>(0x80 | (value & 0x7f));
  return text + static_cast<char>(value);
}

// A header that no table remembers.
inline std::string Header(std::string_view name, std::string_view value) {
  std::string text(1, '\0');
  for (const std::string_view part : {name, value}) {
    text.append(HpackNumber(0, 7, part.size())).append(part);
  }
  return text;
}

// The headers of a gRPC call.
inline std::string CallHeaders(std::string_view path) {
  std::string block;
  for (const auto& [name, value] :
       std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {":method", "POST"},
           {":scheme", "https"},
           {":path", path},
           {":authority", "localhost"},
           {"te", "trailers"},
           {"content-type", "application/grpc"}}) {
    block += Header(name, value);
  }
  return block;
}

}  // namespace gleaner::http2
