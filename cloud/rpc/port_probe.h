// Whether a port of ours accepts connections, found out by connecting to it.
#pragma once

#include <mutex>
#include <optional>

#include "absl/status/status.h"
#include "cloud/net/listen_address.h"
#include "cloud/net/peer_address.h"

namespace gleaner::cloud {

// Thread-safe.
class PortProbe {
 public:
  // Connects to one of the addresses at which `listening` can be reached, until one answers, and
  // waits for the acceptor to meet the connection and close it. At most 2 s an address; the error
  // names the address.
  absl::Status Check(const ListenAddress& listening);

  // For the acceptor: whether the connection from `peer` is the probe's. It is then closed, and
  // counts for nothing.
  bool Meets(const PeerAddress& peer);

 private:
  absl::Status CheckOne(const ListenAddress& target);

  std::mutex one_at_a_time_;
  std::mutex mutex_;
  std::optional<PeerAddress> from_;
  bool met_ = false;
};

}  // namespace gleaner::cloud
