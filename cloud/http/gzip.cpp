#include "cloud/http/gzip.h"

#include <zlib.h>

#include <algorithm>

namespace gleaner::cloud {
namespace {

constexpr int kGzipLevel = 5;
// zlib's ways to say which header: gzip's, or whichever of gzip's and its own is there.
constexpr int kGzipWindow = 15 + 16;
constexpr int kAnyWindow = 15 + 32;
constexpr size_t kFirstBytes = 16 << 10;

Bytef* AsInput(std::string_view bytes) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

}  // namespace

std::string Gzip(std::string_view bytes) {
  z_stream stream{};
  deflateInit2(&stream, kGzipLevel, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = AsInput(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

absl::StatusOr<std::string> Unzip(std::string_view packed, size_t max_bytes) {
  z_stream stream{};
  inflateInit2(&stream, kAnyWindow);
  stream.next_in = AsInput(packed);
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string bytes;
  int result = Z_OK;
  // One byte more than may come shows that it is too long.
  while (result == Z_OK && stream.total_out <= max_bytes) {
    bytes.resize(std::min(max_bytes + 1, std::max(kFirstBytes, 2 * bytes.size())));
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data()) + stream.total_out;
    stream.avail_out = static_cast<uInt>(bytes.size() - stream.total_out);
    result = inflate(&stream, Z_NO_FLUSH);
  }
  const bool behind = stream.avail_in > 0;
  bytes.resize(stream.total_out);
  inflateEnd(&stream);
  if (bytes.size() > max_bytes) return absl::ResourceExhaustedError("unpacked it is too long");
  if (result != Z_STREAM_END || behind) {
    return absl::InvalidArgumentError("it is not gzip or deflate, or not all of it");
  }
  return bytes;
}

}  // namespace gleaner::cloud
