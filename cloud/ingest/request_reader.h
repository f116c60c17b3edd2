// Reads an UploadRequest out of gRPC's own buffers without copying the payload: protobuf would copy
// 256 KiB a chunk into a string only for it to be written to a file.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>
#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "gleaner/v1/ingest.pb.h"

namespace gleaner::cloud {

// A v1::Chunk whose data stays where it is. Movable; `data` points into what the chunk owns.
struct ChunkRequest {
  uint64_t lease = 0;
  uint32_t object = 0;
  uint64_t offset = 0;
  uint64_t xxh3 = 0;
  bool more_follows = false;
  std::vector<iovec> data;
  size_t size = 0;

  std::vector<grpc::Slice> slices;  // gRPC's buffers, or
  std::unique_ptr<v1::UploadRequest>
      parsed;  // the whole message, if its fields were in another order
};

// A chunk of 256 KiB or a manifest as long and what is around it, and as much again for a sender
// that errs, so that it hears which clip it is about. Parsed, a message may take forty times its
// size.
inline constexpr size_t kMaxUploadMessageBytes = 512 << 10;

using UploadMessage = std::variant<v1::Offer, ChunkRequest>;

// Takes fields in the order of the contract as they lie; any other valid encoding is parsed whole.
// INVALID_ARGUMENT if it is no UploadRequest, an empty one, or longer than
// kMaxUploadMessageBytes.
absl::StatusOr<UploadMessage> ReadUploadMessage(const grpc::ByteBuffer& buffer);

}  // namespace gleaner::cloud
