#include "cli/unreachable.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "common/file.h"

namespace gleaner::cli {
namespace {

// 0, or the errno that says why there is no connection to `address`.
int TryConnect(const addrinfo& address, int timeout_ms) {
  const Fd fd(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno;
  if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd wait{fd.get(), POLLOUT, 0};
  if (::poll(&wait, 1, timeout_ms) == 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof(error);
  return ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace

std::pair<std::string, std::string> HostAndPort(const std::string& url) {
  const std::string rest = url.substr(url.find("://") + 3);
  const size_t bracket = rest.find(']');
  const size_t colon = rest.find(':', bracket == std::string::npos ? 0 : bracket);
  std::string host = rest.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (colon != std::string::npos) return {host, rest.substr(colon + 1)};
  return {host, url.starts_with("https") ? "443" : "80"};
}

absl::Status NoAnswerWithin(const std::string& url, int timeout_s) {
  return absl::DeadlineExceededError(
      fmt::format("can't reach {}: no answer within {} s. A firewall may be in between, or the "
                  "address is another machine's",
                  url, timeout_s));
}

absl::Status WhyUnreachable(const std::string& url, int timeout_s, ServerOf server) {
  const bool gleaner = server == ServerOf::kGleaner;
  const auto [host, port] = HostAndPort(url);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return absl::UnavailableError(fmt::format(
        "can't reach {}: the name \"{}\" is not known ({}). {}", url, host, ::gai_strerror(error),
        gleaner ? "--server or GLEANER_SERVER says where the server is"
                : "Is the address of the releases right?"));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  int error = ETIMEDOUT;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    error = TryConnect(*address, timeout_s * 1000);
    if (error == 0) break;
  }
  switch (error) {
    case 0:
      return absl::UnavailableError(
          fmt::format("the connection to {} was lost before it stood; try again", url));
    case ECONNREFUSED:
      return absl::UnavailableError(
          fmt::format("can't reach {}: nobody answers there. {}", url,
                      gleaner ? "Is gleaner-cloud running? --server or GLEANER_SERVER says where "
                                "it is"
                              : "Is the address of the releases right, and the web server that "
                                "has them running?"));
    case ETIMEDOUT:
      return NoAnswerWithin(url, timeout_s);
    default:
      return absl::UnavailableError(
          fmt::format("can't reach {}: {}. Is this machine on the server's network?", url,
                      ::strerrordesc_np(error)));
  }
}

}  // namespace gleaner::cli
