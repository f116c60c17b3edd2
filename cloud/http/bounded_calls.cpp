#include "cloud/http/bounded_calls.h"

#include <algorithm>
#include <optional>

#include "cloud/database/read_bound.h"
#include "grpcpp/server_context.h"

namespace gleaner::cloud {
namespace {

namespace rpc = grpc::experimental;

class BoundedCall : public rpc::Interceptor {
 public:
  explicit BoundedCall(grpc::ServerContextBase* context) : context_(context) {}

  void Intercept(rpc::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(rpc::InterceptionHookPoints::POST_RECV_MESSAGE)) {
      const auto left = context_->deadline() - std::chrono::system_clock::now();
      const auto most = std::min<std::chrono::nanoseconds>(left, kMostOfARead);
      bound_.emplace(ReadBound::Clock::now() + most, [this] { return context_->IsCancelled(); });
    }
    if (methods->QueryInterceptionHookPoint(rpc::InterceptionHookPoints::PRE_SEND_STATUS)) {
      bound_.reset();
    }
    methods->Proceed();
  }

 private:
  grpc::ServerContextBase* const context_;
  std::optional<ReadBound> bound_;
};

class Factory : public rpc::ServerInterceptorFactoryInterface {
 public:
  rpc::Interceptor* CreateServerInterceptor(rpc::ServerRpcInfo* info) override {
    return new BoundedCall(info->server_context());
  }
};

}  // namespace

std::vector<std::unique_ptr<rpc::ServerInterceptorFactoryInterface>> BoundedCalls() {
  std::vector<std::unique_ptr<rpc::ServerInterceptorFactoryInterface>> factories;
  factories.push_back(std::make_unique<Factory>());
  return factories;
}

}  // namespace gleaner::cloud
