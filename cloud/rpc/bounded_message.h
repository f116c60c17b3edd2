// Requests of unary calls, parsed under a bound of their own.
//
// protobuf bounds nothing but depth, and what takes two bytes on the wire, an empty message in a
// list, takes up to eighty in memory. gRPC's bound is one for all calls of a server; a call whose
// requests are short takes them as bytes ("raw" in gRPC's words) and parses them here.
#pragma once

#include <fmt/format.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>

#include <utility>

#include "absl/status/statusor.h"

namespace gleaner::cloud {

// INVALID_ARGUMENT if it is longer than `max_bytes`, which costs nothing, or no such message.
// Fields that this server doesn't know are dropped: nobody would look at them.
template <typename Message>
absl::StatusOr<Message> ParseBounded(const grpc::ByteBuffer& bytes, size_t max_bytes) {
  if (bytes.Length() > max_bytes) {
    return absl::InvalidArgumentError(
        fmt::format("the message has {} bytes, at most {} are allowed", bytes.Length(), max_bytes));
  }
  Message message;
  grpc::ByteBuffer shared(bytes);
  if (!grpc::SerializationTraits<Message>::Deserialize(&shared, &message).ok()) {
    return absl::InvalidArgumentError(
        fmt::format("the message is no {}", Message::descriptor()->full_name()));
  }
  message.DiscardUnknownFields();
  return message;
}

template <typename Message>
grpc::ByteBuffer Serialized(const Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace gleaner::cloud
