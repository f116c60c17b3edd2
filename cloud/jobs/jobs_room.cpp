#include "cloud/jobs/jobs_room.h"

#include "cloud/events/relay.h"
#include "cloud/jobs/job_metrics.h"
#include "cloud/jobs/jobs_service.h"

namespace gleaner::cloud {
namespace {

class Queue : public Room {
 public:
  explicit Queue(RoomContext& context) : jobs_(context.jobs), service_(context.jobs) {
    Relay(context.database, kJobChanged, context.events, "jobs", "number");
  }

  std::vector<PeopleService> ForPeople() override {
    return {{v1::JobsService::service_full_name(), &service_}};
  }
  std::vector<prometheus::MetricFamily> Metrics() override { return JobMetrics(jobs_); }

 private:
  Jobs& jobs_;
  JobsService service_;
};

}  // namespace

RoomEntry JobsRoom() {
  return {.tables = JobTables(), .open = [](RoomContext& context) -> std::unique_ptr<Room> {
            return std::make_unique<Queue>(context);
          }};
}

}  // namespace gleaner::cloud
