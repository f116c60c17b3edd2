// Upload messages as gRPC byte buffers. A chunk's payload is never copied on its way into gRPC: the
// message is two slices, the encoded fields and the block itself, and equals byte for byte what
// protobuf would have written.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "edge/spool/spool.h"
#include "gleaner/v1/ingest.pb.h"

namespace gleaner::edge {

// Blocks go back here when gRPC is done with them, so that sending costs no allocation of 256 KiB a
// chunk. Thread-safe; a slice may outlive the one who made it.
class BlockPool : public std::enable_shared_from_this<BlockPool> {
 public:
  std::unique_ptr<std::string> Take();
  void Return(std::unique_ptr<std::string> block);

 private:
  static constexpr size_t kMaxIdle = 4;
  std::mutex mutex_;
  std::vector<std::unique_ptr<std::string>> idle_;
};

// Where a chunk stands.
struct ChunkPosition {
  uint64_t lease = 0;
  uint32_t object = 0;
  uint64_t offset = 0;
};

grpc::ByteBuffer OfferMessage(const StoredClip& clip);
// `data` goes back to `pool` when gRPC has let go of it.
grpc::ByteBuffer ChunkMessage(const ChunkPosition& position, uint64_t xxh3, bool more_follows,
                              std::unique_ptr<std::string> data, std::shared_ptr<BlockPool> pool);
// INVALID_ARGUMENT if it isn't one.
absl::StatusOr<v1::UploadResponse> ParseResponse(grpc::ByteBuffer* buffer);

}  // namespace gleaner::edge
