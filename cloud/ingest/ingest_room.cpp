#include "cloud/ingest/ingest_room.h"

#include "cloud/ingest/ingest_metrics.h"
#include "cloud/ingest/ingest_service.h"
#include "cloud/ingest/janitor.h"

namespace gleaner::cloud {
namespace {

class Ingest : public Room {
 public:
  explicit Ingest(RoomContext& context)
      : context_(context),
        uploads_(context.database),
        service_(uploads_, context.names, context.staging, context.objects, context.clock,
                 context.config.ingest) {}

  std::vector<grpc::Service*> ForDevices() override { return {&service_}; }
  std::vector<prometheus::MetricFamily> Metrics() override {
    return IngestMetrics(service_.stats());
  }
  void Begin() override {
    for (const Uploads::WithClip& write : context_.with_clip) uploads_.WriteWithClip(write);
    if (!context_.config.roles.ingest) return;
    janitor_ = std::make_unique<Janitor>(uploads_, context_.names, context_.staging,
                                         context_.objects, context_.clock);
  }
  void Stop() override {
    janitor_.reset();
    service_.Stop();
  }

 private:
  RoomContext& context_;
  Uploads uploads_;
  IngestService service_;
  std::unique_ptr<Janitor> janitor_;
};

}  // namespace

RoomEntry IngestRoom() {
  return {.tables = UploadTables(), .open = [](RoomContext& context) -> std::unique_ptr<Room> {
            return std::make_unique<Ingest>(context);
          }};
}

}  // namespace gleaner::cloud
