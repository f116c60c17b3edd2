// The ways to send clips that bench_ingest compares. Each is run in a process of its own with
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
  std::string kind;     // "ingest", "discard", "put_durable" or "s3_put"
  std::string address;  // localhost:port; of a bucket, its URL
  std::string s3_key;   // its access key and secret, KEY:SECRET
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
  // What Send has cost so far, in user and system time of its thread, that isn't a client's work
  // but stands for a server's.
  virtual double ServersCpuSeconds() const { return 0; }
};

// The payload that every client sends, clip after clip: random, so that nothing can compress it.
const std::string& Payload();

// Our protocol: manifests and checksums are ready before the clock starts, as a device has them in
// its spool.
std::unique_ptr<Client> NewIngestClient(const ClientOptions& options, int device);
// The same chunks on the same kind of stream, to a server that throws them away.
std::unique_ptr<Client> NewDiscardClient(const ClientOptions& options, int device);
// One HTTPS PUT a clip with libcurl; each file is then verified and synced, which is the server's
// work (ServersCpuSeconds).
std::unique_ptr<Client> NewPutClient(const ClientOptions& options, int device);
// One PUT a clip into a bucket, signed by libcurl (CURLOPT_AWS_SIGV4) with the clip's SHA-256,
// which the store verifies.
std::unique_ptr<Client> NewS3PutClient(const ClientOptions& options, int device);

}  // namespace gleaner::bench
