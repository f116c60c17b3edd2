// v1.FrameService: frames as people and programs ask for them.
#pragma once

#include "cloud/frames/frames.h"
#include "common/clock.h"
#include "gleaner/v1/frames.grpc.pb.h"

namespace gleaner::cloud {

// Synchronous, as CatalogService is: for the server inside, which has no port.
class FrameService : public v1::FrameService::Service {
 public:
  // Both must outlive it.
  FrameService(Frames& frames, Clock& clock) : frames_(frames), clock_(clock) {}

  grpc::Status ListFrames(grpc::ServerContext* context, const v1::ListFramesRequest* request,
                          v1::ListFramesResponse* response) override;
  grpc::Status GetFrame(grpc::ServerContext* context, const v1::GetFrameRequest* request,
                        v1::GetFrameResponse* response) override;

 private:
  Frames& frames_;
  Clock& clock_;
};

}  // namespace gleaner::cloud
