#include "cloud/http/bounded_calls.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "cloud/database/read_bound.h"
#include "cloud/http/gateway.h"
#include "gleaner/v1/jobs.grpc.pb.h"
#include "grpcpp/channel.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"

namespace gleaner::cloud {
namespace {

using std::chrono::seconds;

class BoundedCallsTest : public testing::Test, public v1::JobsService::Service {
 protected:
  BoundedCallsTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(static_cast<v1::JobsService::Service*>(this));
    builder.experimental().SetInterceptorCreators(BoundedCalls());
    server_ = builder.BuildAndStart();
    stub_ = v1::JobsService::NewStub(server_->InProcessChannel({}));
  }
  ~BoundedCallsTest() override { server_->Shutdown(); }

  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest*,
                      v1::GetJobResponse*) override {
    handle_(ReadBound::Current());
    return grpc::Status::OK;
  }
  void Call(grpc::ClientContext& context) {
    v1::GetJobResponse response;
    (void)stub_->GetJob(&context, {}, &response);
  }

  std::function<void(const ReadBound*)> handle_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::JobsService::Stub> stub_;
};

TEST_F(BoundedCallsTest, AHandlerReadsUntilTheDeadlineOfItsCallAndNeverLongerThanTheMost) {
  std::chrono::milliseconds left{0};
  handle_ = [&](const ReadBound* bound) {
    ASSERT_NE(bound, nullptr);
    left = bound->Left();
  };
  grpc::ClientContext short_one;
  short_one.set_deadline(std::chrono::system_clock::now() + seconds(5));
  Call(short_one);
  EXPECT_GT(left.count(), 0);
  EXPECT_LE(left, seconds(5));
  grpc::ClientContext endless;
  Call(endless);
  EXPECT_GT(left, seconds(5));
  EXPECT_LE(left, kMostOfARead);
}

TEST_F(BoundedCallsTest, WhatIsReadEndsWhenTheCallerIsGone) {
  std::latch handling(1);
  bool passed = false;
  handle_ = [&](const ReadBound* bound) {
    EXPECT_FALSE(bound->Passed());
    handling.count_down();
    while (!bound->Passed()) std::this_thread::yield();
    passed = true;
  };
  grpc::ClientContext context;
  std::jthread caller([&] { Call(context); });
  handling.wait();
  context.TryCancel();
  caller.join();
  server_->Shutdown();  // the handler has ended
  EXPECT_TRUE(passed);
}

// Nobody keeps all others waiting.
TEST_F(BoundedCallsTest, OfOnePersonOnlySoManyCallsAreUnderWay) {
  std::atomic<int> handling = 0;
  std::latch enough(1);
  handle_ = [&](const ReadBound*) {
    ++handling;
    handling.notify_all();
    enough.wait();
  };
  Gateway gateway(server_->InProcessChannel({}), {v1::JobsService::service_full_name()});
  const auto call = [&](const std::string& name) {
    HttpRequest request;
    request.method = "POST";
    request.path = "/gleaner.v1.JobsService/GetJob";
    request.headers.Set("Content-Type", "application/json");
    request.body = "{}";
    HttpResponse response;
    gateway.Serve(request, {name, v1::ROLE_VIEWER}, response);
    return response.status;
  };
  std::vector<std::jthread> callers;
  for (int i = 0; i < kMostCallsOfOne; ++i) {
    callers.emplace_back([&] { EXPECT_EQ(call("ann"), 200); });
  }
  while (handling < kMostCallsOfOne) handling.wait(handling);
  EXPECT_EQ(call("ann"), 429);
  enough.count_down();
  EXPECT_EQ(call("bob"), 200);
  callers.clear();
  EXPECT_EQ(call("ann"), 200);
}

}  // namespace
}  // namespace gleaner::cloud
