// A message as gRPC hands it over: in slices of any size.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <algorithm>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/quiet_protobuf.h"

namespace gleaner::fuzz {

// The first byte of an input says how many of the next ones are lengths of slices; the rest is the
// message, and what no length covers of it the last slice.
struct CutMessage {
  explicit CutMessage(std::string_view input) {
    const size_t cuts = input.empty() ? 0 : std::min<size_t>(Byte(input, 0), input.size() - 1);
    bytes = input.substr(std::min<size_t>(input.size(), 1 + cuts));
    std::vector<grpc::Slice> slices;
    std::string_view left = bytes;
    for (size_t i = 1; i <= cuts; ++i) {
      const std::string_view slice = left.substr(0, Byte(input, i));
      left.remove_prefix(slice.size());
      slices.emplace_back(slice.data(), slice.size());
    }
    slices.emplace_back(left.data(), left.size());
    buffer = grpc::ByteBuffer(slices.data(), slices.size());
  }
  static size_t Byte(std::string_view text, size_t at) {
    return static_cast<unsigned char>(text[at]);
  }

  std::string_view bytes;
  grpc::ByteBuffer buffer;
};

}  // namespace gleaner::fuzz
