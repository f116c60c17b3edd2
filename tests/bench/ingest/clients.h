// The three ways to send clips that bench_ingest compares. Each is run in a process of its own with
// a thread a device; a device opens one connection, keeps it, and sends its clips over it.
#pragma once

#include <grpcpp/support/slice.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gleaner::bench {

inline constexpr size_t kClipBytes = 1 << 20;

struct ClientOptions {
  std::string kind;     // "ingest", "discard", "put" or "put_durable"
  std::string address;  // localhost:port
  std::string folder;   // certificates: ca.pem, dev-0.pem, dev-0.key, …
  int devices = 1;
  int clips = 1;  // a device
  // Makes keys and names that no other round used.
  int round = 0;
};

// One device. Used by one thread.
class Client {
 public:
  virtual ~Client() = default;
  // Connects and shakes hands; off the clock. Throws std::runtime_error.
  virtual void Connect() = 0;
  // Sends every clip and returns when the last one is acknowledged. Throws std::runtime_error.
  virtual void Send() = 0;
};

// The payload that every client sends, clip after clip: random, so that nothing can compress it.
const std::string& Payload();

// Our protocol: manifests and checksums are ready before the clock starts, as a device has them in
// its spool.
std::unique_ptr<Client> NewIngestClient(const ClientOptions& options, int device);
// The same chunks on the same kind of stream, to a server that throws them away.
std::unique_ptr<Client> NewDiscardClient(const ClientOptions& options, int device);
// One HTTPS PUT a clip with libcurl. `durable`: each file is then verified and synced.
std::unique_ptr<Client> NewPutClient(const ClientOptions& options, int device, bool durable);

}  // namespace gleaner::bench
