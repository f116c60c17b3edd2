#include "cloud/ingest/upload_stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "cloud/ingest/manifest_check.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

// Responses that a device hasn't read yet; beyond that nothing more is read from it.
constexpr size_t kMaxUnsent = 256;

}  // namespace

std::shared_ptr<UploadStream> UploadStream::Make(IngestCore& core, IngestService& service,
                                                 std::string device) {
  auto stream = std::shared_ptr<UploadStream>(new UploadStream(core, service, std::move(device)));
  stream->self_ = stream;
  return stream;
}

UploadStream::UploadStream(IngestCore& core, IngestService& service, std::string device)
    : core_(core),
      service_(service),
      device_(std::move(device)),
      offers_(std::make_shared<Strand>(core.pool)) {
  ++core_.counters.streams_open;
  ++core_.counters.streams_total;
}

void UploadStream::Begin() {
  std::function<void()> drained;
  bool retire = false;
  {
    std::lock_guard lock(mutex_);
    begun_ = true;
    ReadMoreLocked();
    drained = TakeDrainedLocked();
    retire = done_;
  }
  if (retire) service_.OnStreamDone(device_, this);
  if (drained) drained();
}

void UploadStream::Close(const grpc::Status& status, std::function<void()> drained) {
  {
    std::lock_guard lock(mutex_);
    CloseLocked(status);
    if (drained) drained_ = std::move(drained);
    drained = TakeDrainedLocked();
  }
  if (drained) drained();
}

void UploadStream::OnReadDone(bool ok) {
  if (ok) {
    auto message = ReadUploadMessage(in_);
    in_.Clear();
    {
      std::lock_guard lock(mutex_);
      ++messages_;
    }
    if (message.ok()) {
      Route(*std::move(message));
    } else {
      Breach(message.status());
    }
  } else {
    SyncLanes();
  }
  // Only now may the next one come: on another thread it could overtake this one.
  std::lock_guard lock(mutex_);
  reading_ = false;
  input_ended_ = !ok;
  ReadMoreLocked();
  FinishIfDoneLocked();
}

void UploadStream::Route(UploadMessage message) {
  if (std::holds_alternative<v1::Offer>(message)) {
    PostTask(offers_,
             [this, offer = std::get<v1::Offer>(std::move(message))] { TakeOffer(offer); });
    return;
  }
  // std::function wants what can be copied.
  auto chunk = std::make_shared<ChunkRequest>(std::get<ChunkRequest>(std::move(message)));
  const uint64_t lease = chunk->lease;
  LanePtr lane;
  {
    std::lock_guard lock(mutex_);
    const auto found = leases_.find(lease);
    if (found != leases_.end()) {
      lane = found->second;
      lane->heard_ns = core_.clock.MonotonicNs();
    }
  }
  if (lane == nullptr) {
    chunk.reset();
    SendRefusal({}, absl::AbortedError("the lease is no longer valid; offer again"),
                {.lease = lease});
    ReleaseMessage();
    return;
  }
  auto task = BeginTask(
      [this, lane, lease, chunk = std::move(chunk)] { RunChunk(lane, lease, std::move(*chunk)); });
  if (task) lane->strand->Dispatch(std::move(task));
}

void UploadStream::SyncLanes() {
  std::vector<std::pair<LanePtr, uint64_t>> open;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [lease, lane] : leases_) open.emplace_back(lane, lease);
  }
  for (const auto& [lane, lease] : open) {
    PostTask(lane->strand, [this, lane = lane, lease = lease] { SyncAndTell(lane, lease); });
  }
}

void UploadStream::OnWriteDone(bool ok) {
  std::lock_guard lock(mutex_);
  writing_ = false;
  out_.pop_front();
  if (!ok) CloseLocked({grpc::StatusCode::UNAVAILABLE, "the device can't be reached"});
  WriteNextLocked();
  ReadMoreLocked();
  FinishIfDoneLocked();
}

void UploadStream::OnCancel() {
  std::lock_guard lock(mutex_);
  CloseLocked({grpc::StatusCode::CANCELLED, "the stream was cut"});
}

void UploadStream::OnDone() {
  if (const auto more = Admit("ended its upload stream")) {
    LOG_INFO("device {} ended its upload stream{}", device_, *more);
  }
  --core_.counters.streams_open;
  std::shared_ptr<UploadStream> self;
  {
    std::lock_guard lock(mutex_);
    done_ = true;
    self = std::move(self_);
    // While tasks run, or those of the stream before this one, which Begin waits for, the service
    // must know of it: the last one's end, or Begin, tells it.
    if (tasks_ > 0 || !begun_) return;
  }
  service_.OnStreamDone(device_, this);
}

void UploadStream::PostTask(const std::shared_ptr<Strand>& strand, std::function<void()> task) {
  task = BeginTask(std::move(task));
  if (task) strand->Post(std::move(task));
}

std::function<void()> UploadStream::BeginTask(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return nullptr;
    ++tasks_;
  }
  return [self = shared_from_this(), task = std::move(task)]() mutable {
    if (!self->IsClosed()) task();
    task = nullptr;
    self->EndTask();
  };
}

void UploadStream::EndTask() {
  std::function<void()> drained;
  bool retire = false;
  {
    std::lock_guard lock(mutex_);
    --tasks_;
    FinishIfDoneLocked();
    drained = TakeDrainedLocked();
    retire = done_ && tasks_ == 0;
  }
  if (retire) service_.OnStreamDone(device_, this);
  if (drained) drained();
}

bool UploadStream::IsClosed() {
  std::lock_guard lock(mutex_);
  return closed_;
}

void UploadStream::ReleaseMessage() {
  std::lock_guard lock(mutex_);
  --messages_;
  ReadMoreLocked();
  FinishIfDoneLocked();
}

void UploadStream::Send(const v1::UploadResponse& response) {
  const grpc::Slice slice(response.SerializeAsString());
  std::lock_guard lock(mutex_);
  if (closed_) return;
  out_.emplace_back(&slice, 1);
  WriteNextLocked();
}

void UploadStream::SendRefusal(const ClipKey& key, const absl::Status& status,
                               const RefusalDetails& details) {
  ++core_.counters.refusals_total;
  if (const auto more = Admit(fmt::format("refused with code {}", status.raw_code()))) {
    LOG_INFO("device {} clip {}: refused, {}{}", device_, ToString(key), Message(status), *more);
  }
  v1::UploadResponse response;
  v1::Refusal* refusal = response.mutable_refusal();
  if (key.sequence != 0) {
    refusal->mutable_key()->set_boot_id(std::string(AsBytes(key.boot_id)));
    refusal->mutable_key()->set_sequence(key.sequence);
  }
  refusal->set_lease(details.lease);
  refusal->set_code(static_cast<uint32_t>(status.code()));
  refusal->set_message(std::string(Message(status)));
  refusal->set_object(details.object);
  refusal->set_durable_offset(details.durable_offset);
  refusal->set_retry_after_ms(details.retry_after_ms);
  Send(response);
}

std::optional<std::string> UploadStream::Admit(std::string_view what) {
  return core_.log_throttle.Admit(fmt::format("device {} {}", device_, what));
}

void UploadStream::Breach(const absl::Status& status) {
  ++core_.counters.breaches_total;
  if (const auto more = Admit("broke the upload protocol")) {
    LOG_WARN("device {} broke the upload protocol: {}{}", device_, Message(status), *more);
  }
  std::lock_guard lock(mutex_);
  CloseLocked({grpc::StatusCode::INVALID_ARGUMENT, std::string(Message(status))});
}

bool UploadStream::HoldsLease(const Lane& lane, uint64_t lease) {
  std::lock_guard lock(mutex_);
  return lane.lease == lease;
}

void UploadStream::EndLeaseLocked(Lane& lane) {
  if (lane.lease != 0) leases_.erase(std::exchange(lane.lease, 0));
}

void UploadStream::ForgetLaneLocked(const LanePtr& lane) {
  const auto found = lanes_.find(lane->key);
  if (found != lanes_.end() && found->second == lane && lane->offers == 0) lanes_.erase(found);
}

bool UploadStream::MakeRoomForLaneLocked() {
  if (lanes_.size() < static_cast<size_t>(core_.options.uploads_per_stream)) return true;
  auto oldest = lanes_.end();
  for (auto it = lanes_.begin(); it != lanes_.end(); ++it) {
    if (it->second->offers > 0 || !it->second->strand->idle()) continue;
    if (oldest == lanes_.end() || it->second->heard_ns < oldest->second->heard_ns) oldest = it;
  }
  if (oldest == lanes_.end() ||
      core_.clock.MonotonicNs() - oldest->second->heard_ns < core_.options.lane_silence_ns) {
    return false;
  }
  // A late chunk of it is told to offer again.
  EndLeaseLocked(*oldest->second);
  lanes_.erase(oldest);
  return true;
}

void UploadStream::CloseLocked(const grpc::Status& status) {
  if (!closed_) {
    closed_ = true;
    finish_status_ = status;
    // Nothing leads to the lanes any more; running tasks hold theirs.
    lanes_.clear();
    leases_.clear();
  }
  FinishIfDoneLocked();
}

void UploadStream::ReadMoreLocked() {
  if (!begun_ || reading_ || input_ended_ || closed_ ||
      messages_ >= core_.options.chunks_in_memory || out_.size() >= kMaxUnsent) {
    return;
  }
  reading_ = true;
  StartRead(&in_);
}

void UploadStream::WriteNextLocked() {
  if (writing_ || closed_ || out_.empty()) return;
  writing_ = true;
  StartWrite(&out_.front());
}

void UploadStream::FinishIfDoneLocked() {
  if (finished_) return;
  if (!closed_) {
    if (!input_ended_ || tasks_ > 0 || messages_ > 0 || !out_.empty()) return;
    closed_ = true;  // the device has said all and heard all
  }
  if (writing_) return;  // OnWriteDone comes, if only to say that the stream is cut
  finished_ = true;
  Finish(finish_status_);
}

std::function<void()> UploadStream::TakeDrainedLocked() {
  if (!closed_ || !begun_ || tasks_ > 0) return nullptr;
  return std::exchange(drained_, nullptr);
}

}  // namespace gleaner::cloud
