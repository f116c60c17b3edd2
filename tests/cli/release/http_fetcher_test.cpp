// Servers that are not honest about HTTP itself; what they say within it is in attacks_test.cpp.
#include "cli/release/http_fetcher.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "common/file.h"
#include "common/status.h"

namespace gleaner::cli {
namespace {

using testing::HasSubstr;

// Answers whoever connects first with `begin` and then `more`, again and again, until it hangs up.
class EndlessServer {
 public:
  EndlessServer(std::string begin, std::string more)
      : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listening_.get(), 1), 0);
    ::getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    url_ = fmt::format("http://127.0.0.1:{}/releases", ntohs(address.sin_port));
    thread_ = std::thread([this, begin = std::move(begin), more = std::move(more)] {
      const Fd peer(::accept(listening_.get(), nullptr, nullptr));
      const auto send = [&peer](const std::string& text) {
        return ::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL) > 0;
      };
      if (!send(begin)) return;
      while (sent_ < kFarBeyond && send(more)) sent_ += more.size();
    });
  }
  ~EndlessServer() {
    ::shutdown(listening_.get(), SHUT_RDWR);
    thread_.join();
  }
  const std::string& url() const { return url_; }

 private:
  static constexpr size_t kFarBeyond = 64 << 20;
  const Fd listening_;
  std::string url_;
  size_t sent_ = 0;
  std::thread thread_;
};

TEST(HttpFetcher, AHeadWithoutEndIsEnded) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  struct Case {
    std::string begin, more;
  };
  for (const auto& [begin, more] :
       {Case{ok, "A: " + std::string(1000, 'a') + "\r\n"}, Case{ok + "A: ", std::string(1000, 'a')},
        Case{"HTTP/1.1 200 ", std::string(1000, 'a')}, Case{"", "HTTP/1.1 100 Continue\r\n\r\n"}}) {
    EndlessServer server(begin, more);
    const auto fetcher = HttpFetcher::Connect(server.url(), "").value();
    const absl::Status status = fetcher->Fetch(
        "1.root.json", [](std::string_view) { return absl::InternalError("there is no body"); });
    EXPECT_TRUE(absl::IsUnavailable(status)) << begin << more << ": " << status;
    EXPECT_THAT(std::string(Message(status)), HasSubstr(server.url()));
  }
}

TEST(HttpFetcher, AnAddressThatIsNoneIsRefused) {
  for (const char* url : {"", "x", "ftp://x/y", "file:///etc/passwd", "http://", "http:///x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(HttpFetcher::Connect(url, "").status())) << url;
  }
}

}  // namespace
}  // namespace gleaner::cli
