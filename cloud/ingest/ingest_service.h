// Taking clips in: the server's side of proto/gleaner/v1/ingest.proto.
//
//   IngestService service(uploads, names, staging, objects, RealClock(), options);
//   builder.RegisterService(&service);
//   …
//   service.Stop();                 // streams end with UNAVAILABLE: devices come again
//   server->Shutdown(deadline);     // always with a deadline
//
// Order of writes, and where a crash can fall (GLEANER_CRASH_AT=name kills there; see
// crash_point.h):
//   an offer                 ingest.offer_checked
//   room for its objects     ingest.blobs_created
//   → Grant                  ingest.granted
//   a chunk, in memory       ingest.chunk_written
//   its blob, fdatasync      ingest.synced
//   once: the manifest, durable, names the blobs   ingest.offer_durable
//   → Progress               ingest.progress_sent
//   the last chunk           ingest.last_chunk_written
//   its blob, fdatasync      ingest.all_synced
//   where objects lie elsewhere: made there, verified     ingest.objects_made
//   the clip, one commit     (catalog.before_commit, catalog.after_commit)  ingest.clip_committed
//   → Receipt                ingest.receipt_sent
// A cut or a crash at any of them leaves an upload that resumes, or one of which nothing was told
// and which begins again, or a clip that is whole; the device learns which when it offers again.
//
// Threads: gRPC's call the reactors, which move messages, and hash a chunk and copy it when nothing
// of its clip is before it; all that waits for disk or database runs on a pool, the work of one
// clip in order, of several clips side by side. Memory is bounded twice: a stream is read on only
// while few of its chunks are on their way to the disk, and what waits in memory for more of its
// clip is bounded for all streams together.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "cloud/ingest/space.h"
#include "cloud/ingest/uploads.h"
#include "cloud/rpc/worker_pool.h"
#include "cloud/store/object_store.h"
#include "cloud/store/upload_staging.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/log_throttle.h"
#include "gleaner/v1/ingest.grpc.pb.h"

namespace gleaner::cloud {

struct IngestOptions {
  // Threads for disk and database: enough that syncs of many devices overlap.
  int64_t workers = 16;
  // Clips that a device may have under way on its stream; more are told to wait.
  int64_t uploads_per_stream = 16;
  // Unfinished uploads that a device may leave behind; more are told to wait. Its ledger reports
  // clear what it gave up.
  int64_t uploads_per_device = 1024;
  // Bytes that its unfinished uploads may reserve, until they are free again: see space.h. At least
  // one upload is always let in.
  int64_t reserved_per_device = 64ll << 30;
  // A clip under way of which nothing was heard for so long gives its place on the stream to
  // another.
  int64_t lane_silence_ns = 60 * kNanosPerSecond;
  // Chunks of a stream that may be on their way to the disk at once.
  int64_t chunks_in_memory = 4;
  // Bytes of all streams that may wait in memory for more of their clip, so that it is written and
  // synced at once; beyond that each chunk is written as it comes.
  int64_t buffered_bytes = 64ll << 20;
  // New clips wait when they would leave less room on the disk.
  int64_t free_bytes_floor = 1ll << 30;
  // The device's name from metadata instead of the certificate: set for a plaintext listener only.
  bool trust_metadata = false;

  // Keys: workers, uploads_per_stream, uploads_per_device, reserved_per_device, buffered_bytes,
  // free_floor.
  static IngestOptions Read(ConfigReader& reader);
};

// Since the start; for /metrics.
struct IngestStats {
  uint64_t streams_open = 0;
  uint64_t streams_total = 0;
  uint64_t clips_total = 0;       // committed
  uint64_t duplicates_total = 0;  // offered though committed
  uint64_t bytes_total = 0;       // payload taken
  uint64_t refusals_total = 0;
  uint64_t conflicts_total = 0;  // same key, another manifest
  uint64_t breaches_total = 0;   // streams closed for breaking the protocol
};

class UploadStream;

// What the streams share.
struct IngestCore {
  Uploads& uploads;
  BlobNames& names;
  UploadStaging& staging;
  ObjectStore& objects;
  Clock& clock;
  const IngestOptions options;
  const std::string store_id;  // of `names`; what clips' descriptions are sealed with

  struct Counters {
    std::atomic<uint64_t> streams_open{0}, streams_total{0}, clips_total{0}, duplicates_total{0},
        bytes_total{0}, refusals_total{0}, conflicts_total{0}, breaches_total{0};
  };
  Counters counters;
  // Of lines that a device can cause as often as it likes. Kinds begin with its name.
  LogThrottle log_throttle{clock};
  Space space{uploads,
              {.uploads_per_device = static_cast<uint64_t>(options.uploads_per_device),
               .reserved_per_device = static_cast<uint64_t>(options.reserved_per_device)}};
  // Last, so that it goes first: its tasks use all of the above.
  WorkerPool pool;
};

class IngestService final
    : public v1::IngestService::WithRawCallbackMethod_Upload<
          v1::IngestService::WithRawCallbackMethod_ReportLedger<v1::IngestService::Service>> {
 public:
  // All must outlive the service.
  IngestService(Uploads& uploads, BlobNames& names, UploadStaging& staging, ObjectStore& objects,
                Clock& clock, const IngestOptions& options);
  // The server must have been shut down.
  ~IngestService() override;

  // Ends every stream with UNAVAILABLE and refuses new ones. Safe to call twice.
  void Stop();

  IngestStats stats() const;

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Upload(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* ReportLedger(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;

 private:
  friend class UploadStream;
  absl::Status TakeLedger(const std::string& device, const grpc::ByteBuffer& request,
                          grpc::ByteBuffer* response);
  // Frees what the catalog has given up: what is staged here at once, and what is elsewhere soon,
  // so that no device waits for a bucket that is away.
  absl::Status FreeGivenUp();
  // A stream is over and none of its tasks runs: forgets it if it still is its device's.
  void OnStreamDone(const std::string& device, const UploadStream* stream);

  std::mutex mutex_;
  bool stopped_ = false;
  std::map<std::string, std::shared_ptr<UploadStream>> streams_;  // by device
  std::atomic<size_t> ledgers_waiting_{0};
  std::atomic<bool> freeing_soon_{false};
  IngestCore
      core_;  // last but for what runs on its pool, whose tasks use the above until it is gone
  // Reports are long, and longer in memory: so many are looked at side by side, of one device one.
  std::array<std::shared_ptr<Strand>, 4> ledgers_;
  std::shared_ptr<Strand> freeing_;
};

}  // namespace gleaner::cloud
