#include "edge/upload/upload_stream.h"

#include <fmt/format.h>
#include <grpc/support/time.h>

#include "common/clock.h"
#include "edge/upload/message.h"

namespace gleaner::edge {
namespace {

// The contract's most talkative server tells of each object of a clip (at most ten) after each
// chunk, and of clips under way when a call begins and ends.
constexpr uint64_t kAnswersAtLeast = 64;
constexpr uint64_t kAnswersAMessage = 16;

constexpr char kMethod[] = "/gleaner.v1.IngestService/Upload";

enum Tag : int { kPokeTag = 1, kStartTag, kReadTag, kWriteTag, kFinishTag };

void* AsPointer(Tag tag) { return reinterpret_cast<void*>(static_cast<intptr_t>(tag)); }

// By the monotonic clock: wall time may step.
gpr_timespec After(int64_t ns) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(ns, GPR_TIMESPAN));
}

}  // namespace

UploadStream::UploadStream() = default;

UploadStream::~UploadStream() {
  if (active()) {
    Cancel(absl::CancelledError("closed"));
    while (Wait(kNanosPerSecond) != Event::kEnded) {
    }
  }
  queue_.Shutdown();
  void* tag;
  bool ok;
  while (queue_.Next(&tag, &ok)) {
  }
}

void UploadStream::Open(Link& link) {
  call_ = std::make_unique<Call>();
  call_->link = &link;
  link.Prepare(&call_->context);
  open_ = half_closed_ = writing_ = reading_ = finishing_ = finished_ = false;
  written_ = received_ = 0;
  cancelled_ = absl::OkStatus();
  call_->stream = grpc::GenericStub(link.Channel()).PrepareCall(&call_->context, kMethod, &queue_);
  writing_ = true;  // until the start is answered
  call_->stream->StartCall(AsPointer(kStartTag));
}

void UploadStream::Write(const grpc::ByteBuffer& message) {
  writing_ = true;
  ++written_;
  call_->stream->Write(message, AsPointer(kWriteTag));
}

void UploadStream::WritesDone() {
  half_closed_ = true;
  writing_ = true;
  call_->stream->WritesDone(AsPointer(kWriteTag));
}

void UploadStream::Cancel(absl::Status reason) {
  if (!active()) return;
  if (cancelled_.ok()) cancelled_ = std::move(reason);
  call_->context.TryCancel();
}

void UploadStream::Read() {
  reading_ = true;
  call_->stream->Read(&call_->incoming, AsPointer(kReadTag));
}

void UploadStream::Finish() {
  if (finishing_ || finished_) return;
  open_ = false;
  finishing_ = true;
  call_->stream->Finish(&call_->status, AsPointer(kFinishTag));
}

UploadStream::Event UploadStream::Wait(int64_t timeout_ns) {
  const gpr_timespec deadline = After(timeout_ns);
  while (true) {
    void* tag = nullptr;
    bool ok = false;
    if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) {
      return Event::kTimeout;
    }
    const Event event = OnTag(static_cast<int>(reinterpret_cast<intptr_t>(tag)), ok);
    if (event != Event::kTimeout) return event;
  }
}

// kTimeout stands for "nothing to tell".
UploadStream::Event UploadStream::OnTag(int tag, bool ok) {
  Event event = Event::kTimeout;
  switch (tag) {
    case kPokeTag: {
      std::lock_guard lock(poke_mutex_);
      poked_ = false;
      return Event::kPoked;
    }
    case kStartTag:
      writing_ = false;
      if (ok) {
        open_ = true;
        event = Event::kOpened;
        Read();
      } else {
        Finish();
      }
      break;
    case kReadTag:
      reading_ = false;
      if (ok) return OnMessage();
      Finish();
      break;
    case kWriteTag:
      writing_ = false;
      // A failed write means a broken call; the read that is always outstanding ends it.
      if (ok) {
        event = Event::kWritten;
      } else {
        open_ = false;
      }
      break;
    case kFinishTag:
      finishing_ = false;
      finished_ = true;
      break;
  }
  if (finished_ && !reading_ && !writing_) {
    status_ = cancelled_.ok() ? call_->link->Heard(call_->status) : cancelled_;
    call_.reset();
    return Event::kEnded;
  }
  return event;
}

UploadStream::Event UploadStream::OnMessage() {
  absl::StatusOr<v1::UploadResponse> response = ParseResponse(&call_->incoming);
  call_->incoming.Clear();
  Read();
  if (++received_ > kAnswersAtLeast + kAnswersAMessage * written_) {
    Cancel(absl::ResourceExhaustedError(
        fmt::format("the server sent {} messages in answer to {}", received_, written_)));
    return Event::kTimeout;
  }
  if (!response.ok()) {
    Cancel(response.status());
    return Event::kTimeout;
  }
  message_ = *std::move(response);
  return Event::kMessage;
}

void UploadStream::Poke() {
  std::lock_guard lock(poke_mutex_);
  if (poked_) return;
  poked_ = true;
  alarm_.Set(&queue_, gpr_time_0(GPR_CLOCK_MONOTONIC), AsPointer(kPokeTag));
}

}  // namespace gleaner::edge
