#include "edge/upload/uploader.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <utility>

#include "common/backoff.h"
#include "common/crash_point.h"
#include "common/limits.h"
#include "common/status.h"
#include "common/text.h"
#include "edge/upload/message.h"
#include "edge/upload/token_bucket.h"
#include "edge/upload/transfers.h"
#include "edge/upload/trouble.h"
#include "edge/upload/upload_stream.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kLookNs = 10 * kNanosPerSecond;  // at the spool, when nobody pokes
constexpr int kMaxStretch = 8;                     // of the progress time-out

uint64_t LowerCap(uint64_t a, uint64_t b) { return a == 0 || b == 0 ? a | b : std::min(a, b); }

UploaderOptions WithSeed(UploaderOptions options) {
  if (options.seed == 0) options.seed = std::random_device()();
  return options;
}

}  // namespace

UploaderOptions UploaderOptions::Read(ConfigReader& reader) {
  UploaderOptions options;
  options.window_chunks =
      static_cast<uint32_t>(reader.Int("window_chunks", options.window_chunks, {1, 64}));
  options.clips_in_flight =
      static_cast<uint32_t>(reader.Int("clips_in_flight", options.clips_in_flight, {1, 16}));
  options.cap_bytes_per_s = static_cast<uint64_t>(reader.Bytes("cap_bytes_per_s", 0));
  if (options.cap_bytes_per_s != 0 && options.cap_bytes_per_s < kMinUploadCapBytesPerS) {
    reader.Error("cap_bytes_per_s", fmt::format("must be 0 for none, or {} a second or more",
                                                HumanBytes(kMinUploadCapBytesPerS)));
  }
  options.progress_timeout_ns = reader.DurationNs("progress_timeout", options.progress_timeout_ns,
                                                  {kNanosPerSecond, 3600 * kNanosPerSecond});
  options.backoff_cap_ns = reader.DurationNs("backoff_max", options.backoff_cap_ns,
                                             {kNanosPerSecond, 3600 * kNanosPerSecond});
  return options;
}

class Uploader::Impl {
 public:
  Impl(const UploaderOptions& options, Spool& spool, Link& link, Clock& clock, UploaderHooks hooks)
      : options_(WithSeed(options)),
        spool_(spool),
        link_(link),
        clock_(clock),
        hooks_(std::move(hooks)),
        transfers_({.max_clips = options_.clips_in_flight,
                    .backoff_base_ns = options_.backoff_base_ns,
                    .backoff_cap_ns = options_.backoff_cap_ns,
                    .seed = options_.seed + 1},
                   spool, clock, board_, hooks_.ledger_changed),
        bucket_(clock),
        backoff_(options_.backoff_base_ns, options_.backoff_cap_ns, options_.seed),
        progress_limit_ns_(options_.progress_timeout_ns) {}

  void Run(std::stop_token stop);
  void Poke() { stream_.Poke(); }
  void SetPolicyCap(uint64_t bytes_per_s) {
    policy_cap_ = bytes_per_s == 0 ? 0 : std::max(bytes_per_s, kMinUploadCapBytesPerS);
    stream_.Poke();
  }
  UploadStats stats() const { return board_.Get(); }

 private:
  // One turn of the loop.
  void ApplyCap();
  void TakeClips(int64_t now);
  void Connect(int64_t now);
  bool SendOne(int64_t now);
  void CutIfStalled(int64_t now);
  void PublishState(int64_t now);
  int64_t NextWaitNs(int64_t now) const;
  void ShutDown();

  void Handle(UploadStream::Event event);
  void OnMessage();
  void OnEnded();
  // Whether the server owes us something, be it the connection.
  bool AnswerDue() const { return stream_.active() && (!opened_ || transfers_.AnswerDue()); }

  const UploaderOptions options_;
  Spool& spool_;
  Link& link_;
  Clock& clock_;
  const UploaderHooks hooks_;
  UploadStatsBoard board_;
  UploadStream stream_;
  std::atomic<uint64_t> policy_cap_{0};

  // Of the loop's thread alone.
  Transfers transfers_;
  TokenBucket bucket_;
  Backoff backoff_;  // between streams
  const std::shared_ptr<BlockPool> pool_ = std::make_shared<BlockPool>();
  bool opened_ = false;  // the stream has begun
  bool stopping_ = false;
  int64_t look_ns_ = 0;  // when to look at the spool again
  int64_t next_attempt_ns_ = 0;
  int64_t last_progress_ns_ = 0;
  int64_t progress_limit_ns_;
};

void Uploader::Impl::Run(std::stop_token stop) {
  std::stop_callback wake(stop, [this] { stream_.Poke(); });
  while (!stop.stop_requested()) {
    if (hooks_.alive) hooks_.alive();
    const int64_t now = clock_.MonotonicNs();
    ApplyCap();
    TakeClips(now);
    Connect(now);
    if (!AnswerDue()) last_progress_ns_ = now;
    while (stream_.writable() && SendOne(now)) {
    }
    CutIfStalled(now);
    PublishState(now);
    Handle(stream_.Wait(NextWaitNs(now)));
  }
  ShutDown();
}

void Uploader::Impl::ApplyCap() {
  const uint64_t cap = LowerCap(options_.cap_bytes_per_s, policy_cap_);
  if (cap == bucket_.rate()) return;
  bucket_.SetRate(cap);
  board_.Change([&](UploadStats& stats) { stats.cap_bytes_per_s = cap; });
}

void Uploader::Impl::TakeClips(int64_t now) {
  look_ns_ = std::min(look_ns_, transfers_.NextDueNs(now));
  if (transfers_.full() || look_ns_ > now) return;
  bool more = false;
  if (const absl::Status status = transfers_.Take(&more); !status.ok()) {
    board_.Error(fmt::format("reading the spool: {}", Message(status)));
    more = false;
  }
  if (!more) look_ns_ = now + kLookNs;
}

void Uploader::Impl::Connect(int64_t now) {
  if (stream_.active() || transfers_.empty() || now < next_attempt_ns_) return;
  opened_ = false;
  last_progress_ns_ = now;
  stream_.Open(link_);
}

// Offers go first, so that their round trip overlaps with the chunks of the clip before. True: try
// again.
bool Uploader::Impl::SendOne(int64_t now) {
  if (bucket_.WaitNs() > 0) return false;
  if (Transfer* transfer = transfers_.ToOffer(now)) {
    const grpc::ByteBuffer message = OfferMessage(transfer->clip());
    bucket_.Take(message.Length());
    transfer->Offered();
    transfer->moved_ns = now;
    stream_.Write(message);
    return false;
  }
  Transfer* transfer = transfers_.ToSend();
  ChunkPosition position;
  uint64_t size = 0;
  if (transfer == nullptr || transfers_.unacknowledged_chunks() >= options_.window_chunks ||
      !transfer->NextChunk(&position, &size)) {
    return false;
  }
  const uint64_t block = position.offset / kBlockBytes;
  const StoredClip& clip = transfer->clip();
  std::unique_ptr<std::string> data = pool_->Take();
  if (const absl::Status status = spool_.ReadBlock(clip, position.object, block, data.get());
      !status.ok()) {
    transfers_.OnReadError(*transfer, position, status);
    return true;
  }
  const uint64_t again = transfer->Sent();
  transfer->moved_ns = now;
  bucket_.Take(size);
  // The window and the cap have room for this clip's next chunk. Should another clip take it, then
  // that one's answer opens the window again.
  const bool more_follows = !transfer->all_sent() &&
                            transfers_.unacknowledged_chunks() < options_.window_chunks &&
                            bucket_.WaitNs() < kNanosPerSecond;
  const grpc::ByteBuffer message =
      ChunkMessage(position, clip.objects[position.object].block_xxh3[block], more_follows,
                   std::move(data), pool_);
  bucket_.Take(message.Length() - size);
  board_.Change([&](UploadStats& stats) {
    stats.sent_bytes += size;
    stats.resent_bytes += again;
  });
  stream_.Write(message);
  // What the kill tests' negative control must be caught at: taking a write for a receipt.
  if (GLEANER_FAULT("upload.release_when_sent") && transfer->all_sent()) {
    spool_.Release(clip.key, clip.manifest_sha256).IgnoreError();
  }
  return false;
}

void Uploader::Impl::CutIfStalled(int64_t now) {
  if (opened_) transfers_.PutOffForgotten(now, options_.progress_timeout_ns * kMaxStretch);
  if (!AnswerDue() || now - last_progress_ns_ < progress_limit_ns_) return;
  stream_.Cancel(absl::DeadlineExceededError(
      fmt::format("no progress for {} s", progress_limit_ns_ / kNanosPerSecond)));
  link_.Forget();
  last_progress_ns_ = now;
  progress_limit_ns_ = std::min(progress_limit_ns_ * 2, options_.progress_timeout_ns * kMaxStretch);
}

void Uploader::Impl::PublishState(int64_t now) {
  const char* state = "sending";
  if (transfers_.AllWait(now)) {
    state = "backing-off";
  } else if (transfers_.empty()) {
    state = "idle";
  } else if (!stream_.active()) {
    state = "backing-off";
  } else if (!opened_) {
    state = "connecting";
  }
  board_.Change([&](UploadStats& stats) { stats.state = state; });
}

int64_t Uploader::Impl::NextWaitNs(int64_t now) const {
  int64_t until = now + kLookNs;
  if (!transfers_.full()) until = std::min(until, look_ns_);
  if (!transfers_.empty() && !stream_.active()) until = std::min(until, next_attempt_ns_);
  if (AnswerDue()) until = std::min(until, last_progress_ns_ + progress_limit_ns_);
  if (stream_.writable()) {
    if (const int64_t wait = bucket_.WaitNs(); wait > 0) until = std::min(until, now + wait);
    until = std::min(until, transfers_.NextOfferNs(now));
  }
  return std::max<int64_t>(0, until - now);
}

void Uploader::Impl::Handle(UploadStream::Event event) {
  switch (event) {
    case UploadStream::Event::kTimeout:
    case UploadStream::Event::kWritten:
      break;
    case UploadStream::Event::kPoked:
      look_ns_ = 0;
      break;
    case UploadStream::Event::kOpened:
      opened_ = true;
      last_progress_ns_ = clock_.MonotonicNs();
      break;
    case UploadStream::Event::kMessage:
      OnMessage();
      break;
    case UploadStream::Event::kEnded:
      OnEnded();
      break;
  }
}

void Uploader::Impl::OnMessage() {
  const Transfers::Outcome outcome = transfers_.OnResponse(stream_.message());
  const int64_t now = clock_.MonotonicNs();
  if (!outcome.breach.ok()) {
    board_.Error(fmt::format("the server broke the protocol: {}", Message(outcome.breach)));
    stream_.Cancel(outcome.breach);
  }
  if (outcome.advanced) {
    progress_limit_ns_ = std::clamp(4 * (now - last_progress_ns_), options_.progress_timeout_ns,
                                    options_.progress_timeout_ns * kMaxStretch);
    backoff_.Reset();
  }
  if (outcome.answered) last_progress_ns_ = now;
}

void Uploader::Impl::OnEnded() {
  absl::Status status = stream_.status();
  if (status.ok()) status = absl::UnavailableError("the server ended the stream");
  const bool under_way = transfers_.OnStreamEnded(status);
  next_attempt_ns_ = clock_.MonotonicNs() + backoff_.NextNs();
  link_.NoteLoss();
  if (stopping_ || !(under_way || !opened_)) return;
  if (opened_) board_.Change([](UploadStats& stats) { ++stats.cuts; });
  const std::string error = fmt::format("upload stream: {}", Message(status));
  if (IsUnreachable(status)) {  // logged by the link
    board_.Change([&](UploadStats& stats) { stats.last_error = error; });
  } else {
    board_.Error(error);
  }
}

void Uploader::Impl::ShutDown() {
  stopping_ = true;
  int64_t now = clock_.MonotonicNs();
  const int64_t close_until = now + options_.shutdown_timeout_ns * 3 / 4;
  // When the server hears that nothing follows it makes durable what it holds, says so and ends the
  // stream: then nothing is sent again after a restart.
  for (bool said = false; opened_ && stream_.active() && now < close_until;
       now = clock_.MonotonicNs()) {
    if (!said && stream_.writable()) {
      stream_.WritesDone();
      said = true;
    }
    Handle(stream_.Wait(close_until - now));
  }
  stream_.Cancel(absl::CancelledError("the daemon stops"));
  while (stream_.active()) Handle(stream_.Wait(kNanosPerSecond));
  transfers_.PutBackAll();
  board_.Change([](UploadStats& stats) { stats.state = "idle"; });
}

Uploader::Uploader(UploaderOptions options, Spool& spool, Link& link, Clock& clock,
                   UploaderHooks hooks)
    : impl_(std::make_unique<Impl>(options, spool, link, clock, std::move(hooks))) {}
Uploader::~Uploader() = default;

void Uploader::Run(std::stop_token stop) { impl_->Run(std::move(stop)); }
void Uploader::Poke() { impl_->Poke(); }
void Uploader::SetPolicyCap(uint64_t bytes_per_s) { impl_->SetPolicyCap(bytes_per_s); }
UploadStats Uploader::stats() const { return impl_->stats(); }

}  // namespace gleaner::edge
