// TLS in front of a test camera, with a certificate that nobody has signed, as cameras have it.
#pragma once

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "common/file.h"
#include "fmt/format.h"

namespace gleaner::edge {

// Passes the bytes of one connection after the other on to a port of this machine.
class TlsFront {
 public:
  TlsFront(const std::filesystem::path& folder, int to_port) : to_port_(to_port) {
    const std::string key = folder / "camera.key", certificate = folder / "camera.pem";
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    if (std::system(
            fmt::format("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=camera -keyout "
                        "{} -out {} -days 1 2>/dev/null",
                        key, certificate)
                .c_str()) != 0) {
      std::abort();
    }
    context_ = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate_file(context_, certificate.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context_, key.c_str(), SSL_FILETYPE_PEM);
    listener_ = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof address;
    bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size);
    listen(listener_.get(), 8);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~TlsFront() {
    stopped_ = true;
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    SSL_CTX_free(context_);
  }

  int port() const { return port_; }

 private:
  static sockaddr_in Loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    return address;
  }

  void Serve() {
    while (!stopped_) {
      const Fd client(accept(listener_.get(), nullptr, nullptr));
      if (!client.valid()) return;
      const Fd camera(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const sockaddr_in to = Loopback(to_port_);
      SSL* tls = SSL_new(context_);
      SSL_set_fd(tls, client.get());
      if (SSL_accept(tls) == 1 &&
          connect(camera.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) {
        Pass(tls, client.get(), camera.get());
      }
      SSL_free(tls);
    }
  }

  void Pass(SSL* tls, int client, int camera) {
    std::vector<char> bytes(16 << 10);
    while (!stopped_) {
      pollfd polls[] = {{client, POLLIN, 0}, {camera, POLLIN, 0}};
      poll(polls, 2, 50);
      if (polls[0].revents != 0 || SSL_pending(tls) > 0) {
        const int size = SSL_read(tls, bytes.data(), static_cast<int>(bytes.size()));
        if (size <= 0) return;
        send(camera, bytes.data(), static_cast<size_t>(size), MSG_NOSIGNAL);
      }
      if (polls[1].revents != 0) {
        const ssize_t size = recv(camera, bytes.data(), bytes.size(), 0);
        if (size <= 0) return;
        if (SSL_write(tls, bytes.data(), static_cast<int>(size)) <= 0) return;
      }
    }
  }

  const int to_port_;
  SSL_CTX* context_ = nullptr;
  Fd listener_;
  int port_ = 0;
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

}  // namespace gleaner::edge
