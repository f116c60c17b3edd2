#include "cloud/fleet/camera_damage.h"

#include <fmt/format.h>

#include "common/clock.h"
#include "common/limits.h"

namespace gleaner::cloud {
namespace {

constexpr int64_t kNewsNs = 3600 * kNanosPerSecond;

}  // namespace

absl::Status CameraDamage::Record(std::string_view device, std::string_view camera, uint64_t frames,
                                  int64_t unix_ns) {
  return database_.Write([&](Sql& sql) -> absl::Status {
    // What is old news is forgotten, of every camera of this device: names of cameras change.
    sql.Run("DELETE FROM camera_damage WHERE device = :device AND last_ns < :old",
            In(device, unix_ns - kNewsNs));
    uint64_t clips = 0, so_far = 0;
    int64_t first_ns = unix_ns;
    sql.Query(
        "SELECT clips, frames, first_ns FROM camera_damage WHERE device = :device AND camera = "
        ":camera",
        In(device, camera), Out(clips, so_far, first_ns), [] {});
    sql.Run("DELETE FROM camera_damage WHERE device = :device AND camera = :camera",
            In(device, camera));
    sql.Run(
        "INSERT INTO camera_damage (device, camera, clips, frames, first_ns, last_ns) VALUES "
        "(:device, :camera, :clips, :frames, :first, :last)",
        In(device, camera, clips + 1, so_far + frames, first_ns, unix_ns));
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<v1::CameraNotice>> CameraDamage::Notices(std::string_view device,
                                                                    int64_t unix_ns) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<std::vector<v1::CameraNotice>> {
    std::vector<v1::CameraNotice> notices;
    std::string camera;
    uint64_t clips = 0, frames = 0;
    int64_t first_ns = 0;
    sql.Query(
        "SELECT camera, clips, frames, first_ns FROM camera_damage WHERE device = :device AND "
        "last_ns >= :old ORDER BY last_ns DESC LIMIT :limit",
        In(device, unix_ns - kNewsNs, kMaxCameras), Out(camera, clips, frames, first_ns), [&] {
          v1::CameraNotice& notice = notices.emplace_back();
          notice.set_camera(camera);
          notice.set_text(fmt::format("sends damaged pictures: {} damaged frame{} in {} clip{}",
                                      frames, frames == 1 ? "" : "s", clips,
                                      clips == 1 ? "" : "s"));
          notice.set_count(frames);
          notice.set_since_unix_ns(first_ns);
        });
    return notices;
  });
}

}  // namespace gleaner::cloud
