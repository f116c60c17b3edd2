// v1.FrameService: frames as people and programs ask for them.
#pragma once

#include "cloud/frames/frames.h"
#include "cloud/search/vocabulary.h"
#include "common/clock.h"
#include "gleaner/v1/frames.grpc.pb.h"

namespace gleaner::cloud {

// Synchronous, as CatalogService is: for the server inside, which has no port.
class FrameService : public v1::FrameService::Service {
 public:
  // All must outlive it. `words`: of filters.
  FrameService(Frames& frames, Clock& clock, const Vocabulary& words)
      : frames_(frames), clock_(clock), words_(words) {}

  grpc::Status ListFrames(grpc::ServerContext* context, const v1::ListFramesRequest* request,
                          v1::ListFramesResponse* response) override;
  grpc::Status GetFrame(grpc::ServerContext* context, const v1::GetFrameRequest* request,
                        v1::GetFrameResponse* response) override;

 private:
  Frames& frames_;
  Clock& clock_;
  const Vocabulary& words_;
};

}  // namespace gleaner::cloud
