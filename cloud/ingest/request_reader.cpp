#include "cloud/ingest/request_reader.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace gleaner::cloud {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr uint32_t Tag(int field, WireFormatLite::WireType type) {
  return WireFormatLite::MakeTag(field, type);
}
constexpr uint32_t kChunkTag =
    Tag(v1::UploadRequest::kChunkFieldNumber, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
constexpr uint32_t kLeaseTag = Tag(v1::Chunk::kLeaseFieldNumber, WireFormatLite::WIRETYPE_VARINT);
constexpr uint32_t kObjectTag = Tag(v1::Chunk::kObjectFieldNumber, WireFormatLite::WIRETYPE_VARINT);
constexpr uint32_t kOffsetTag = Tag(v1::Chunk::kOffsetFieldNumber, WireFormatLite::WIRETYPE_VARINT);
constexpr uint32_t kXxh3Tag = Tag(v1::Chunk::kXxh3FieldNumber, WireFormatLite::WIRETYPE_FIXED64);
constexpr uint32_t kMoreFollowsTag =
    Tag(v1::Chunk::kMoreFollowsFieldNumber, WireFormatLite::WIRETYPE_VARINT);
constexpr uint32_t kDataTag =
    Tag(v1::Chunk::kDataFieldNumber, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);

// All that may stand before the payload, each field with its tag: 6 + 11 + 6 + 11 + 9 + 2 + 6.
constexpr size_t kMaxHeader = 51;

// Reads the fields before `data`, and leaves `header` where the payload begins. False if they are
// not in the contract's order, once each.
bool ReadHeader(CodedInputStream& header, size_t total, ChunkRequest& chunk) {
  uint32_t length = 0;
  if (header.ReadTag() != kChunkTag || !header.ReadVarint32(&length) ||
      static_cast<size_t>(header.CurrentPosition()) + length != total) {
    return false;
  }
  uint32_t tag = header.ReadTag();
  if (tag == kLeaseTag) {
    if (!header.ReadVarint64(&chunk.lease)) return false;
    tag = header.ReadTag();
  }
  if (tag == kObjectTag) {
    if (!header.ReadVarint32(&chunk.object)) return false;
    tag = header.ReadTag();
  }
  if (tag == kOffsetTag) {
    if (!header.ReadVarint64(&chunk.offset)) return false;
    tag = header.ReadTag();
  }
  if (tag == kXxh3Tag) {
    google::protobuf::uint64 value = 0;
    if (!header.ReadLittleEndian64(&value)) return false;
    chunk.xxh3 = value;
    tag = header.ReadTag();
  }
  if (tag == kMoreFollowsTag) {
    uint32_t value = 0;
    if (!header.ReadVarint32(&value) || value > 1) return false;
    chunk.more_follows = value == 1;
    tag = header.ReadTag();
  }
  return tag == kDataTag && header.ReadVarint32(&length) &&
         static_cast<size_t>(header.CurrentPosition()) + length == total;
}

bool ReadInPlace(const grpc::ByteBuffer& buffer, ChunkRequest& chunk) {
  if (!buffer.Dump(&chunk.slices).ok()) return false;
  std::array<uint8_t, kMaxHeader> start;
  size_t have = 0, total = 0;
  for (const grpc::Slice& slice : chunk.slices) {
    const size_t take = std::min(slice.size(), start.size() - have);
    std::memcpy(start.data() + have, slice.begin(), take);
    have += take;
    total += slice.size();
  }
  CodedInputStream header(start.data(), static_cast<int>(have));
  if (!ReadHeader(header, total, chunk)) return false;
  auto skip = static_cast<size_t>(header.CurrentPosition());
  chunk.size = total - skip;
  for (const grpc::Slice& slice : chunk.slices) {
    const size_t passed = std::min(skip, slice.size());
    skip -= passed;
    if (passed < slice.size()) {
      chunk.data.push_back({const_cast<uint8_t*>(slice.begin()) + passed, slice.size() - passed});
    }
  }
  return true;
}

}  // namespace

absl::StatusOr<UploadMessage> ReadUploadMessage(const grpc::ByteBuffer& buffer) {
  if (buffer.Length() > kMaxUploadMessageBytes) {
    return absl::InvalidArgumentError(
        fmt::format("an UploadRequest of {} bytes, at most {} are allowed", buffer.Length(),
                    kMaxUploadMessageBytes));
  }
  ChunkRequest chunk;
  if (ReadInPlace(buffer, chunk)) return chunk;

  grpc::ByteBuffer copy(buffer);
  grpc::ProtoBufferReader stream(&copy);
  auto request = std::make_unique<v1::UploadRequest>();
  if (!stream.status().ok() || !request->ParseFromZeroCopyStream(&stream)) {
    return absl::InvalidArgumentError("not an UploadRequest");
  }
  if (request->has_offer()) return std::move(*request->mutable_offer());
  if (!request->has_chunk()) return absl::InvalidArgumentError("an UploadRequest that is empty");
  const v1::Chunk& whole = request->chunk();
  chunk = ChunkRequest{.lease = whole.lease(),
                       .object = whole.object(),
                       .offset = whole.offset(),
                       .xxh3 = whole.xxh3(),
                       .more_follows = whole.more_follows(),
                       .size = whole.data().size()};
  chunk.data.push_back({const_cast<char*>(whole.data().data()), whole.data().size()});
  chunk.parsed = std::move(request);
  return chunk;
}

}  // namespace gleaner::cloud
