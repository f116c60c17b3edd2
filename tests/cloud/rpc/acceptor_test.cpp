#include "cloud/rpc/acceptor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "common/status.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;

constexpr int kDeadlineMs = 60'000;  // of what comes at once unless something is broken

// Connected, whether or not anybody has accepted it yet.
class Client {
 public:
  explicit Client(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_storage to;
    const socklen_t size = ListenAddress{"127.0.0.1", port}.Fill(&to);
    if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&to), size) != 0)
      std::perror("connect");
  }
  void Say() { EXPECT_EQ(::send(socket_.get(), "x", 1, MSG_NOSIGNAL), 1); }
  // Waits until the server has closed it.
  bool IsClosed() {
    pollfd end{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    char byte = 0;
    return ::poll(&end, 1, kDeadlineMs) == 1 && ::recv(socket_.get(), &byte, 1, 0) <= 0;
  }
  // So far.
  bool IsOpen() {
    char byte = 0;
    return ::recv(socket_.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }
  // As gRPC says it.
  std::string Name() const {
    sockaddr_storage own{};
    socklen_t size = sizeof(own);
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&own), &size);
    return "ipv4:" + PeerAddress::Of(own)->ToString();
  }

 private:
  Fd socket_;
};

class AcceptorTest : public testing::Test {
 protected:
  AcceptorTest() { limits_ = {.all = 8, .per_address = 8}; }
  ~AcceptorTest() override {
    if (acceptor_ != nullptr) acceptor_->Stop();
  }

  void Listen() { acceptor_ = *Acceptor::Listen({"127.0.0.1", 0}, limits_, clock_); }
  void Start() {
    if (acceptor_ == nullptr) Listen();
    acceptor_->Start([this](int fd) {
      std::lock_guard lock(mutex_);
      taken_.emplace_back(fd);
      changed_.notify_all();
    });
  }
  Client Connect() { return Client(acceptor_->port()); }
  // Of the connections that were handed over, the newest, once there are `count`.
  int Taken(size_t count) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::milliseconds(kDeadlineMs),
                           [&] { return taken_.size() >= count; })) {
      ADD_FAILURE() << "nobody was handed over";
      return -1;
    }
    return taken_.back().get();
  }
  bool Eventually(const std::function<bool(const AcceptorStats&)>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kDeadlineMs);
    while (!condition(acceptor_->stats())) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  FakeClock clock_;
  ConnectionLimits limits_;
  std::unique_ptr<Acceptor> acceptor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Fd> taken_;
};

TEST_F(AcceptorTest, HandsAConnectionOverWhenItsPeerSpeaks) {
  Start();
  Client silent = Connect(), speaks = Connect();
  speaks.Say();
  char byte = 0;
  EXPECT_EQ(::recv(Taken(1), &byte, 1, 0), 1);
  EXPECT_EQ(byte, 'x');  // nothing of it was read on the way
  EXPECT_TRUE(silent.IsOpen());
  EXPECT_TRUE(Eventually([](const auto& stats) {
    return stats.accepted == 2 && stats.open.silent == 1 && stats.open.handshake == 1;
  }));
}

TEST_F(AcceptorTest, ClosesWhatSaysNothingInTime) {
  Start();
  Client client = Connect();
  ASSERT_TRUE(Eventually([](const auto& stats) { return stats.open.silent == 1; }));
  clock_.Advance(limits_.first_call_ns);
  EXPECT_TRUE(client.IsClosed());
  EXPECT_EQ(acceptor_->stats().silent, 1u);
}

TEST_F(AcceptorTest, ClosesWhatMakesNoCallInTime) {
  Start();
  Client stalls = Connect(), calls = Connect();
  stalls.Say();
  Taken(1);
  calls.Say();
  Taken(2);
  acceptor_->NoteCall(calls.Name());
  clock_.Advance(limits_.first_call_ns);
  EXPECT_TRUE(stalls.IsClosed());
  EXPECT_EQ(acceptor_->stats().no_call, 1u);
  EXPECT_EQ(acceptor_->stats().open.in_use, 1u);
  EXPECT_TRUE(calls.IsOpen());
}

// gRPC closes without a word, and the next file that anybody opens has the number.
TEST_F(AcceptorTest, NeverEndsAnotherConnectionThatHasTheNumberByNow) {
  Start();
  Client client = Connect(), other = Connect();
  client.Say();
  const int number = Taken(1);
  other.Say();
  ASSERT_EQ(::dup2(Taken(2), number), number);
  for (int64_t i = 0; i <= limits_.calls_in_a_row; ++i) acceptor_->NoteCall(client.Name());
  // None, if it was struck off before its calls came.
  EXPECT_LE(acceptor_->stats().calls, 1u);
  EXPECT_TRUE(other.IsOpen());
}

TEST_F(AcceptorTest, WhoHoldsManyConnectionsOpenKeepsNobodyOut) {
  Start();
  Client device = Connect();
  device.Say();
  Taken(1);
  acceptor_->NoteCall(device.Name());
  std::vector<Client> bare;
  for (int i = 0; i < 200; ++i) bare.push_back(Connect());
  Client another = Connect();
  another.Say();
  Taken(2);
  // Four may be strangers.
  for (int i = 0; i < 190; ++i) EXPECT_TRUE(bare[static_cast<size_t>(i)].IsClosed()) << i;
  EXPECT_TRUE(device.IsOpen() && another.IsOpen());
  EXPECT_GE(acceptor_->stats().displaced, 190u);
}

TEST_F(AcceptorTest, RefusesWhenAllAreInUse) {
  Start();
  std::vector<Client> devices;
  for (size_t i = 1; i <= 8; ++i) {
    devices.push_back(Connect());
    devices.back().Say();
    Taken(i);
    acceptor_->NoteCall(devices.back().Name());
  }
  EXPECT_TRUE(Connect().IsClosed());
  EXPECT_EQ(acceptor_->stats().address_full, 1u);
  EXPECT_EQ(acceptor_->stats().open.in_use, 8u);
  // When one of them goes, another may come.
  {
    std::lock_guard lock(mutex_);
    taken_.pop_back();
  }
  ASSERT_TRUE(Eventually([](const auto& stats) { return stats.open.in_use == 7; }));
  Client late = Connect();
  late.Say();
  Taken(8);
  EXPECT_TRUE(late.IsOpen());
}

TEST_F(AcceptorTest, ANumberThatBelongsToAnotherByNowIsLeftAlone) {
  Start();
  Client client = Connect();
  client.Say();
  const int number = Taken(1);
  taken_.clear();  // as gRPC would: it tells nobody
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const Fd left(pair[0]), right(pair[1]);
  ASSERT_TRUE(pair[0] == number || pair[1] == number);
  clock_.Advance(limits_.first_call_ns);
  Client next = Connect();  // wakes the acceptor
  ASSERT_TRUE(Eventually(
      [](const auto& stats) { return stats.accepted == 2 && stats.open.handshake == 0; }));
  EXPECT_EQ(::send(left.get(), "y", 1, MSG_NOSIGNAL), 1);
  char byte = 0;
  EXPECT_EQ(::recv(right.get(), &byte, 1, MSG_DONTWAIT), 1);
}

// The soft limit of open files while it lives: as many as there are, and `more`; or fewer than
// there are, so that not even a number that becomes free can be used again.
class FewFiles {
 public:
  static constexpr int kNone = -1'000'000;
  explicit FewFiles(int more) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const Fd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    rlimit few = before_;
    few.rlim_cur = static_cast<rlim_t>(std::max(3, next.get() + more));
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(AcceptorTest, OutOfFilesASilentConnectionMakesRoomForANewOne) {
  limits_ = {.all = 1000, .per_address = 1000};
  Listen();
  std::vector<Client> bare;
  for (int i = 0; i < 50; ++i) bare.push_back(Connect());
  Client device = Connect();
  device.Say();
  {
    FewFiles few(/*more=*/10);
    Start();
    Taken(1);
    EXPECT_TRUE(bare.front().IsClosed());
    EXPECT_TRUE(device.IsOpen());
  }
  EXPECT_GE(acceptor_->stats().displaced, 40u);
  EXPECT_EQ(acceptor_->stats().pauses, 0u);
}

TEST_F(AcceptorTest, OutOfFilesWithNobodySilentIsToldToTheNewOneAndPasses) {
  limits_ = {.all = 1000, .per_address = 1000};
  Listen();
  std::vector<Client> busy;
  for (int i = 0; i < 20; ++i) {
    busy.push_back(Connect());
    busy.back().Say();
  }
  {
    FewFiles few(/*more=*/10);
    Start();
    EXPECT_TRUE(Eventually([](const auto& stats) { return stats.no_file > 0; }));
    EXPECT_TRUE(Eventually([](const auto& stats) { return stats.accepted == 20; }));
  }
  Client late = Connect();
  late.Say();
  Taken(static_cast<size_t>(20 - acceptor_->stats().no_file + 1));
  EXPECT_TRUE(late.IsOpen());
  EXPECT_TRUE(acceptor_->Check().ok());
}

TEST_F(AcceptorTest, WithNoFileAtAllItPausesAndComesBack) {
  Listen();
  Client first = Connect();
  first.Say();
  {
    FewFiles none(FewFiles::kNone);
    Start();
    ASSERT_TRUE(Eventually([](const auto& stats) { return stats.pauses > 1; }));
    EXPECT_FALSE(acceptor_->Check().ok());
  }
  Taken(1);
  EXPECT_TRUE(first.IsOpen());
  EXPECT_TRUE(acceptor_->Check().ok());
}

TEST_F(AcceptorTest, KnowsWhetherItAccepts) {
  Listen();
  EXPECT_THAT(acceptor_->Check().ToString(), HasSubstr("closed"));
  Start();
  EXPECT_TRUE(acceptor_->Check().ok());
  EXPECT_TRUE(acceptor_->Check().ok());
  EXPECT_EQ(acceptor_->stats().accepted, 0u);  // it doesn't count itself
  acceptor_->Stop();
  EXPECT_FALSE(acceptor_->Check().ok());
}

TEST_F(AcceptorTest, StopsWithWhateverIsThere) {
  Start();
  Client silent = Connect(), speaks = Connect();
  speaks.Say();
  Taken(1);
  ASSERT_TRUE(Eventually([](const auto& stats) { return stats.open.silent == 1; }));
  acceptor_->Stop();
  EXPECT_TRUE(silent.IsClosed());
  EXPECT_TRUE(speaks.IsOpen());  // somebody else's by now
  acceptor_->Stop();
}

TEST_F(AcceptorTest, APortInUseIsNamed) {
  Listen();
  const auto second = Acceptor::Listen({"127.0.0.1", acceptor_->port()}, limits_, clock_);
  EXPECT_THAT(std::string(Message(second.status())),
              HasSubstr(fmt::format("127.0.0.1:{}: Address already in use", acceptor_->port())));
}

}  // namespace
}  // namespace gleaner::cloud
