#include "cloud/frames/frames_room.h"

#include <algorithm>

#include "cloud/frames/frame_files.h"
#include "cloud/frames/frame_rows.h"
#include "cloud/frames/frame_service.h"
#include "cloud/frames/frames.h"
#include "cloud/frames/pictures.h"

namespace gleaner::cloud {
namespace {

// Somebody waits for a picture: what a whole video may cost is too much for one.
constexpr int64_t kPictureCpuNs = 20 * kNanosPerSecond;

class FramesOfClips : public Room {
 public:
  explicit FramesOfClips(RoomContext& context)
      : frames_(context.database),
        pictures_(frames_, context.objects,
                  {.program = context.config.media_worker,
                   .cpu_ns = std::min(context.config.media_cpu_ns, kPictureCpuNs),
                   .at_once = context.config.pictures_at_once,
                   .folder = context.config.data_dir + "/pictures",
                   .cache_bytes = context.config.picture_cache_bytes}),
        files_(frames_, pictures_, context.objects),
        service_(frames_, context.clock) {
    context.with_check.emplace_back(RecordFrames);
  }

  std::vector<PeopleService> ForPeople() override {
    return {{v1::FrameService::service_full_name(), &service_}};
  }
  std::vector<Route> Routes() override { return {files_.Below()}; }
  void Stop() override { pictures_.Stop(); }

 private:
  Frames frames_;
  Pictures pictures_;
  FrameFiles files_;
  FrameService service_;
};

}  // namespace

RoomEntry FramesRoom() {
  return {.tables = FrameTables(),
          .naming = {FrameThumbnailNames()},
          .open = [](RoomContext& context) -> std::unique_ptr<Room> {
            return std::make_unique<FramesOfClips>(context);
          }};
}

}  // namespace gleaner::cloud
