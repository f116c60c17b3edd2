// Which connections send bytes that come to nothing, without end: the rules, without sockets (see
// acceptor.h for those).
//
// A connection has to go
//  - when more of its bytes are stray than the longest message could explain;
//  - sooner than that, when the process's memory grows by more than all that has come explains: in
//  a block of headers that never ends, one byte can take eighty. The one with the most goes first;
//  - in any case, when more has come than HTTP/2's windows let a call's reader fall behind.
// What an honest device sends is far from all three, at any speed: of a message under way less than
// its length is missing, and what its calls are given in time is not counted at all.
//
// Only connections that move are looked at: one that receives nothing can't do harm.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "cloud/rpc/connection_table.h"
#include "cloud/rpc/intake.h"

namespace gleaner::cloud {

struct FloodLimits {
  // A message has 2 MiB at the most. Above gRPC's usual window of 4 MiB, so that a reader that is
  // about to be given what lies unread is not mistaken for one that waits in vain.
  uint64_t stray_bytes = 8 << 20;
  // gRPC lets a call's reader fall behind by 4 MiB, and on long fat links by twice what is under
  // way, which Linux bounds to 6 MiB (net.ipv4.tcp_rmem).
  uint64_t held_bytes = 24 << 20;
  // More than a part of a chunk or a manifest, which is all that can be under way on a stream.
  uint64_t suspicious_bytes = 320 << 10;
  // By how much memory may grow for other reasons while somebody is suspicious.
  uint64_t growth_bytes = 24 << 20;
};

// Not thread-safe.
class FloodWatch {
 public:
  using Id = ConnectionTable::Id;

  explicit FloodWatch(const FloodLimits& limits) : limits_(limits) {}

  // It has begun to move.
  void Add(Id id, std::shared_ptr<Intake> intake) {
    moving_.try_emplace(id, Moving{std::move(intake)});
  }
  void Remove(Id id) { moving_.erase(id); }

  // One look goes round all that move: Intake::Look of each, then Judge.
  std::vector<Id> moving() const;
  struct Verdict {
    std::optional<Id> flood;  // has to go
    std::vector<Id> still;    // these move no more, and are forgotten
  };
  // `resident_bytes`: what the process holds in memory.
  Verdict Judge(uint64_t resident_bytes);

  bool empty() const { return moving_.empty(); }
  // Somebody was suspicious at the last look; the next one should come soon.
  bool suspicious() const { return suspicious_; }

 private:
  // Looks without a byte after which a connection is still.
  static constexpr int kStillLooks = 8;

  struct Moving {
    std::shared_ptr<Intake> intake;
    int still_looks = 0;
  };

  const FloodLimits limits_;
  std::map<Id, Moving> moving_;
  bool suspicious_ = false;
  // The process's memory when nobody was.
  uint64_t calm_bytes_ = 0;
};

}  // namespace gleaner::cloud
