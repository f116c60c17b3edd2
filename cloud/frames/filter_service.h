// v1.FilterService: what filters can say, and the frames that they find, counted.
#pragma once

#include "cloud/database/database.h"
#include "cloud/search/vocabulary.h"
#include "common/clock.h"
#include "gleaner/v1/filter.grpc.pb.h"

namespace gleaner::cloud {

// Synchronous, as CatalogService is: for the server inside, which has no port.
class FilterService : public v1::FilterService::Service {
 public:
  // All must outlive it.
  FilterService(Database& database, Clock& clock, const Vocabulary& words)
      : database_(database), clock_(clock), words_(words) {}

  grpc::Status GetFilterWords(grpc::ServerContext* context,
                              const v1::GetFilterWordsRequest* request,
                              v1::GetFilterWordsResponse* response) override;
  grpc::Status GetFrameFacets(grpc::ServerContext* context,
                              const v1::GetFrameFacetsRequest* request,
                              v1::GetFrameFacetsResponse* response) override;

 private:
  Database& database_;
  Clock& clock_;
  const Vocabulary& words_;
};

}  // namespace gleaner::cloud
