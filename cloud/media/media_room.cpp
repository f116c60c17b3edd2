#include "cloud/media/media_room.h"

#include "cloud/fleet/camera_damage.h"
#include "cloud/media/checker.h"
#include "cloud/media/media_metrics.h"

namespace gleaner::cloud {
namespace {

class Media : public Room {
 public:
  explicit Media(RoomContext& context)
      : clock_(context.clock),
        checks_(context.database),
        damage_(context.database),
        checker_(checks_, context.objects, context.clock, OptionsOf(context)) {
    context.with_clip.push_back(AskForMediaCheck);
  }

  std::vector<JobKind> JobKinds() override { return {checker_.Kind()}; }
  std::vector<prometheus::MetricFamily> Metrics() override { return metrics_.Collect(); }

 private:
  MediaChecker::Options OptionsOf(const RoomContext& context) {
    const ServerConfig& config = context.config;
    MediaChecker::Options options;
    options.frames = config.frames;
    options.with_check = &context.with_check;
    options.program = config.media_worker;
    options.workers = config.media_workers;
    options.cpu_ns = config.media_cpu_ns;
    options.on_checked = [this](const v1::MediaCheck& verdict, double seconds) {
      metrics_.Count(verdict, seconds);
    };
    options.on_damage = [this](const std::string& device, const std::string& camera,
                               uint64_t frames) {
      return damage_.Record(device, camera, frames, clock_.WallNs());
    };
    return options;
  }

  Clock& clock_;
  MediaMetrics metrics_;
  MediaChecks checks_;
  CameraDamage damage_;
  MediaChecker checker_;
};

}  // namespace

RoomEntry MediaRoom() {
  return {.tables = MediaTables(),
          .naming = {ThumbnailNames()},
          .open = [](RoomContext& context) -> std::unique_ptr<Room> {
            return std::make_unique<Media>(context);
          }};
}

}  // namespace gleaner::cloud
