#include "cloud/dataset/dataset_room.h"

#include "cloud/dataset/dataset_files.h"
#include "cloud/dataset/dataset_service.h"
#include "cloud/dataset/sealing.h"
#include "cloud/dataset/split_words.h"
#include "cloud/frames/pictures.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr int64_t kPictureCpuNs = 20 * kNanosPerSecond;

// What uploads leave free, datasets leave to uploads.
uint64_t FreeFloor(const ServerConfig& config) {
  return static_cast<uint64_t>(config.ingest.free_bytes_floor);
}

class DatasetsOfClips : public Room {
 public:
  explicit DatasetsOfClips(RoomContext& context)
      : frames_(context.database),
        freezer_(context.database, context.objects,
                 [this, &context](const FrameName& name,
                                  const std::stop_token& stop) -> absl::StatusOr<std::string> {
                   ASSIGN_OR_RETURN(const FrameVideo video, frames_.FindVideo(name));
                   return DecodeFrame(context.objects, video, name.pts, context.config.media_worker,
                                      std::min(context.config.media_cpu_ns, kPictureCpuNs), stop);
                 },
                 context.clock, context.words,
                 {.folder = context.config.data_dir, .leave_free = FreeFloor(context.config)}),
        exporter_(context.database, context.objects, context.clock,
                  {.folder = context.config.data_dir,
                   .leave_free = FreeFloor(context.config),
                   .program = context.config.media_worker,
                   .cpu_ns = context.config.media_cpu_ns}),
        datasets_(context.database, context.objects, context.jobs, context.clock, context.words),
        files_(datasets_, context.clock),
        service_(datasets_, context.clock) {
    context.with_check.emplace_back(SealChecked);
  }

  std::vector<PeopleService> ForPeople() override {
    return {{v1::DatasetService::service_full_name(), &service_}};
  }
  std::vector<Route> Routes() override { return files_.Routes(); }
  std::vector<FilterWord> FilterWords() override { return SplitWords(); }
  std::vector<JobKind> JobKinds() override { return {freezer_.Kind(), exporter_.Kind()}; }

 private:
  Frames frames_;
  Freezer freezer_;
  Exporter exporter_;
  Datasets datasets_;
  DatasetFiles files_;
  DatasetService service_;
};

}  // namespace

RoomEntry DatasetRoom() {
  return {.tables = DatasetTables(),
          .naming = {PartNames()},
          .open = [](RoomContext& context) -> std::unique_ptr<Room> {
            return std::make_unique<DatasetsOfClips>(context);
          }};
}

}  // namespace gleaner::cloud
