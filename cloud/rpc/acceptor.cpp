#include "cloud/rpc/acceptor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "cloud/rpc/peer_socket.h"
#include "common/log.h"
#include "common/process_memory.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

// Ids of connections begin above them.
constexpr uint64_t kListening = ~uint64_t{0};
constexpr uint64_t kWake = kListening - 1;

constexpr int kAcceptsInARow = 16;
constexpr int kTickMs = 1'000;
// Where a flood costs the most, memory grows by 2 MB a millisecond.
constexpr int kLookMs = 10;
constexpr int kSuspiciousLookMs = 2;
constexpr int kPauseMs = 100;
// What a flood took is free again when gRPC has closed the connection, and malloc would keep it.
constexpr int kTicksToTrim = 2;
// As gRPC would set it from its keepalive: what is sent and not acknowledged for so long is lost.
constexpr int kUserTimeoutMs = 20'000;

// Looking at every connection costs a millisecond where there are thousands.
constexpr int64_t kStrikeOffAtMostNs = 100 * kNanosPerMilli;

constexpr std::string_view kOutOfFiles =
    "refused: the process can't have more files open (LimitNOFILE= in its unit, ulimit -n)";

Fd OpenReserve() { return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Listen(const ListenAddress& address,
                                                           const ConnectionLimits& limits,
                                                           Clock& clock,
                                                           const FloodLimits& floods) {
  uint16_t port = 0;
  ASSIGN_OR_RETURN(Fd listening, ListenOn(address, &port));
  // Connections inherit both.
  const int yes = 1;
  ::setsockopt(listening.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  ::setsockopt(listening.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &kUserTimeoutMs,
               sizeof(kUserTimeoutMs));
  std::unique_ptr<Acceptor> acceptor(
      new Acceptor(std::move(listening), {address.host, port}, port, limits, clock, floods));
  if (!acceptor->epoll_.valid() || !acceptor->wake_.valid()) return ErrnoStatus(errno, "epoll");
  return acceptor;
}

Acceptor::Acceptor(Fd listening, const ListenAddress& address, uint16_t port,
                   const ConnectionLimits& limits, Clock& clock, const FloodLimits& floods)
    : address_(address),
      port_(port),
      clock_(clock),
      throttle_(clock, {.lines = 1}),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      listening_(std::move(listening)),
      reserve_(OpenReserve()),
      floods_(floods),
      table_(limits) {}

Acceptor::~Acceptor() { Stop(); }

void Acceptor::Start(std::function<void(int fd)> take) {
  take_ = std::move(take);
  serving_ = true;
  Watch(wake_.get(), EPOLLIN, kWake);
  Watch(listening_.get(), EPOLLIN, kListening);
  thread_ = std::jthread([this] { Run(); });
}

void Acceptor::Stop() {
  serving_ = false;
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof(one));
  if (thread_.joinable()) thread_.join();
  listening_.Reset();
  std::lock_guard lock(mutex_);
  while (const auto id = table_.Dispensable(clock_.MonotonicNs())) {
    if (!IsSilent(*id)) break;
    Fd(table_.Find(*id)->fd).Reset();
    table_.Remove(*id);
  }
}

bool Acceptor::Watch(int fd, uint32_t events, uint64_t id) {
  epoll_event event{.events = events, .data = {.u64 = id}};
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Acceptor::Run() {
  std::array<epoll_event, 64> events;
  while (serving_) {
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), WaitMs());
    for (int i = 0; i < count && serving_; ++i) {
      const uint64_t id = events[static_cast<size_t>(i)].data.u64;
      if (id == kListening) {
        AcceptSome();
      } else if (id != kWake) {
        OnWord(id);
        OnMove(id);
      }
    }
    if (!serving_) break;
    LookAtMoving();
    Tick();
  }
}

int Acceptor::LookMs() const { return floods_.suspicious() ? kSuspiciousLookMs : kLookMs; }

int Acceptor::WaitMs() {
  if (!floods_.empty()) return LookMs();
  if (paused_until_) return kPauseMs;
  std::lock_guard lock(mutex_);
  return table_.size() == 0 ? -1 : kTickMs;
}

void Acceptor::AcceptSome() {
  for (int i = 0; i < kAcceptsInARow && serving_; ++i) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    Fd socket(::accept4(listening_.get(), reinterpret_cast<sockaddr*>(&address), &size,
                        SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.valid()) {
      const int error = errno;
      if (error == EAGAIN) return;
      if (SurviveAcceptError(error)) continue;
      return Pause(error);
    }
    if (const auto peer = PeerAddress::Of(address)) Welcome(std::move(socket), *peer);
  }
}

bool Acceptor::SurviveAcceptError(int error) {
  if (error == ENOBUFS || error == ENOMEM || error == EBADF || error == EINVAL ||
      error == ENOTSOCK) {
    return false;
  }
  // Of that one connection: it was cut while it waited, or its network failed.
  if (error != EMFILE && error != ENFILE) return true;
  std::unique_lock lock(mutex_);
  while (const auto id = table_.Dispensable(clock_.MonotonicNs())) {
    if (!IsSilent(*id)) break;
    if (HasNews(table_.Find(*id)->fd)) {
      lock.unlock();
      OnWord(*id);
      lock.lock();
      continue;
    }
    End(*id, Farewell::kDisplaced);
    return true;
  }
  reserve_.Reset();
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  Fd socket(
      ::accept4(listening_.get(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC));
  const bool taken = socket.valid();
  if (taken) Reset(std::move(socket));
  reserve_ = OpenReserve();
  if (!taken) return false;
  ++stats_.accepted;
  Tell(Farewell::kNoFile, PeerAddress::Of(address).value_or(PeerAddress()));
  return true;
}

// The queue stays readable: without a pause the thread would turn in circles.
void Acceptor::Pause(int error) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listening_.get(), nullptr);
  paused_until_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPauseMs);
  std::lock_guard lock(mutex_);
  ++stats_.pauses;
  if (const auto more = throttle_.Admit("pause")) {
    LOG_ERROR("devices' port: accepting pauses: {}{}", Message(ErrnoStatus(error, "accept")),
              *more);
  }
}

void Acceptor::Welcome(Fd socket, const PeerAddress& peer) {
  if (probe_.Meets(peer)) return Reset(std::move(socket));
  std::unique_lock lock(mutex_);
  ++stats_.accepted;
  const int64_t now = clock_.MonotonicNs();
  ConnectionTable::Decision decision = table_.Decide(peer, now);
  if (decision.verdict != ConnectionTable::Verdict::kWelcome &&
      now - struck_off_ns_ >= kStrikeOffAtMostNs) {
    // Some may be gone by now.
    StrikeOffClosed();
    decision = table_.Decide(peer, now);
  }
  // One that has spoken by now isn't silent, only not yet heard.
  while (decision.verdict == ConnectionTable::Verdict::kMakeRoom && IsSilent(decision.victim) &&
         HasNews(table_.Find(decision.victim)->fd)) {
    lock.unlock();
    OnWord(decision.victim);
    lock.lock();
    decision = table_.Decide(peer, now);
  }
  switch (decision.verdict) {
    case ConnectionTable::Verdict::kWelcome:
      break;
    case ConnectionTable::Verdict::kMakeRoom:
      End(decision.victim, Farewell::kDisplaced);
      break;
    case ConnectionTable::Verdict::kFull:
      Reset(std::move(socket));
      return Tell(Farewell::kFull, peer);
    case ConnectionTable::Verdict::kAddressFull:
      Reset(std::move(socket));
      return Tell(Farewell::kAddressFull, peer);
  }
  const auto id = table_.Add(peer, socket.get(), CookieOf(socket.get()), now);
  if (!Watch(socket.get(), EPOLLIN | EPOLLRDHUP, id)) {
    table_.Remove(id);
    return Tell(Farewell::kFull, peer);
  }
  const int fd = socket.Release();  // the table's, until it is handed over
  lock.unlock();
  if (HasNews(fd)) OnWord(id);
}

void Acceptor::OnWord(ConnectionTable::Id id) {
  int fd = -1;
  {
    std::lock_guard lock(mutex_);
    if (!IsSilent(id)) return;
    fd = table_.Find(id)->fd;
    if (!HasNews(fd)) return;
    char byte = 0;
    if (::recv(fd, &byte, 1, MSG_PEEK) != 1) {  // it has hung up without a word
      Fd(fd).Reset();
      return table_.Remove(id);
    }
    WatchMove(fd, id);
    table_.NoteWord(id);
  }
  take_(fd);
}

void Acceptor::OnMove(ConnectionTable::Id id) {
  std::lock_guard lock(mutex_);
  const ConnectionTable::Connection* connection = table_.Find(id);
  if (connection == nullptr || connection->state == ConnectionTable::State::kSilent) return;
  floods_.Add(id, connection->intake);
}

void Acceptor::LookAtMoving() {
  if (floods_.empty()) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_look_) return;
  std::lock_guard lock(mutex_);
  for (const auto id : floods_.moving()) {
    const ConnectionTable::Connection* connection = table_.Find(id);
    if (connection == nullptr) {
      floods_.Remove(id);
      continue;
    }
    connection->intake->Look([&] { return BytesRead(connection->fd); });
    // It may be gone, and the number somebody else's, whose bytes these were: it is struck off.
    if (CookieOf(connection->fd) != connection->cookie) {
      floods_.Remove(id);
      table_.Remove(id);
    }
  }
  const FloodWatch::Verdict verdict = floods_.Judge(ResidentBytes());
  next_look_ = now + std::chrono::milliseconds(LookMs());
  for (const auto id : verdict.still) {
    const int fd = table_.Find(id)->fd;
    WatchMove(fd, id);
  }
  if (verdict.flood) {
    floods_.Remove(*verdict.flood);
    ticks_to_trim_ = kTicksToTrim;
    End(*verdict.flood, Farewell::kFlood);
  }
}

// Tells of the next bytes, once. The descriptor may be gRPC's, closed by now or another's: then
// epoll knows it not, and nothing happens.
void Acceptor::WatchMove(int fd, ConnectionTable::Id id) {
  epoll_event event{.events = EPOLLIN | EPOLLET | EPOLLONESHOT, .data = {.u64 = id}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Acceptor::Tick() {
  if (paused_until_ && std::chrono::steady_clock::now() >= *paused_until_) {
    paused_until_.reset();
    Watch(listening_.get(), EPOLLIN, kListening);
  }
  const int64_t now = clock_.MonotonicNs();
  if (now < next_tick_ns_) return;
  next_tick_ns_ = now + kTickMs * kNanosPerMilli;
  if (ticks_to_trim_ > 0) {
    --ticks_to_trim_;
    ::malloc_trim(0);
  }
  std::lock_guard lock(mutex_);
  StrikeOffClosed();
  for (const auto id : table_.Overdue(now)) {
    End(id, IsSilent(id) ? Farewell::kSilent : Farewell::kNoCall);
  }
}

bool Acceptor::IsSilent(ConnectionTable::Id id) const {
  const ConnectionTable::Connection* connection = table_.Find(id);
  return connection != nullptr && connection->state == ConnectionTable::State::kSilent;
}

void Acceptor::End(ConnectionTable::Id id, Farewell why) {
  const ConnectionTable::Connection connection = *table_.Find(id);
  if (connection.state == ConnectionTable::State::kSilent) {
    Reset(Fd(connection.fd));
  } else {
    // See the header for why it is duplicated before it is compared.
    Fd ours(::fcntl(connection.fd, F_DUPFD_CLOEXEC, 0));
    if (!ours.valid() && errno == EMFILE) {
      reserve_.Reset();
      ours = Fd(::fcntl(connection.fd, F_DUPFD_CLOEXEC, 0));
    }
    if (ours.valid() && CookieOf(ours.get()) == connection.cookie) {
      Abort(ours.get());
    }
    ours.Reset();
    if (!reserve_.valid()) reserve_ = OpenReserve();
  }
  table_.Remove(id);
  Tell(why, connection.peer);
}

void Acceptor::StrikeOffClosed() {
  struck_off_ns_ = clock_.MonotonicNs();
  for (const auto id : table_.HandedOver()) {
    const ConnectionTable::Connection* connection = table_.Find(id);
    if (CookieOf(connection->fd) != connection->cookie) table_.Remove(id);
  }
}

void Acceptor::Tell(Farewell why, const PeerAddress& peer) {
  const auto [count, what] = [&]() -> std::pair<uint64_t*, std::string_view> {
    switch (why) {
      case Farewell::kFull:
        return {&stats_.full, "refused: there are as many as may be"};
      case Farewell::kAddressFull:
        return {&stats_.address_full, "refused: there are as many of its address as may be"};
      case Farewell::kDisplaced:
        return {&stats_.displaced, "closed for a newer one: it had not made a call yet"};
      case Farewell::kSilent:
        return {&stats_.silent, "closed: it said nothing"};
      case Farewell::kNoCall:
        return {&stats_.no_call, "closed: its handshake led to no call"};
      case Farewell::kCalls:
        return {&stats_.calls, "closed: it makes more calls than a device does"};
      case Farewell::kDeviceFull:
        return {&stats_.device_full, "closed: its device has as many newer ones as may be"};
      case Farewell::kFlood:
        return {&stats_.flood, "closed: what it sends belongs to no message"};
      case Farewell::kNoFile:
        break;
    }
    return {&stats_.no_file, kOutOfFiles};
  }();
  ++*count;
  const std::string host = peer.HostText();
  if (const auto more = throttle_.Admit(fmt::format("connections from {} {}", host, what))) {
    LOG_WARN("devices' port: a connection from {} was {}{}", host, what, *more);
  }
}

ConnectionTable::Call Acceptor::NoteCall(std::string_view peer, bool held,
                                         const std::function<std::string()>& device) {
  const auto address = PeerAddress::FromGrpc(peer);
  if (!address) return {};
  std::unique_lock lock(mutex_);
  const ConnectionTable::Call call = table_.NoteCall(*address, clock_.MonotonicNs(), held);
  if (call.too_many) {
    End(call.id, Farewell::kCalls);
  } else if (call.first && device != nullptr) {
    lock.unlock();  // a certificate takes a while to read
    const std::string name = device();
    lock.lock();
    if (const auto old = table_.NoteDevice(call.id, name)) End(*old, Farewell::kDeviceFull);
  }
  return call;
}

void Acceptor::NoteCallEnd(ConnectionTable::Id connection) {
  std::lock_guard lock(mutex_);
  table_.NoteCallEnd(connection);
}

absl::Status Acceptor::Check() {
  if (!serving_) return absl::UnavailableError("the devices' port is closed");
  return probe_.Check(address_);
}

AcceptorStats Acceptor::stats() {
  std::lock_guard lock(mutex_);
  StrikeOffClosed();
  stats_.open = table_.counts();
  return stats_;
}

}  // namespace gleaner::cloud
