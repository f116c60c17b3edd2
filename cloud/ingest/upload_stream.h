// One device's Upload stream: a gRPC reactor that moves messages, and the lanes its clips travel
// in.
//
// Each clip under way has a lane, in which its offers, chunks, syncs and its commit run one after
// the other; lanes run side by side, so that one clip's commit doesn't hold up the next one's
// chunks and many commits share a transaction. Whatever waits for disk or database runs on the
// worker pool. A chunk, which is only hashed and copied, is done with on the thread that read it,
// unless its lane is busy. A lease names a lane; offering a clip again gives
// its lane a new lease, and the old one leads nowhere.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "cloud/ingest/clip_upload.h"
#include "cloud/ingest/ingest_service.h"
#include "cloud/rpc/worker_pool.h"
#include "common/clip_key.h"

namespace gleaner::cloud {

class UploadStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                           public std::enable_shared_from_this<UploadStream> {
 public:
  // It keeps itself alive until gRPC and its own tasks are done with it, and then tells `service`.
  static std::shared_ptr<UploadStream> Make(IngestCore& core, IngestService& service,
                                            std::string device);

  // Starts to read. Until then nothing of the stream happens.
  void Begin();
  // Ends the stream with `status`. `drained` (may be empty) is called once no task of the stream
  // runs any more, perhaps at once: only then may another stream touch the same uploads.
  void Close(const grpc::Status& status, std::function<void()> drained);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  struct Lane {
    Lane(const ClipKey& key, WorkerPool& pool)
        : pool(pool), key(key), strand(std::make_shared<Strand>(pool)) {}
    // On whatever thread: letting go of the upload may wait for the disk.
    ~Lane() {
      if (upload != nullptr) pool.Post([last = std::shared_ptr(std::move(upload))] {});
    }
    WorkerPool& pool;
    const ClipKey key;
    const std::shared_ptr<Strand> strand;
    // Touched by the strand's tasks only.
    std::unique_ptr<ClipUpload> upload;
    // Guarded by the stream's mutex_.
    uint64_t lease = 0;    // 0: none
    int offers = 0;        // posted and not yet run
    int64_t heard_ns = 0;  // when its last message came
  };
  using LanePtr = std::shared_ptr<Lane>;
  // What a refusal says beyond its status.
  struct RefusalDetails {
    uint64_t lease = 0;
    uint32_t object = 0;
    uint64_t durable_offset = 0;
    uint32_t retry_after_ms = 0;
  };

  UploadStream(IngestCore& core, IngestService& service, std::string device);

  // --- messages in and out; these run on gRPC's threads or the pool's
  void Route(UploadMessage message);
  // The device has no more to send: chunks that were promised to have followers get none.
  void SyncLanes();
  void Send(const v1::UploadResponse& response);
  void SendRefusal(const ClipKey& key, const absl::Status& status, const RefusalDetails& details);
  // See LogThrottle::Admit.
  std::optional<std::string> Admit(std::string_view what);
  // A breach of the protocol ends the stream.
  void Breach(const absl::Status& status);
  void PostTask(const std::shared_ptr<Strand>& strand, std::function<void()> task);
  // `task` with what every task does before and after; null if the stream is closed.
  std::function<void()> BeginTask(std::function<void()> task);
  // A message's memory is free again: goes on reading.
  void ReleaseMessage();
  bool IsClosed();
  void EndTask();
  bool HoldsLease(const Lane& lane, uint64_t lease);

  // --- tasks
  void TakeOffer(const v1::Offer& offer);
  void RunOffer(const LanePtr& lane, UploadRow row, v1::ClipManifest manifest);
  absl::Status BeginOrResume(const LanePtr& lane, UploadRow row, v1::ClipManifest manifest);
  // Forgets an upload under way and frees what it holds, at once if that can be.
  absl::Status DropUpload(const ClipKey& key);
  void Grant(const LanePtr& lane);
  void RunChunk(const LanePtr& lane, uint64_t lease, ChunkRequest chunk);
  void RefuseChunk(const LanePtr& lane, uint64_t lease, uint32_t object,
                   const absl::Status& status);
  // Objects that turn out to have another digest are refused, from their start.
  void Hash(const LanePtr& lane, uint64_t lease);
  // What was received is durable and has a name; false if the upload ended instead.
  bool MakeDurable(const LanePtr& lane, std::vector<ClipUpload::Advance>* advances);
  void SyncAndTell(const LanePtr& lane, uint64_t lease);
  void Complete(const LanePtr& lane, uint64_t lease);
  void SendReceipt(const UploadRow& row, int64_t committed_unix_ns, bool duplicate);
  // The lane's clip is done with, one way or the other.
  void EndLane(const LanePtr& lane);
  // The upload can't go on for now: its lease ends and the device is told when to come again.
  void GiveUp(const LanePtr& lane, const absl::Status& status);
  // As GiveUp after a failed sync, when the blobs themselves can't be trusted any more.
  void Discard(const LanePtr& lane, const absl::Status& status);

  // --- with mutex_ held
  void EndLeaseLocked(Lane& lane);
  void ForgetLaneLocked(const LanePtr& lane);
  // Room for one more clip, if need be in the place of one that the device seems to have given up.
  bool MakeRoomForLaneLocked();
  void CloseLocked(const grpc::Status& status);
  void ReadMoreLocked();
  void WriteNextLocked();
  void FinishIfDoneLocked();
  // What is to be called, outside the mutex, now that the last task has ended or none began.
  std::function<void()> TakeDrainedLocked();

  IngestCore& core_;
  IngestService& service_;
  const std::string device_;

  std::mutex mutex_;
  bool begun_ = false;
  bool reading_ = false;
  bool input_ended_ = false;
  bool writing_ = false;
  bool closed_ = false;    // no new work; the stream ends with finish_status_
  bool finished_ = false;  // Finish was called, once
  bool done_ = false;      // OnDone came
  grpc::Status finish_status_;
  std::function<void()> drained_;
  int64_t messages_ = 0;  // read, and neither copied to wait for more nor on the disk
  int64_t tasks_ = 0;     // posted and not yet done
  grpc::ByteBuffer in_;
  std::deque<grpc::ByteBuffer> out_;  // the front one is being written while writing_
  std::map<ClipKey, LanePtr> lanes_;
  absl::flat_hash_map<uint64_t, LanePtr> leases_;

  const std::shared_ptr<Strand> offers_;  // offers are parsed in the order they came
  std::shared_ptr<UploadStream> self_;    // until OnDone
};

}  // namespace gleaner::cloud
