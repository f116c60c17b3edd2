#include "cloud/rpc/device_server.h"

#include <fmt/format.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_interceptor.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "cloud/net/descriptor_limit.h"
#include "cloud/rpc/identity.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

// A ledger report of a full spool; each call has bounds of its own below this.
constexpr int kMaxMessageBytes = 2 << 20;
constexpr int kMaxReadBytes = 256 << 10;
// What else the process may have open: the page's connections, catalog and blobs, the media
// workers' pipes, and connections that gRPC has yet to close.
constexpr size_t kOtherFiles = 768;
constexpr size_t kFewestConnections = 16;

// While it lives, a call is under way; it tells the connection's intake what the call is given.
class CallUnderWay : public grpc::experimental::Interceptor {
 public:
  CallUnderWay(Acceptor& acceptor, ConnectionTable::Call call, bool unary)
      : acceptor_(acceptor), call_(std::move(call)), unary_(unary) {
    call_.intake->NoteCall();
    SetBusy(!unary_);  // until it asks for its first message
  }
  ~CallUnderWay() override {
    SetBusy(false);
    if (unary_) acceptor_.NoteCallEnd(call_.id);
  }
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using enum grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(PRE_RECV_MESSAGE)) SetBusy(false);
    if (methods->QueryInterceptionHookPoint(POST_RECV_MESSAGE)) {
      const auto* message = static_cast<const grpc::ByteBuffer*>(methods->GetRecvMessage());
      if (message != nullptr) call_.intake->NoteMessage(message->Length());
      SetBusy(!unary_);
    }
    methods->Proceed();
  }

 private:
  void SetBusy(bool busy) {
    if (busy_.exchange(busy) == busy) return;
    if (busy) {
      call_.intake->NoteBusy();
    } else {
      call_.intake->NoteWaiting();
    }
  }

  Acceptor& acceptor_;
  const ConnectionTable::Call call_;
  const bool unary_;
  std::atomic<bool> busy_ = false;
};

// Tells the acceptor of each call before it begins, and of a unary one when it ends. Of streams,
// which carry the bytes, a device has one (see IngestService), and they don't count as at once.
class CallWatch : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  CallWatch(Acceptor& acceptor, bool plaintext) : acceptor_(acceptor), plaintext_(plaintext) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    const grpc::ServerContextBase& context = *info->server_context();
    const bool unary = info->type() == grpc::experimental::ServerRpcInfo::Type::UNARY;
    auto call = acceptor_.NoteCall(context.peer(), unary,
                                   [&] { return DeviceName(context, plaintext_).value_or(""); });
    return call.id != 0 ? new CallUnderWay(acceptor_, std::move(call), unary) : nullptr;
  }

 private:
  Acceptor& acceptor_;
  const bool plaintext_;
};

ConnectionLimits WithinDescriptors(ConnectionLimits limits) {
  const size_t files = DescriptorLimit();
  const size_t room = std::max(kFewestConnections, files - std::min(files, kOtherFiles));
  if (limits.all > room) {
    LOG_WARN(
        "at most {} devices can be connected at once, not {}: the process may have {} files open "
        "(LimitNOFILE= in its unit, ulimit -n)",
        room, limits.all, files);
    limits.all = room;
  }
  limits.per_address = std::min(limits.per_address, limits.all);
  return limits;
}

void Bound(grpc::ServerBuilder& builder, const DeviceServerOptions& options) {
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  builder.SetResourceQuota(
      grpc::ResourceQuota("devices").Resize(static_cast<size_t>(options.memory_bytes)));
  // Refused by the first, with a status that says why; were one to slip through, the second leaves
  // it as it came.
  builder.AddChannelArgument(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET,
                             1 << GRPC_COMPRESS_NONE);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  // A device needs one stream and a unary call or two at a time. A peer that doesn't agree to this
  // is held to ConnectionLimits.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 16);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 8 << 10);
  // What is read at once is parsed before anybody can stop it, and a flood's frames take up to
  // eighty times their bytes.
  builder.AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kMaxReadBytes);
  // Devices ping every 30 s; a connection that answers no ping for 20 s is dead.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 15'000);
  // A new handshake an hour, so that replaced files take effect for every device.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, 3'600'000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 30'000);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceServer>> DeviceServer::Start(
    const DeviceServerOptions& options, const std::vector<grpc::Service*>& services, Clock& clock) {
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
  if (!options.plaintext) {
    ASSIGN_OR_RETURN(credentials, MakeTlsCredentials(options.tls));
  }
  ASSIGN_OR_RETURN(auto acceptor,
                   Acceptor::Listen(options.listen, WithinDescriptors(options.connections), clock,
                                    options.floods));
  std::unique_ptr<DeviceServer> server(new DeviceServer(std::move(acceptor)));

  grpc::ServerBuilder builder;
  Bound(builder, options);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> watches;
  watches.push_back(std::make_unique<CallWatch>(*server->acceptor_, options.plaintext));
  builder.experimental().SetInterceptorCreators(std::move(watches));
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::shared_ptr<grpc::experimental::ExternalConnectionAcceptor> door =
      builder.experimental().AddExternalConnectionAcceptor(
          grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr) return absl::InternalError("the devices' server does not start");
  server->acceptor_->Start([door](int fd) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = fd;
    door->HandleNewConnection(&connection);
  });
  return server;
}

DeviceServer::~DeviceServer() { Stop(std::chrono::milliseconds(0)); }

void DeviceServer::Stop(std::chrono::milliseconds grace) {
  // First: what gRPC is handed after its end it leaves open.
  acceptor_->Stop();
  if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now() + grace);
}

}  // namespace gleaner::cloud
