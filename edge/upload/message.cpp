#include "edge/upload/message.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/slice.h>

#include <array>

namespace gleaner::edge {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

// A block on loan to gRPC.
struct Loan {
  std::unique_ptr<std::string> block;
  std::shared_ptr<BlockPool> pool;
};

void EndLoan(void* user_data) {
  const std::unique_ptr<Loan> loan(static_cast<Loan*>(user_data));
  loan->pool->Return(std::move(loan->block));
}

uint8_t* WriteTag(int field, WireFormatLite::WireType type, uint8_t* to) {
  return CodedOutputStream::WriteTagToArray(WireFormatLite::MakeTag(field, type), to);
}

uint8_t* WriteBytesHead(int field, size_t size, uint8_t* to) {
  to = WriteTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED, to);
  return CodedOutputStream::WriteVarint64ToArray(size, to);
}

uint8_t* WriteVarint(int field, uint64_t value, uint8_t* to) {
  if (value == 0) return to;  // proto3 leaves defaults out
  to = WriteTag(field, WireFormatLite::WIRETYPE_VARINT, to);
  return CodedOutputStream::WriteVarint64ToArray(value, to);
}

}  // namespace

std::unique_ptr<std::string> BlockPool::Take() {
  std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<std::string>();
  std::unique_ptr<std::string> block = std::move(idle_.back());
  idle_.pop_back();
  return block;
}

void BlockPool::Return(std::unique_ptr<std::string> block) {
  std::lock_guard lock(mutex_);
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(block));
}

grpc::ByteBuffer OfferMessage(const StoredClip& clip) {
  v1::UploadRequest request;
  request.mutable_offer()->set_manifest(clip.manifest);
  request.mutable_offer()->set_manifest_sha256(clip.manifest_sha256.data(),
                                               clip.manifest_sha256.size());
  const grpc::Slice slice(request.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

grpc::ByteBuffer ChunkMessage(const ChunkPosition& position, uint64_t xxh3, bool more_follows,
                              std::unique_ptr<std::string> data, std::shared_ptr<BlockPool> pool) {
  using v1::Chunk;
  std::array<uint8_t, 64> fields;
  uint8_t* end = fields.data();
  end = WriteVarint(Chunk::kLeaseFieldNumber, position.lease, end);
  end = WriteVarint(Chunk::kObjectFieldNumber, position.object, end);
  end = WriteVarint(Chunk::kOffsetFieldNumber, position.offset, end);
  if (xxh3 != 0) {
    end = WriteTag(Chunk::kXxh3FieldNumber, WireFormatLite::WIRETYPE_FIXED64, end);
    end = CodedOutputStream::WriteLittleEndian64ToArray(xxh3, end);
  }
  end = WriteVarint(Chunk::kMoreFollowsFieldNumber, more_follows ? 1 : 0, end);
  end = WriteBytesHead(Chunk::kDataFieldNumber, data->size(), end);
  const size_t field_bytes = end - fields.data();

  std::array<uint8_t, 80> head;
  uint8_t* to =
      WriteBytesHead(v1::UploadRequest::kChunkFieldNumber, field_bytes + data->size(), head.data());
  to = std::copy(fields.data(), end, to);

  auto* loan = new Loan{std::move(data), std::move(pool)};
  const std::array<grpc::Slice, 2> slices = {
      grpc::Slice(head.data(), to - head.data()),
      grpc::Slice(loan->block->data(), loan->block->size(), EndLoan, loan)};
  return grpc::ByteBuffer(slices.data(), slices.size());
}

absl::StatusOr<v1::UploadResponse> ParseResponse(grpc::ByteBuffer* buffer) {
  v1::UploadResponse response;
  const grpc::Status status =
      grpc::SerializationTraits<v1::UploadResponse>::Deserialize(buffer, &response);
  if (!status.ok()) return absl::InvalidArgumentError("the server sent what is no UploadResponse");
  return response;
}

}  // namespace gleaner::edge
