// The devices' port: accepts connections, holds each until its peer speaks, hands it to gRPC, and
// keeps count of it until it is gone. Which connections may be there says ConnectionTable.
//
// gRPC could listen by itself, but in 1.51 its listener ends for good at the first accept(2) that
// fails, which 1,100 connections without a certificate achieve at the usual limit of 1,024 files;
// connected devices go on, so that nothing looks wrong. Nor does it bound connections, and it gives
// each that says nothing two minutes and the memory of a handshake. Here
//  - no error of accept(2) ends anything. Out of files, a silent connection is closed for the new
//  one; if there is none, a file kept in reserve lets the new one be taken and closed, so that its
//  peer hears so; if that is gone too, the port pauses for a moment;
//  - a connection that gRPC has costs no file more: it is known by number and by SO_COOKIE, the
//  kernel's name for a socket. gRPC tells nobody when it closes one, so each second those numbers
//  that lead to another socket, or to none, are struck off. To end one that gRPC has, its number is
//  duplicated first and compared then: between the two gRPC may close it, but nobody gets its
//  number, and nobody else is cut off. (A duplicate kept for life would say at once when it ends,
//  at the price of every second file.)
//
// It sits in no connection's way: once gRPC has a socket, its bytes don't pass here. But the kernel
// counts them: of a connection that gRPC has, epoll tells once when bytes come, and from then on it
// is looked at, a hundred times a second, until it is still again. A quiet one costs nothing.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/net/listen_address.h"
#include "cloud/rpc/connection_table.h"
#include "cloud/rpc/flood_watch.h"
#include "cloud/rpc/port_probe.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log_throttle.h"

namespace gleaner::cloud {

// Connections since the start, and those there are.
struct AcceptorStats {
  uint64_t accepted = 0;
  // Of these, closed without a call:
  uint64_t full = 0;          // refused: there are too many
  uint64_t address_full = 0;  // refused: there are too many of that address
  uint64_t displaced = 0;     // had to make room for a newer one
  uint64_t silent = 0;        // said nothing in time
  uint64_t no_call = 0;       // finished no handshake, or made no call, in time
  uint64_t no_file = 0;       // the process could have no more files open
  // And closed in use:
  uint64_t calls = 0;        // it made more calls than a device does
  uint64_t device_full = 0;  // its device has as many that are newer
  uint64_t flood = 0;        // its bytes come to nothing: see FloodWatch
  uint64_t pauses = 0;       // how often accepting had to wait for files or memory
  ConnectionTable::Counts open;
};

// Thread-safe but for Start and Stop.
class Acceptor {
 public:
  // Bound and listening on return, though nothing is accepted before Start(). The error names the
  // address. `clock` outlives this.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Listen(const ListenAddress& address,
                                                          const ConnectionLimits& limits,
                                                          Clock& clock,
                                                          const FloodLimits& floods = {});
  // Stops.
  ~Acceptor();

  uint16_t port() const { return port_; }

  // `take` is called on the acceptor's thread with each connection whose peer has spoken; the
  // descriptor is its to close. Once.
  void Start(std::function<void(int fd)> take);
  // Accepts nothing more and closes what is silent; what was handed over stays. `take` isn't called
  // any more on return. Safe to repeat.
  void Stop();

  // A call has come from `peer`, as grpc::ServerContext::peer() says it: it has shown a
  // certificate. `device` is asked, once a connection, for the name in it. Returns the connection,
  // 0 if it isn't known, and where to note what the call is given; one that makes too many calls is
  // ended. A call that is `held` is at once with others until NoteCallEnd().
  ConnectionTable::Call NoteCall(std::string_view peer, bool held = false,
                                 const std::function<std::string()>& device = nullptr);
  void NoteCallEnd(ConnectionTable::Id connection);

  // Whether the port accepts, by connecting to it. Takes 2 s at the most.
  absl::Status Check();

  AcceptorStats stats();

 private:
  enum class Farewell {
    kFull,
    kAddressFull,
    kDisplaced,
    kSilent,
    kNoCall,
    kCalls,
    kDeviceFull,
    kFlood,
    kNoFile
  };

  Acceptor(Fd listening, const ListenAddress& address, uint16_t port,
           const ConnectionLimits& limits, Clock& clock, const FloodLimits& floods);
  void Run();
  int LookMs() const;
  int WaitMs();
  void Pause(int error);
  void AcceptSome();
  // False if accepting has to pause.
  bool SurviveAcceptError(int error);
  void Welcome(Fd socket, const PeerAddress& peer);
  // Its peer has said something, or gone.
  void OnWord(ConnectionTable::Id id);
  // There are bytes for gRPC.
  void OnMove(ConnectionTable::Id id);
  void LookAtMoving();
  void Tick();

  // --- with mutex_ held
  bool IsSilent(ConnectionTable::Id id) const;
  void End(ConnectionTable::Id id, Farewell why);
  void StrikeOffClosed();
  void Tell(Farewell why, const PeerAddress& peer);
  bool Watch(int fd, uint32_t events, uint64_t id);
  void WatchMove(int fd, ConnectionTable::Id id);

  const ListenAddress address_;  // with the port that was bound
  const uint16_t port_;
  Clock& clock_;
  LogThrottle throttle_;
  const Fd epoll_;
  const Fd wake_;
  std::function<void(int fd)> take_;

  // Of the thread alone.
  Fd listening_;
  Fd reserve_;
  std::optional<std::chrono::steady_clock::time_point> paused_until_;
  int64_t next_tick_ns_ = 0;
  FloodWatch floods_;
  std::chrono::steady_clock::time_point next_look_;
  int ticks_to_trim_ = 0;

  std::atomic<bool> serving_ = false;
  std::mutex mutex_;
  ConnectionTable table_;
  AcceptorStats stats_;
  int64_t struck_off_ns_ = 0;
  PortProbe probe_;

  std::jthread thread_;
};

}  // namespace gleaner::cloud
