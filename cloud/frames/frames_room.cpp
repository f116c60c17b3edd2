#include "cloud/frames/frames_room.h"

#include <algorithm>

#include "cloud/frames/filter_service.h"
#include "cloud/frames/frame_files.h"
#include "cloud/frames/frame_rows.h"
#include "cloud/frames/frame_service.h"
#include "cloud/frames/frame_words.h"
#include "cloud/frames/frames.h"

namespace gleaner::cloud {
namespace {

// Somebody waits for a picture: what a whole video may cost is too much for one.
constexpr int64_t kPictureCpuNs = 20 * kNanosPerSecond;

class FramesOfClips : public Room {
 public:
  explicit FramesOfClips(RoomContext& context)
      : frames_(context.database),
        pictures_(frames_, context.objects,
                  PictureOptions(context.config, context.config.pictures_at_once, "pictures",
                                 context.config.picture_cache_bytes)),
        files_(frames_, pictures_, context.objects),
        service_(frames_, context.clock, context.words),
        filters_(context.database, context.clock, context.words) {
    context.with_check.emplace_back(RecordFrames);
  }

  std::vector<PeopleService> ForPeople() override {
    return {{v1::FrameService::service_full_name(), &service_},
            {v1::FilterService::service_full_name(), &filters_}};
  }
  std::vector<Route> Routes() override { return {files_.Below()}; }
  std::vector<FilterWord> FilterWords() override { return FrameWords(); }
  std::vector<prometheus::MetricFamily> Metrics() override {
    const Pictures::Counts counts = pictures_.counts();
    const auto result = [](const char* word, uint64_t count) {
      prometheus::ClientMetric metric;
      metric.label = {{"result", word}};
      metric.counter.value = static_cast<double>(count);
      return metric;
    };
    prometheus::ClientMetric bytes;
    bytes.gauge.value = static_cast<double>(counts.cache_bytes);
    return {{"gleaner_frame_pictures_total",
             "Frames at full size that were asked for since the server started, by where they came "
             "from.",
             prometheus::MetricType::Counter,
             {result("decoded", counts.decoded), result("cached", counts.cached),
              result("failed", counts.failed)}},
            {"gleaner_frame_picture_cache_bytes",
             "What the folder of decoded pictures holds.",
             prometheus::MetricType::Gauge,
             {bytes}}};
  }
  void Stop() override { pictures_.Stop(); }

 private:
  Frames frames_;
  Pictures pictures_;
  FrameFiles files_;
  FrameService service_;
  FilterService filters_;
};

}  // namespace

Pictures::Options PictureOptions(const ServerConfig& config, size_t at_once,
                                 const std::string& folder, uint64_t cache_bytes) {
  return {.program = config.media_worker,
          .cpu_ns = std::min(config.media_cpu_ns, kPictureCpuNs),
          .at_once = at_once,
          .folder = config.data_dir + "/" + folder,
          .cache_bytes = cache_bytes};
}

RoomEntry FramesRoom() {
  return {.tables = FrameTables(),
          .naming = {FrameThumbnailNames()},
          .open = [](RoomContext& context) -> std::unique_ptr<Room> {
            return std::make_unique<FramesOfClips>(context);
          }};
}

}  // namespace gleaner::cloud
