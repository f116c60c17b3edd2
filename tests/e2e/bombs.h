// Messages that are small on the wire and large in memory, and peers that send them.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <memory>
#include <string>

#include "tests/data/pki.h"

namespace gleaner::e2e {

// A string field of so many zeros, gzipped a thousand to one: a message that says it is compressed.
grpc::ByteBuffer GzipBomb(size_t bytes);
// A list of so many empty messages, two bytes each, as field `field` of a message.
grpc::ByteBuffer ListBomb(int field, size_t messages);

// Calls `method` ("/gleaner.v1.FleetService/Hello") with bytes that no stub would send.
// `compressed`: say so.
grpc::Status Throw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                   const grpc::ByteBuffer& bomb, bool compressed);

// A server that answers every call, whatever it is, with one and the same bomb.
class BombServer : public grpc::CallbackGenericService {
 public:
  BombServer(int port, TestPki& pki, grpc::ByteBuffer bomb, bool compressed);
  ~BombServer() override;
  int thrown() const { return thrown_; }

 private:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

  const grpc::ByteBuffer bomb_;
  const bool compressed_;
  std::atomic<int> thrown_{0};
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace gleaner::e2e
