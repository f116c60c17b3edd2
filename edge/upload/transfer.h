// One clip on its way to the cloud: what has been offered, granted, sent and made durable. Knows
// the protocol's rules (ingest.proto), no network and no clock.
//
//   kWaiting ─Offered→ kOffered ─OnGrant→ kSending ─(receipt: the uploader releases the clip)
//      ↑                  │                  │
//      └──────── Restart: stream cut, lease fenced ───────────┘
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "edge/spool/spool.h"
#include "edge/upload/message.h"

namespace gleaner::edge {

// Not thread-safe.
class Transfer {
 public:
  enum class State { kWaiting, kOffered, kSending };

  explicit Transfer(StoredClip clip);

  const StoredClip& clip() const { return clip_; }
  State state() const { return state_; }
  uint64_t lease() const { return lease_; }

  void Offered() { state_ = State::kOffered; }
  // Takes the lease and starts at its offsets. INVALID_ARGUMENT if it can't be an answer to the
  // offer.
  absl::Status OnGrant(const v1::Grant& grant);
  // INVALID_ARGUMENT if it says more than was sent. `*advanced`: more is durable than before. An
  // object's progress stands for those before it too, since they went in order.
  absl::Status OnProgress(uint32_t object, uint64_t durable_offset, bool* advanced);
  // Goes back (or on) to what a refusal names; INVALID_ARGUMENT if there is no such place.
  absl::Status Rewind(uint32_t object, uint64_t durable_offset);
  // The lease is void: what is durable is known again with the next grant.
  void Restart();

  // The next chunk in manifest order; false when all is sent or there is no lease.
  bool NextChunk(ChunkPosition* position, uint64_t* size) const;
  // The chunk at NextChunk has been handed to gRPC. Returns how many of its bytes had been sent
  // before, on this stream or an earlier one.
  uint64_t Sent();
  // Chunks sent that the server hasn't reported durable.
  uint64_t unacknowledged_chunks() const;
  bool all_sent() const;
  // Of all objects, as the server said.
  uint64_t durable_bytes() const;

  // When something of it was last sent or answered, on the monotonic clock.
  int64_t moved_ns = 0;

 private:
  struct Object {
    uint64_t sent = 0;        // up to here, on this lease
    uint64_t durable = 0;     // as the server said
    uint64_t high_water = 0;  // up to here, ever
  };
  bool IsOffset(uint32_t object, uint64_t offset) const;

  StoredClip clip_;
  State state_ = State::kWaiting;
  uint64_t lease_ = 0;
  std::vector<Object> objects_;
};

}  // namespace gleaner::edge
