// v1.CatalogService over the catalog: what the page and the `gleaner` command read.
//
// Synchronous on purpose: every method blocks on the catalog. It belongs on a server of its own
// without a port, reached in-process by the gateway; on the devices' server any device's
// certificate could read every clip.
#pragma once

#include "cloud/clips/clips.h"
#include "cloud/fleet/devices.h"
#include "cloud/search/vocabulary.h"
#include "common/clock.h"
#include "gleaner/v1/catalog.grpc.pb.h"

namespace gleaner::cloud {

class CatalogService : public v1::CatalogService::Service {
 public:
  // All must outlive it. `words`: of filters.
  CatalogService(Database& database, Clips& clips, Devices& devices, Clock& clock,
                 const Vocabulary& words)
      : database_(database), clips_(clips), devices_(devices), clock_(clock), words_(words) {}

  grpc::Status ListClips(grpc::ServerContext* context, const v1::ListClipsRequest* request,
                         v1::ListClipsResponse* response) override;
  grpc::Status GetClip(grpc::ServerContext* context, const v1::GetClipRequest* request,
                       v1::GetClipResponse* response) override;
  grpc::Status ListDevices(grpc::ServerContext* context, const v1::ListDevicesRequest* request,
                           v1::ListDevicesResponse* response) override;
  grpc::Status GetSummary(grpc::ServerContext* context, const v1::GetSummaryRequest* request,
                          v1::GetSummaryResponse* response) override;

 private:
  Database& database_;
  Clips& clips_;
  Devices& devices_;
  Clock& clock_;
  const Vocabulary& words_;
};

}  // namespace gleaner::cloud
