#include "tests/data/http2_flood.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <csignal>
#include <stdexcept>

#include "tests/data/http2_frame.h"

namespace gleaner {
namespace {

using namespace http2;  // NOLINT(google-build-using-namespace): a format's words

constexpr int kPatienceS = 10;
constexpr std::string_view kHello = "/gleaner.v1.FleetService/Hello";
constexpr std::string_view kUpload = "/gleaner.v1.IngestService/Upload";

// Frames of one kind, enough of them to fill a TLS record.
std::string Many(const std::string& frame) {
  std::string piece;
  while (piece.size() + frame.size() < kMaxPayloadBytes) piece += frame;
  return piece;
}

// Once a beginning, then one and the same piece.
std::function<std::string(uint32_t)> Endless(std::string beginning, std::string piece) {
  return [beginning = std::move(beginning), piece = std::move(piece)](uint32_t n) {
    return n == 0 ? beginning : piece;
  };
}

std::string Hpack(std::string_view name, uint64_t value_bytes) {
  return Header(name, "").substr(0, 2 + name.size()) + HpackNumber(0, 7, value_bytes);
}

// Of a message of so many bytes, the head.
std::string MessageHead(uint32_t bytes) { return std::string(1, '\0') + BigEndian(bytes, 4); }

}  // namespace

std::vector<Http2Flood> Http2Floods(uint32_t first) {
  const std::string call = CallHeaders(kHello);
  const std::string bytes(kMaxPayloadBytes, 'a');
  const std::string open = Frame(kHeaders, kNone, first, call);
  const std::string upload = Frame(kHeaders, kEndHeaders, first, CallHeaders(kUpload));
  std::string headers;  // each of them short
  for (int i = 0; headers.size() < kMaxPayloadBytes - 32; ++i) {
    headers += Header("x-" + std::to_string(i), "some value");
  }
  return {
      {"a header without end", Endless(Frame(kHeaders, kNone, first, call + Hpack("x", 0xfffffff0)),
                                       Frame(kContinuation, kNone, first, bytes))},
      {"headers without end", Endless(open, Frame(kContinuation, kNone, first, headers))},
      {"one header again and again",
       Endless(open, Many(Frame(kContinuation, kNone, first, std::string(160, '\x8f'))))},
      {"a number without end",
       Endless(Frame(kHeaders, kNone, first, call + std::string("\0\x7f", 2)),
               Frame(kContinuation, kNone, first, std::string(kMaxPayloadBytes, '\x80')))},
      {"empty continuations", Endless(open, Many(Frame(kContinuation, kNone, first, "")))},
      {"pings", Endless("", Many(Frame(kPing, kNone, 0, "12345678")))},
      {"acknowledged pings", Endless("", Many(Frame(kPing, kAcknowledged, 0, "12345678")))},
      {"pings between data",
       Endless(upload, Many(Frame(kPing, kNone, 0, "12345678") + Frame(kData, kNone, first, "")))},
      {"settings",
       Endless("", Many(Frame(kSettings, kNone, 0, BigEndian(3, 2) + BigEndian(9, 4))))},
      {"empty settings", Endless("", Many(Frame(kSettings, kNone, 0, "")))},
      {"window updates", Endless("", Many(Frame(kWindowUpdate, kNone, 5, BigEndian(1, 4))))},
      {"priorities", Endless("", Many(Frame(kPriority, kNone, first, BigEndian(0, 5))))},
      {"resets of nothing", Endless(upload, Many(Frame(kRstStream, kNone, 99, BigEndian(8, 4))))},
      {"unknown frames", Endless("", Frame(static_cast<Type>(0xbb), kNone, 0, bytes))},
      {"empty data", Endless(upload, Many(Frame(kData, kNone, first, "")))},
      {"a message of 4 GB", Endless(upload + Frame(kData, kNone, first, MessageHead(0xffffffff)),
                                    Frame(kData, kNone, first, bytes))},
      {"sixteen messages of 4 GB",
       [first, bytes](uint32_t n) {
         const uint32_t stream = first + 2 * (n % 16);
         if (n >= 16) return Frame(kData, kNone, stream, bytes);
         return Frame(kHeaders, kEndHeaders, stream, CallHeaders(kUpload)) +
                Frame(kData, kNone, stream, MessageHead(0xffffffff));
       }},
      {"a table of 4 GB",
       [first, call](uint32_t n) {
         return Frame(kHeaders, kEndHeaders, first + 2 * n,
                      HpackNumber(0x20, 5, 0xffffffff) + call);
       }},
      {"tables in turn",
       Endless(Frame(kHeaders, kNone, first, ""),
               Frame(kContinuation, kNone, 1,
                     Many(HpackNumber(0x20, 5, 4096) + HpackNumber(0x20, 5, 0))))},
      {"long headers",
       [first, call, headers](uint32_t n) {
         return Frame(kHeaders, kEndStream, first + 2 * n, call) +
                Frame(kContinuation, kNone, first + 2 * n, headers) +
                Frame(kContinuation, kEndHeaders, first + 2 * n, headers);
       }},
      {"calls of nobody's",
       [first](uint32_t n) {
         return Frame(kHeaders, kEndStream | kEndHeaders, first + 2 * n, CallHeaders("/no/where"));
       }},
      {"calls taken back",
       [first, call](uint32_t n) {
         return Frame(kHeaders, kEndHeaders, first + 2 * n, call) +
                Frame(kRstStream, kNone, first + 2 * n, BigEndian(8, 4));
       }},
  };
}

Http2Flood Http2FloodNamed(const std::string& name, uint32_t first) {
  for (Http2Flood& flood : Http2Floods(first)) {
    if (flood.name == name) return flood;
  }
  throw std::runtime_error("there is no flood '" + name + "'");
}

RawHttp2Client::RawHttp2Client(int port, const TestPki::Identity& device)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free),
      tls_(nullptr, &SSL_free) {
  const sockaddr_in to{.sin_family = AF_INET,
                       .sin_port = htons(static_cast<uint16_t>(port)),
                       .sin_addr = {htonl(INADDR_LOOPBACK)},
                       .sin_zero = {}};
  ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  const timeval patience{.tv_sec = kPatienceS, .tv_usec = 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
    throw std::runtime_error("nobody listens on port " + std::to_string(port));
  }
  const auto pem = [](const std::string& text) {
    return std::unique_ptr<BIO, decltype(&BIO_free)>(
        BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
  };
  const auto certificate_text = pem(device.certificate), key_text = pem(device.key);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(certificate_text.get(), nullptr, nullptr, nullptr), &X509_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
  SSL_CTX_use_certificate(context_.get(), certificate.get());
  SSL_CTX_use_PrivateKey(context_.get(), key.get());
  constexpr std::array<unsigned char, 3> kProtocol = {2, 'h', '2'};
  SSL_CTX_set_alpn_protos(context_.get(), kProtocol.data(), kProtocol.size());
  tls_.reset(SSL_new(context_.get()));
  SSL_set_fd(tls_.get(), socket_.get());
  if (SSL_connect(tls_.get()) != 1 ||
      !Send(std::string(kPreface) + Frame(kSettings, kNone, 0, ""))) {
    throw std::runtime_error("the server ended the handshake");
  }
}

RawHttp2Client::~RawHttp2Client() = default;

bool RawHttp2Client::Send(const std::string& bytes) {
  // What the server says is thrown away unread, so that it is never held up.
  std::array<char, 65536> said;
  while (::recv(socket_.get(), said.data(), said.size(), MSG_DONTWAIT) > 0) {
  }
  return bytes.empty() || SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
}

uint64_t RawHttp2Client::Send(const Http2Flood& flood, uint64_t limit) {
  uint64_t sent = 0;
  for (uint32_t n = 0; sent < limit; ++n) {
    const std::string piece = flood.piece(n);
    if (!Send(piece)) break;
    sent += piece.size();
  }
  return sent;
}

}  // namespace gleaner
