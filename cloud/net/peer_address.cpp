#include "cloud/net/peer_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace gleaner::cloud {
namespace {

constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// RFC 3986, 2.1. A percent sign that introduces nothing stays.
std::string PercentDecoded(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    uint8_t byte = 0;
    const char* digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      plain += static_cast<char>(byte);
      i += 2;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

}  // namespace

std::optional<PeerAddress> PeerAddress::Of(const sockaddr_storage& address) {
  PeerAddress peer;
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    std::copy(kMapped.begin(), kMapped.end(), peer.host.begin());
    std::memcpy(peer.host.data() + kMapped.size(), &v4.sin_addr, sizeof(v4.sin_addr));
    peer.port = ntohs(v4.sin_port);
    return peer;
  }
  if (address.ss_family != AF_INET6) return std::nullopt;
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  std::memcpy(peer.host.data(), &v6.sin6_addr, peer.host.size());
  peer.port = ntohs(v6.sin6_port);
  return peer;
}

std::optional<PeerAddress> PeerAddress::FromGrpc(std::string_view text) {
  const bool is_v6 = text.starts_with("ipv6:");
  if (!is_v6 && !text.starts_with("ipv4:")) return std::nullopt;
  const std::string plain = PercentDecoded(text.substr(5));
  const size_t colon = plain.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  std::string host = plain.substr(0, colon);
  PeerAddress peer;
  const char* end = plain.data() + plain.size();
  const auto [after, error] = std::from_chars(plain.data() + colon + 1, end, peer.port);
  if (error != std::errc() || after != end) return std::nullopt;
  if (is_v6) {
    if (host.size() < 2 || host.front() != '[' || host.back() != ']') return std::nullopt;
    host = host.substr(1, host.size() - 2);
    host.resize(std::min(host.size(), host.find('%')));  // the interface, of a link-local address
    if (inet_pton(AF_INET6, host.c_str(), peer.host.data()) != 1) return std::nullopt;
    return peer;
  }
  std::copy(kMapped.begin(), kMapped.end(), peer.host.begin());
  if (inet_pton(AF_INET, host.c_str(), peer.host.data() + kMapped.size()) != 1) return std::nullopt;
  return peer;
}

bool PeerAddress::IsIpv4() const {
  return std::equal(kMapped.begin(), kMapped.end(), host.begin());
}

PeerAddress PeerAddress::Network() const {
  PeerAddress network{.host = host};
  if (!IsIpv4()) std::fill(network.host.begin() + 8, network.host.end(), 0);
  return network;
}

std::string PeerAddress::HostText() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (IsIpv4()) {
    inet_ntop(AF_INET, host.data() + kMapped.size(), text, sizeof(text));
  } else {
    inet_ntop(AF_INET6, host.data(), text, sizeof(text));
  }
  return text;
}

std::string PeerAddress::ToString() const {
  return IsIpv4() ? fmt::format("{}:{}", HostText(), port)
                  : fmt::format("[{}]:{}", HostText(), port);
}

}  // namespace gleaner::cloud
