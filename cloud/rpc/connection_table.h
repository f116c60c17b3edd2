// Which connections a port has, and which one goes when there is no room: the rules of the devices'
// door, without its sockets (see acceptor.h).
//
// A connection begins as a stranger: it is *silent* until its peer says something, then *shaking
// hands*, and *in use* from its first call on, which can't come before its peer has shown a
// certificate. What is in use is never closed for others. Of strangers there may be half as many as
// of all; when one more comes than may,
//  - the oldest silent one goes: whoever holds connections open without a word holds up nobody;
//  - if none is silent, the oldest that has shaken hands for longer than an honest peer takes;
//  - if there is none either, the new one is refused: more peers come at once than can be served,
//  and those who were first are nearest to the end. Devices come again after a random pause.
// One address (for IPv6: a /64) that has all it may have is treated the same, among its own.
//
// A certificate opens the door and no more: a device that was stolen, or has gone mad, must not
// keep the others out. So of one device there may be a few connections, the newest, and a
// connection that makes more calls than any device needs is ended. Both bounds are far above what a
// device does: gRPC itself enforces its bound on concurrent calls only once the peer has agreed to
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cloud/net/peer_address.h"
#include "cloud/rpc/intake.h"
#include "common/clock.h"

namespace gleaner::cloud {

struct ConnectionLimits {
  size_t all = 10'000;
  // Of one address. Many devices may stand behind one.
  size_t per_address = 2'000;
  // From the beginning of a connection to its first call.
  int64_t first_call_ns = 20 * kNanosPerSecond;
  // Of one device: the one that it uses, and others that it has lost and this side not yet.
  size_t per_device = 8;
  // Calls of one connection: so many in a row, so many a second from there on, and so many at once.
  int64_t calls_in_a_row = 256;
  int64_t calls_per_s = 16;
  size_t calls_at_once = 32;
  // What an honest peer needs for its handshake, on a slow link and a busy server.
  int64_t handshake_grace_ns = 500 * kNanosPerMilli;
};

// Not thread-safe.
class ConnectionTable {
 public:
  // Ascending with age, never 0, never used again.
  using Id = uint64_t;
  enum class State { kSilent, kHandshake, kInUse };
  struct Connection {
    PeerAddress peer;
    // Its socket, for whoever owns it: by number, and by the kernel's name of it, which unlike the
    // number is never used again.
    int fd = -1;
    uint64_t cookie = 0;
    State state = State::kSilent;
    int64_t since_ns = 0;
    std::string device;          // empty until it is known
    int64_t calls_until_ns = 0;  // the calls so far, one after the other at the pace that may be
    size_t calls_at_once = 0;
    std::shared_ptr<Intake> intake = std::make_shared<Intake>();
  };
  struct Call {
    Id id = 0;  // 0: there is no such connection
    std::shared_ptr<Intake> intake;
    bool first = false;     // of its connection
    bool too_many = false;  // the connection has to go
  };
  enum class Verdict {
    kWelcome,
    kMakeRoom,     // once `victim` has been removed
    kFull,         // refused
    kAddressFull,  // refused: this address has too many
  };
  struct Decision {
    Verdict verdict = Verdict::kWelcome;
    Id victim = 0;
  };

  explicit ConnectionTable(const ConnectionLimits& limits) : limits_(limits) {}

  // Whether one more from `peer` may come in.
  Decision Decide(const PeerAddress& peer, int64_t now) const;
  Id Add(const PeerAddress& peer, int fd, uint64_t cookie, int64_t now);
  void Remove(Id id);

  // Null if it is gone.
  const Connection* Find(Id id) const;
  // Its peer has said something.
  void NoteWord(Id id);
  // A call came from `peer`. One that is `held` is at once with others until NoteCallEnd().
  Call NoteCall(const PeerAddress& peer, int64_t now, bool held = false);
  void NoteCallEnd(Id id);
  // Whose connection it is. Returns one of the same device's, if that has too many now.
  std::optional<Id> NoteDevice(Id id, const std::string& device);

  // The stranger that would have to go for another one to come in, whatever the limits say.
  std::optional<Id> Dispensable(int64_t now) const;
  // Strangers whose time is over.
  std::vector<Id> Overdue(int64_t now) const;
  // Those that are somebody else's to close, and may have been.
  std::vector<Id> HandedOver() const;

  struct Counts {
    size_t silent = 0, handshake = 0, in_use = 0;
  };
  Counts counts() const;
  size_t size() const { return strangers_.size() + in_use_.size(); }

 private:
  struct Held {
    size_t all = 0;
    size_t strangers = 0;
  };
  std::optional<Id> Dispensable(int64_t now, const PeerAddress* network) const;

  const ConnectionLimits limits_;
  Id next_ = 1;
  // By age.
  std::map<Id, Connection> strangers_;
  std::map<Id, Connection> in_use_;
  std::map<PeerAddress, Id> by_peer_;              // the newest from there
  std::map<PeerAddress, Held> by_network_;         // never of nothing
  std::map<std::string, std::set<Id>> by_device_;  // never empty sets
};

}  // namespace gleaner::cloud
