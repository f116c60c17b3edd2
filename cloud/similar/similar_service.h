// v1.SimilarService: what looks alike, as people and programs ask for it.
#pragma once

#include "cloud/search/vocabulary.h"
#include "cloud/similar/similar_frames.h"
#include "common/clock.h"
#include "gleaner/v1/similar.grpc.pb.h"

namespace gleaner::cloud {

// Synchronous, as CatalogService is: for the server inside, which has no port.
class SimilarService : public v1::SimilarService::Service {
 public:
  // All must outlive it. `words`: of filters.
  SimilarService(SimilarFrames& frames, Clock& clock, const Vocabulary& words)
      : frames_(frames), clock_(clock), words_(words) {}

  grpc::Status FindSimilar(grpc::ServerContext* context, const v1::FindSimilarRequest* request,
                           v1::FindSimilarResponse* response) override;
  grpc::Status ListEmbeddingModels(grpc::ServerContext* context,
                                   const v1::ListEmbeddingModelsRequest* request,
                                   v1::ListEmbeddingModelsResponse* response) override;

 private:
  SimilarFrames& frames_;
  Clock& clock_;
  const Vocabulary& words_;
};

}  // namespace gleaner::cloud
