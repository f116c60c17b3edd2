// The connection to the server: one gRPC channel over mutual TLS that uploads, ledger reports and
// heartbeats share.
//
// A channel is cheap and a connection that failed is better forgotten than nursed: Channel() hands
// out a fresh one, with the identity's files read anew, when the last connection attempt failed, a
// caller gave it up, or the files have changed. So a renewed certificate needs no restart, and the
// caller's own back-off, not gRPC's, says when the next attempt is made.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/config.h"
#include "edge/upload/identity.h"

namespace gleaner::edge {

struct LinkOptions {
  std::string server;  // "host:port", "[::1]:7443"
  std::string ca;      // PEM files; unused with `plaintext`
  std::string certificate;
  std::string key;
  std::string server_name;  // expected in the server's certificate, where that isn't the host
  bool plaintext = false;   // no TLS; only to a loopback address
  // With plaintext there is no certificate to name the device: this goes along with every call.
  // Unused with TLS. Not read from the table.
  std::string device;

  // Reads the [server] table; mistakes are noted in `reader`. No file is opened.
  static LinkOptions Read(ConfigReader& reader);
};

// True for "localhost:…", "127.…:…" and "[::1]:…".
bool IsLoopback(std::string_view host_and_port);

// Thread-safe.
class Link {
 public:
  // Reads and checks the identity (see LoadIdentity), whose warnings the configuration has told;
  // those of renewed files are logged. INVALID_ARGUMENT for plaintext to anything but loopback.
  // Doesn't connect.
  static absl::StatusOr<std::unique_ptr<Link>> Open(LinkOptions options, Clock& clock);

  // The channel for the next call or stream. Not connected yet when it is new; the call does that.
  // Never null.
  std::shared_ptr<grpc::Channel> Channel();

  // Adds what every call carries. Before the call starts.
  void Prepare(grpc::ClientContext* context) const;

  // What a call came to, in words (see InWords). That no connection came about troubles all who
  // share the link, so it is logged here, once until one did: nobody else needs to.
  absl::Status Heard(const grpc::Status& status);

  // The connection looks alive but answers nothing: the next Channel() is a fresh one.
  void Forget();

  // The name in the device's certificate; empty with plaintext.
  std::string certificate_name() const;

  // Whoever sees a connection fail or end says so: the next heartbeat then starts with a hello.
  void NoteLoss() { losses_.fetch_add(1, std::memory_order_relaxed); }
  uint64_t losses() const { return losses_.load(std::memory_order_relaxed); }

 private:
  Link(LinkOptions options, Clock& clock);
  absl::Status LoadFiles();
  std::string FilesStamp() const;
  std::shared_ptr<grpc::Channel> NewChannel() const;

  const LinkOptions options_;
  Clock& clock_;
  std::atomic<uint64_t> losses_{0};

  mutable std::mutex mutex_;
  Identity identity_;
  std::string stamp_;  // inode, size and time of each file as last looked at
  std::shared_ptr<grpc::Channel> channel_;
  bool forget_ = false;
  std::string told_;  // why no connection came about, as last logged; empty since one did
};

}  // namespace gleaner::edge
