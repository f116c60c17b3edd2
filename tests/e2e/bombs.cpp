#include "tests/e2e/bombs.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/server_builder.h>
#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace gleaner::e2e {
namespace {

std::string Varint(uint64_t value) {
  uint8_t bytes[10];
  const uint8_t* end = google::protobuf::io::CodedOutputStream::WriteVarint64ToArray(value, bytes);
  return {reinterpret_cast<const char*>(bytes), static_cast<size_t>(end - bytes)};
}

// A few bytes and then so many zeros, without ever holding them.
std::string GzipOf(const std::string& head, size_t zeros) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
  std::string packed;
  std::string piece(1 << 20, '\0');
  const auto pack = [&](const char* data, size_t size, int flush) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data));
    stream.avail_in = static_cast<uInt>(size);
    char out[65536];
    do {
      stream.next_out = reinterpret_cast<Bytef*>(out);
      stream.avail_out = sizeof(out);
      deflate(&stream, flush);
      packed.append(out, sizeof(out) - stream.avail_out);
    } while (stream.avail_out == 0);
  };
  pack(head.data(), head.size(), Z_NO_FLUSH);
  for (; zeros > 0; zeros -= std::min(zeros, piece.size())) {
    pack(piece.data(), std::min(zeros, piece.size()), Z_NO_FLUSH);
  }
  pack(nullptr, 0, Z_FINISH);
  deflateEnd(&stream);
  return packed;
}

class BombReactor : public grpc::ServerGenericBidiReactor {
 public:
  BombReactor(const grpc::ByteBuffer& bomb, std::atomic<int>& thrown) : bomb_(bomb) {
    ++thrown;
    StartWrite(&bomb_);
  }
  void OnWriteDone(bool) override { Finish(grpc::Status::OK); }
  void OnDone() override { delete this; }

 private:
  const grpc::ByteBuffer bomb_;
};

}  // namespace

grpc::ByteBuffer GzipBomb(size_t bytes) {
  // Field 4 is a string in HelloRequest, a message or unknown elsewhere: nobody gets that far.
  const std::string packed = GzipOf("\x22" + Varint(bytes), bytes);
  grpc_slice slice = grpc_slice_from_copied_buffer(packed.data(), packed.size());
  grpc_byte_buffer* raw = grpc_raw_compressed_byte_buffer_create(&slice, 1, GRPC_COMPRESS_GZIP);
  grpc_slice_unref(slice);
  // gRPC's C++ has no word for bytes that are compressed already; this is all that is in its class.
  grpc::ByteBuffer buffer;
  static_assert(sizeof(buffer) == sizeof(raw));
  *reinterpret_cast<grpc_byte_buffer**>(&buffer) = raw;
  return buffer;
}

grpc::ByteBuffer ListBomb(int field, size_t messages) {
  std::string bytes;
  const std::string one = Varint(static_cast<uint64_t>(field) << 3 | 2) + '\0';
  for (size_t i = 0; i < messages; ++i) bytes += one;
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

grpc::Status Throw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                   const grpc::ByteBuffer& bomb, bool compressed) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  if (compressed) context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel);
  const auto call = stub.PrepareUnaryCall(&context, method, bomb, &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  return status;
}

BombServer::BombServer(int port, TestPki& pki, grpc::ByteBuffer bomb, bool compressed)
    : bomb_(std::move(bomb)), compressed_(compressed) {
  const TestPki::Identity own = pki.Server();
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_root_certs = pki.ca();
  tls.pem_key_cert_pairs.push_back({own.key, own.certificate});
  grpc::ServerBuilder builder;
  builder.AddListeningPort(fmt::format("127.0.0.1:{}", port), grpc::SslServerCredentials(tls));
  builder.RegisterCallbackGenericService(this);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) throw std::runtime_error("the bomb server can't listen");
}

BombServer::~BombServer() { server_->Shutdown(std::chrono::system_clock::now()); }

grpc::ServerGenericBidiReactor* BombServer::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  if (compressed_) context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
  return new BombReactor(bomb_, thrown_);
}

}  // namespace gleaner::e2e
