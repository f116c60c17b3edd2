#include "edge/upload/transfer.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/limits.h"
#include "common/status.h"

namespace gleaner::edge {

Transfer::Transfer(StoredClip clip) : clip_(std::move(clip)), objects_(clip_.objects.size()) {}

bool Transfer::IsOffset(uint32_t object, uint64_t offset) const {
  if (object >= objects_.size()) return false;
  const uint64_t size = clip_.objects[object].size_bytes;
  return offset == size || (offset < size && offset % kBlockBytes == 0);
}

absl::Status Transfer::OnGrant(const v1::Grant& grant) {
  if (grant.lease() == 0) return absl::InvalidArgumentError("the server granted lease 0");
  if (grant.durable_offset_size() != static_cast<int>(objects_.size())) {
    return absl::InvalidArgumentError(fmt::format("the server granted {} objects of a clip with {}",
                                                  grant.durable_offset_size(), objects_.size()));
  }
  for (uint32_t i = 0; i < objects_.size(); ++i) {
    if (!IsOffset(i, grant.durable_offset(i))) {
      return absl::InvalidArgumentError(
          fmt::format("the server granted object {} from byte {} of {}", i, grant.durable_offset(i),
                      clip_.objects[i].size_bytes));
    }
  }
  state_ = State::kSending;
  lease_ = grant.lease();
  for (uint32_t i = 0; i < objects_.size(); ++i) {
    objects_[i].sent = objects_[i].durable = grant.durable_offset(i);
  }
  return absl::OkStatus();
}

absl::Status Transfer::OnProgress(uint32_t object, uint64_t durable_offset, bool* advanced) {
  *advanced = false;
  // After a rewind the server may still answer for chunks sent before it: what was ever sent is the
  // bound.
  if (!IsOffset(object, durable_offset) ||
      durable_offset > std::max(objects_[object].sent, objects_[object].high_water)) {
    return absl::InvalidArgumentError(
        fmt::format("the server says that {} bytes of object {} are durable, which were never sent",
                    durable_offset, object));
  }
  for (uint32_t i = 0; i < object; ++i) objects_[i].durable = objects_[i].sent;
  Object& at = objects_[object];
  if (durable_offset > at.durable) {
    *advanced = true;
    at.durable = durable_offset;
    at.sent = std::max(at.sent, durable_offset);
  }
  return absl::OkStatus();
}

absl::Status Transfer::Rewind(uint32_t object, uint64_t durable_offset) {
  if (!IsOffset(object, durable_offset)) {
    return absl::InvalidArgumentError(
        fmt::format("the server sends back to byte {} of object {}, which is no block of it",
                    durable_offset, object));
  }
  objects_[object].sent = objects_[object].durable = durable_offset;
  return absl::OkStatus();
}

void Transfer::Restart() {
  state_ = State::kWaiting;
  lease_ = 0;
}

bool Transfer::NextChunk(ChunkPosition* position, uint64_t* size) const {
  if (state_ != State::kSending) return false;
  for (uint32_t i = 0; i < objects_.size(); ++i) {
    const uint64_t left = clip_.objects[i].size_bytes - objects_[i].sent;
    if (left == 0) continue;
    *position = {lease_, i, objects_[i].sent};
    *size = std::min<uint64_t>(left, kBlockBytes);
    return true;
  }
  return false;
}

uint64_t Transfer::Sent() {
  ChunkPosition position;
  uint64_t size = 0;
  if (!NextChunk(&position, &size)) return 0;
  Object& object = objects_[position.object];
  object.sent += size;
  const uint64_t again = std::min(object.high_water, object.sent);
  object.high_water = std::max(object.high_water, object.sent);
  return again > position.offset ? again - position.offset : 0;
}

uint64_t Transfer::unacknowledged_chunks() const {
  if (state_ != State::kSending) return 0;
  uint64_t chunks = 0;
  for (const Object& object : objects_) chunks += BlockCount(object.sent - object.durable);
  return chunks;
}

uint64_t Transfer::durable_bytes() const {
  uint64_t bytes = 0;
  for (const Object& object : objects_) bytes += object.durable;
  return bytes;
}

bool Transfer::all_sent() const {
  ChunkPosition position;
  uint64_t size = 0;
  return state_ == State::kSending && !NextChunk(&position, &size);
}

}  // namespace gleaner::edge
