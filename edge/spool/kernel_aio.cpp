#include "edge/spool/kernel_aio.h"

#include <fmt/format.h>
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

#include <cerrno>
#include <utility>

#include "common/file.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::edge {
namespace {

// Under way at once, of all cameras.
constexpr int kMaxRequests = 64;

// The kernel carries a request from the thread that submits it to the one that reaps it, which
// ThreadSanitizer doesn't see.
void Submitted([[maybe_unused]] void* request) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(request);
#endif
}
void Reaped([[maybe_unused]] void* request) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(request);
#endif
}

}  // namespace

class KernelAio::Request : public PendingIo {
 public:
  Request(KernelAio& aio, std::string what) : aio_(aio), what_(std::move(what)) {}
  ~Request() override {
    if (submitted_) Request::Wait().IgnoreError();
  }

  iocb& request() { return request_; }

  bool Submit() {
    request_.data = this;
    iocb* requests[] = {&request_};
    Submitted(this);
    int submitted = 0;
    do {
      submitted = ::io_submit(aio_.context_, 1, requests);
    } while (submitted == -EINTR);
    submitted_ = submitted == 1;
    return submitted_;
  }

  bool Ended() override {
    // Who has the lock may be waiting for the disk: this is asked in order not to.
    std::unique_lock lock(aio_.mutex_, std::try_to_lock);
    if (!lock.owns_lock()) return false;
    if (!ended_) aio_.Reap(0);
    return ended_;
  }

  absl::StatusOr<size_t> Wait() override {
    std::lock_guard lock(aio_.mutex_);
    while (!ended_) aio_.Reap(1);
    if (result_ < 0) return ErrnoStatus(static_cast<int>(-result_), what_);
    return static_cast<size_t>(result_);
  }

 private:
  friend class KernelAio;
  KernelAio& aio_;
  const std::string what_;
  iocb request_{};
  bool submitted_ = false;
  bool ended_ = false;  // this and the result: guarded by the context's mutex
  int64_t result_ = 0;
};

KernelAio::KernelAio() {
  if (const int error = ::io_setup(kMaxRequests, &context_); error < 0) {
    context_ = nullptr;
    LOG_WARN("spool: {}; writing to the disk is not overlapped with anything",
             Message(ErrnoStatus(-error, "io_setup")));
  }
}

KernelAio::~KernelAio() {
  if (context_ != nullptr) ::io_destroy(context_);
}

std::unique_ptr<PendingIo> KernelAio::StartWrite(int fd, const std::string& path, uint64_t offset,
                                                 std::span<const uint8_t> data) {
  if (context_ == nullptr) return nullptr;
  auto write = std::make_unique<Request>(*this, fmt::format("write {} at {}", path, offset));
  io_prep_pwrite(&write->request(), fd, const_cast<uint8_t*>(data.data()), data.size(),
                 static_cast<long long>(offset));  // NOLINT(google-runtime-int): libaio's
  return Submit(std::move(write));
}

std::unique_ptr<PendingIo> KernelAio::StartSync(int fd, const std::string& path) {
  if (context_ == nullptr) return nullptr;
  auto sync = std::make_unique<Request>(*this, fmt::format("fdatasync {}", path));
  io_prep_fdsync(&sync->request(), fd);
  return Submit(std::move(sync));
}

std::unique_ptr<PendingIo> KernelAio::Submit(std::unique_ptr<Request> request) {
  return request->Submit() ? std::move(request) : nullptr;
}

void KernelAio::Reap(int count) {
  io_event events[kMaxRequests];
  timespec at_once{};
  const int reaped =
      ::io_getevents(context_, count, kMaxRequests, events, count == 0 ? &at_once : nullptr);
  for (int i = 0; i < reaped; ++i) {
    auto* ended = static_cast<Request*>(events[i].data);
    Reaped(ended);
    ended->result_ = static_cast<int64_t>(events[i].res);
    ended->ended_ = true;
  }
}

}  // namespace gleaner::edge
