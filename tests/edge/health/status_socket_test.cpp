#include "edge/health/status_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <thread>
#include <vector>

#include "common/status.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;

class StatusSocketTest : public ::testing::Test {
 protected:
  // Answers with a status that names `device` until the test ends.
  std::jthread Serve(std::string device) {
    auto socket = StatusSocket::Listen(Folder());
    EXPECT_TRUE(socket.ok()) << socket.status();
    return std::jthread(
        [this, device, socket = *std::move(socket)](const std::stop_token& stop) mutable {
          socket.Run(stop, [&] {
            v1::DeviceStatus status;
            status.set_device(device);
            if (asked_++ == 0) status.set_site(std::string(first_bytes_, 'x'));
            return status;
          });
        });
  }
  std::string Folder() const { return folder_ / "spool"; }
  // A client that says nothing and takes nothing.
  Fd Connect() const {
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    (Folder() + "/status.sock").copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }

  void SetUp() override { std::filesystem::create_directory(Folder()); }

  gleaner::TemporaryFolder folder_;
  std::atomic<int> asked_ = 0;
  size_t first_bytes_ = 0;  // more, in the first answer
};

TEST_F(StatusSocketTest, HandsTheStatusOfTheMomentToEveryoneWhoAsks) {
  const std::jthread server = Serve("cart-1");
  for (int i = 0; i < 20; ++i) {
    const auto status = AskDaemon(Folder());
    ASSERT_TRUE(status.ok()) << status.status();
    EXPECT_EQ(status->device(), "cart-1");
  }
  EXPECT_EQ(asked_, 20);
}

TEST_F(StatusSocketTest, WithoutADaemonItSaysThatNoneRuns) {
  EXPECT_TRUE(absl::IsNotFound(AskDaemon(Folder()).status())) << "never one";
  { const std::jthread server = Serve("cart-1"); }
  ASSERT_TRUE(std::filesystem::exists(Folder() + "/status.sock"));
  EXPECT_EQ(AskDaemon(Folder()).status(), absl::NotFoundError("the daemon is not running"))
      << "its socket is left";
  EXPECT_TRUE(absl::IsNotFound(AskDaemon(folder_ / "nowhere").status()));
  // The next one takes the place of what is left.
  const std::jthread server = Serve("cart-2");
  EXPECT_EQ(AskDaemon(Folder())->device(), "cart-2");
}

TEST_F(StatusSocketTest, ADaemonThatGivesNoAnswerIsNotTakenForNone) {
  const auto socket = StatusSocket::Listen(Folder());  // and nobody runs it
  EXPECT_TRUE(absl::IsDeadlineExceeded(AskDaemon(Folder(), /*timeout_ms=*/50).status()));
}

TEST_F(StatusSocketTest, OneWhoTakesNothingDoesNotKeepTheOthersWaiting) {
  first_bytes_ = 4 << 20;  // than a socket takes at once
  std::jthread server = Serve("cart-1");
  const Fd silent = Connect();
  while (asked_ == 0) std::this_thread::yield();
  EXPECT_EQ(AskDaemon(Folder())->device(), "cart-1");
  // And one that goes away in the middle.
  { const Fd gone = Connect(); }
  EXPECT_EQ(AskDaemon(Folder())->device(), "cart-1");
}

TEST_F(StatusSocketTest, StopsWhileNobodyAsks) {
  std::jthread server = Serve("cart-1");
  server.request_stop();
  server.join();
}

TEST_F(StatusSocketTest, IsForItsOwnUserOnly) {
  const auto socket = StatusSocket::Listen(Folder());
  struct stat info {};
  ASSERT_EQ(::stat((Folder() + "/status.sock").c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(StatusSocketTest, TheFoldersPathMayBeLong) {
  std::string deep = Folder();
  for (int i = 0; i < 5; ++i) deep += "/" + std::string(100, 'd');
  std::filesystem::create_directories(deep);
  auto socket = StatusSocket::Listen(deep);
  ASSERT_TRUE(socket.ok()) << socket.status();
  const std::jthread server([&](const std::stop_token& stop) {
    socket->Run(stop, [] {
      v1::DeviceStatus status;
      status.set_device("deep");
      return status;
    });
  });
  EXPECT_EQ(AskDaemon(deep)->device(), "deep");
}

TEST_F(StatusSocketTest, WhatIsNoAnswerIsSaidToBeNone) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  (Folder() + "/status.sock").copy(address.sun_path, sizeof(address.sun_path) - 1);
  const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  for (const std::string& answer : {std::string(), std::string("\xff\xff\xff")}) {
    auto asked = std::async(std::launch::async, [this] { return AskDaemon(Folder()); });
    {
      const Fd peer(::accept(listener.get(), nullptr, nullptr));
      ASSERT_EQ(::write(peer.get(), answer.data(), answer.size()),
                static_cast<ssize_t>(answer.size()));
    }
    EXPECT_TRUE(absl::IsDataLoss(asked.get().status()));
  }
}

}  // namespace
}  // namespace gleaner::edge
