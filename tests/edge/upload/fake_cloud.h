// The cloud's side of ingest.proto and fleet.proto in memory, for tests of the device's side: it
// checks that the device keeps to the contract and misbehaves exactly where a test tells it to.
#pragma once

#include <grpcpp/server.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "gleaner/v1/clip.pb.h"
#include "gleaner/v1/fleet.grpc.pb.h"
#include "gleaner/v1/ingest.grpc.pb.h"

namespace gleaner::edge {

// What the fake does with a chunk.
struct ChunkFault {
  enum Kind {
    kNone,
    kCutBeforeDurable,  // the chunk is lost with the stream
    kCutAfterDurable,   // it is durable, but the device never hears so
    kCutAfterProgress,  // everything is said, then the stream ends
    kSilence,           // it is lost, and nothing is said any more
    kRefuse,            // with `refusal`, its key and lease filled in
  };
  Kind kind = kNone;
  v1::Refusal refusal;
};

class FakeCloud : public v1::IngestService::Service, public v1::FleetService::Service {
 public:
  struct Clip {
    std::string manifest;
    v1::ClipManifest parsed;
    std::vector<std::string> objects;  // what is durable of each
    uint64_t lease = 0;
    bool refused = false;  // a chunk under this lease: what was under way behind it may come yet
    bool committed = false;
  };

  explicit FakeCloud(std::shared_ptr<grpc::ServerCredentials> credentials = nullptr);
  ~FakeCloud() override;

  // Listens; on the same port again after a Stop(). Stop() ends every call at once.
  void Start();
  void Stop();
  std::string address() const;  // "127.0.0.1:port", from the first Start() on

  // Scripts, called under the fake's lock; set them before the traffic they are for, or through
  // Locked(). An answer in place of the usual one; nullopt for the usual. The receipt's may be an
  // empty response: nothing is sent.
  std::function<std::optional<v1::UploadResponse>(const v1::ClipKey&)> answer_offer;
  std::function<std::optional<v1::UploadResponse>(const v1::ClipKey&)> answer_last_chunk;
  // `number` counts the chunks of the fake's life, from 1.
  std::function<ChunkFault(const v1::Chunk&, int number)> on_chunk;
  // The status that a new stream ends with at once.
  std::function<grpc::Status()> on_stream;
  // What a new stream says before it was asked anything; sent until the device ends the stream.
  std::function<std::vector<v1::UploadResponse>()> unasked;
  // Of everything that is sent.
  grpc_compression_algorithm compression = GRPC_COMPRESS_NONE;
  std::function<grpc::Status(const v1::ReportLedgerRequest&, v1::ReportLedgerResponse*)> on_ledger;
  std::function<grpc::Status(const v1::HelloRequest&, v1::HelloResponse*)> on_hello;
  std::function<grpc::Status(const v1::HeartbeatRequest&, v1::HeartbeatResponse*)> on_heartbeat;

  // Runs `f` with the lock held, then wakes whoever waits.
  template <typename F>
  auto Locked(F f) {
    std::lock_guard lock(mutex_);
    changed_.notify_all();
    return f();
  }
  // Waits until `condition` (run with the lock held) holds; false after ten seconds.
  bool Await(const std::function<bool()>& condition);

  // What happened. Read with Locked() or Await() while traffic flows.
  std::map<uint64_t, Clip> clips;     // by sequence number
  std::vector<std::string> breaches;  // of the contract by the device
  std::vector<std::string> log;       // "offer 1", "chunk 1/0@0", "receipt 1"
  int streams = 0;
  std::vector<std::string> devices;  // as each call's metadata named it; "" without
  std::vector<std::string> agents;   // what each Hello's caller says it is
  int unasked_sent = 0;
  int chunks = 0;
  int cuts = 0;
  uint64_t received_bytes = 0;   // payload of all chunks
  uint64_t duplicate_bytes = 0;  // of these, what was durable already
  std::vector<v1::ReportLedgerRequest> ledgers;
  std::vector<v1::HelloRequest> hellos;
  std::vector<v1::HeartbeatRequest> heartbeats;

 private:
  using Stream = grpc::ServerReaderWriter<v1::UploadResponse, v1::UploadRequest>;
  grpc::Status Upload(grpc::ServerContext* context, Stream* stream) override;
  grpc::Status ReportLedger(grpc::ServerContext* context, const v1::ReportLedgerRequest* request,
                            v1::ReportLedgerResponse* response) override;
  grpc::Status Hello(grpc::ServerContext* context, const v1::HelloRequest* request,
                     v1::HelloResponse* response) override;
  grpc::Status Heartbeat(grpc::ServerContext* context, const v1::HeartbeatRequest* request,
                         v1::HeartbeatResponse* response) override;

  // Each returns what to send; false ends the stream.
  bool OnOffer(const v1::Offer& offer, std::vector<v1::UploadResponse>* out);
  bool OnChunk(const v1::Chunk& chunk, std::vector<v1::UploadResponse>* out);
  static void AddProgress(const Clip& clip, std::vector<v1::UploadResponse>* out);
  void AddReceipt(Clip& clip, bool duplicate, std::vector<v1::UploadResponse>* out);
  void Expect(bool condition, const std::string& what);

  const std::shared_ptr<grpc::ServerCredentials> credentials_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t next_lease_ = 100;
  bool silent_ = false;  // the current stream says nothing more
};

}  // namespace gleaner::edge
