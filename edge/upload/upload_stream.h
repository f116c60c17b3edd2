// The bidirectional Upload call as a queue of events that one thread waits on: opened, written,
// message, ended, or poked by another thread. One call at a time; it may be opened again after it
// has ended. A server that says much more than it is asked ends the call: what it says only costs
// when nobody waits for it.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <cstdint>
#include <memory>
#include <mutex>

#include "absl/status/status.h"
#include "edge/upload/link.h"
#include "gleaner/v1/ingest.pb.h"

namespace gleaner::edge {

// Used by one thread, but for Poke().
class UploadStream {
 public:
  enum class Event { kTimeout, kPoked, kOpened, kWritten, kMessage, kEnded };

  UploadStream();
  // Cancels what is open.
  ~UploadStream();

  // Starts the call; kOpened or kEnded follows. Only when not active().
  void Open(Link& link);
  // One message; kWritten follows when gRPC has taken it, which says nothing of its delivery. Only
  // when writable().
  void Write(const grpc::ByteBuffer& message);
  // Half-closes: nothing more will be written, and the server ends the call. Only when writable().
  void WritesDone();
  // Ends the call at once with `reason`; kEnded follows promptly whatever the network does.
  void Cancel(absl::Status reason);

  bool active() const { return call_ != nullptr; }
  bool writable() const { return open_ && !writing_ && !half_closed_; }

  // The next event; kTimeout after `timeout_ns`.
  Event Wait(int64_t timeout_ns);
  // After kMessage.
  const v1::UploadResponse& message() const { return message_; }
  // After kEnded: why.
  const absl::Status& status() const { return status_; }

  // Makes Wait() return kPoked, now or the next time. Any thread.
  void Poke();

 private:
  struct Call {
    Link* link = nullptr;
    grpc::ClientContext context;
    std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream;
    grpc::ByteBuffer incoming;
    grpc::Status status;
  };
  void Read();
  void Finish();
  Event OnTag(int tag, bool ok);
  Event OnMessage();

  grpc::CompletionQueue queue_;
  std::unique_ptr<Call> call_;
  bool open_ = false;  // the call has begun and has not been seen to fail
  bool half_closed_ = false;
  bool writing_ = false;  // each of these: an operation that the queue still owes an answer
  bool reading_ = false;
  bool finishing_ = false;
  bool finished_ = false;
  uint64_t written_ = 0;  // messages of this call
  uint64_t received_ = 0;
  v1::UploadResponse message_;
  absl::Status cancelled_;  // the reason given to Cancel
  absl::Status status_;

  std::mutex poke_mutex_;
  bool poked_ = false;  // the alarm is on its way
  grpc::Alarm alarm_;
};

}  // namespace gleaner::edge
