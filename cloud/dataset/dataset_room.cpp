#include "cloud/dataset/dataset_room.h"

#include "cloud/dataset/dataset_files.h"
#include "cloud/dataset/dataset_service.h"
#include "cloud/dataset/sealing.h"
#include "cloud/frames/frames_room.h"

namespace gleaner::cloud {
namespace {

class DatasetsOfClips : public Room {
 public:
  explicit DatasetsOfClips(RoomContext& context)
      : frames_(context.database),
        pictures_(frames_, context.objects,
                  PictureOptions(context.config, 1, "dataset-pictures", 0)),
        freezer_(context.database, context.objects,
                 [this](const FrameName& frame) -> absl::StatusOr<std::string> {
                   auto picture = pictures_.Get(frame);
                   if (!picture.ok()) return picture.status();
                   return *picture->bytes;  // nothing is in its cache
                 },
                 context.clock, {.folder = context.config.data_dir}),
        exporter_(context.database, context.objects, context.clock, context.config.data_dir),
        datasets_(context.database, context.objects, context.jobs, context.clock),
        files_(datasets_, context.clock),
        service_(datasets_, context.clock) {
    context.with_check.emplace_back(SealChecked);
  }

  std::vector<PeopleService> ForPeople() override {
    return {{v1::DatasetService::service_full_name(), &service_}};
  }
  std::vector<Route> Routes() override { return files_.Routes(); }
  std::vector<JobKind> JobKinds() override { return {freezer_.Kind(), exporter_.Kind()}; }
  void Stop() override { pictures_.Stop(); }

 private:
  Frames frames_;
  Pictures pictures_;
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
