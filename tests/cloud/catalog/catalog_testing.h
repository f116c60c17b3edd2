// What the catalog's tests share: clips made up from a seed.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>

#include "cloud/clips/clips.h"
#include "cloud/fleet/camera_damage.h"
#include "cloud/fleet/devices.h"
#include "cloud/http/summary.h"
#include "cloud/ingest/uploads.h"
#include "cloud/media/media_checks.h"
#include "cloud/rooms.h"
#include "cloud/store/data_folder.h"
#include "common/clock.h"
#include "tests/data/temporary_folder.h"
#include "tests/data/test_database.h"

namespace gleaner::cloud {

// The rooms' doors to a database.
struct Catalog {
  Catalog(Database& database, int64_t offline_after_ns)
      : uploads(database),
        clips(database),
        checks(database),
        devices(database, offline_after_ns),
        damage(database) {
    uploads.WriteWithClip(AskForMediaCheck);
  }

  Uploads uploads;
  Clips clips;
  MediaChecks checks;
  Devices devices;
  CameraDamage damage;
};

// The same with the database itself.
class TestCatalog : public Catalog {
 public:
  explicit TestCatalog(std::unique_ptr<Database> database)
      : Catalog(*database, 90 * kNanosPerSecond),
        names(*database, AllRooms().naming),
        database_(std::move(database)) {}

  Database& database() { return *database_; }
  absl::StatusOr<v1::GetSummaryResponse> GetSummary(int64_t now_unix_ns) {
    return ReadSummary(*database_, devices, now_unix_ns);
  }

  BlobNames names;

 private:
  std::unique_ptr<Database> database_;
};

// At `path`, or in a database of that name on PostgreSQL, where the tests run on it: see
// tests/data/test_database.h.
inline absl::StatusOr<std::unique_ptr<TestCatalog>> OpenTestCatalog(const std::string& path) {
  auto database = Database::Open(TestDatabase(path), AllRooms().tables);
  if (!database.ok()) return database.status();
  return std::make_unique<TestCatalog>(*std::move(database));
}

inline v1::GetSummaryResponse SummaryOf(DataFolder& folder, int64_t now_unix_ns = 0) {
  return *ReadSummary(folder.database(), Devices(folder.database(), 1), now_unix_ns);
}

inline Catalog CatalogOf(DataFolder& folder) { return {folder.database(), 90 * kNanosPerSecond}; }

// As the media worker does at the end of a look at a clip.
inline absl::Status RecordTestCheck(Database& database, std::string_view clip_id,
                                    const v1::MediaCheck& check,
                                    const std::vector<BlobId>& thumbnails) {
  return database.Write(
      [&](Sql& sql) { return RecordMediaCheck(sql, clip_id, check, thumbnails); });
}

inline BootId TestBoot(uint8_t n) {
  BootId boot{};
  boot.fill(n);
  return boot;
}

struct TestClip {
  UploadRow upload;
  v1::ClipManifest manifest;
};

struct TestClipOptions {
  std::string device = "cart-1";
  std::string site = "store-7";
  std::string rule = "motion";
  std::string camera = "front";
  std::string codec = "h264";
  uint8_t boot = 1;
  uint64_t sequence = 1;
  int64_t fired_ns = 1'700'000'000 * kNanosPerSecond;
  bool preview = true;
  std::string note;  // makes another manifest
};

// A clip with a preview and one video; its blobs' names are made up from device and number.
inline TestClip MakeTestClip(const TestClipOptions& options) {
  TestClip clip;
  v1::ClipManifest& manifest = clip.manifest;
  clip.upload.device = options.device;
  clip.upload.key = {TestBoot(options.boot), options.sequence};
  manifest.set_device(options.device);
  manifest.set_site(options.site);
  manifest.mutable_key()->set_boot_id(std::string(AsBytes(clip.upload.key.boot_id)));
  manifest.mutable_key()->set_sequence(options.sequence);
  manifest.mutable_fired_at()->set_wall_unix_ns(options.fired_ns);
  manifest.mutable_trigger()->set_rule(options.rule);
  manifest.mutable_trigger()->set_priority(5);
  manifest.mutable_delivered()->set_start_monotonic_ns(1'000);
  manifest.mutable_delivered()->set_end_monotonic_ns(1'000 + 4 * kNanosPerSecond);
  manifest.set_shortfall(options.note);
  v1::VideoTrack* track = manifest.add_video();
  track->set_camera(options.camera);
  track->set_codec(options.codec);
  track->set_width(1280);
  track->set_height(720);
  track->set_frame_count(120);
  const auto add = [&](v1::ClipObject::Kind kind, const char* type, uint64_t size) {
    v1::ClipObject* object = manifest.add_objects();
    object->set_kind(kind);
    object->set_content_type(type);
    object->set_size_bytes(size);
    object->set_sha256(
        std::string(AsBytes(Sha256::Of(fmt::format("{}{}", type, options.sequence)))));
    const std::string name = fmt::format("{}/{}/{}/{}/{}", options.device, options.boot,
                                         options.sequence, options.note, type);
    clip.upload.blobs.push_back(Hex(AsBytes(Sha256::Of(name))).substr(0, 32));
  };
  if (options.preview) add(v1::ClipObject::KIND_PREVIEW, "image/jpeg", 20'000);
  add(v1::ClipObject::KIND_VIDEO, "video/mp4", 1'000'000);
  clip.upload.manifest = manifest.SerializeAsString();
  clip.upload.manifest_sha256 = Sha256::Of(clip.upload.manifest);
  clip.upload.begun_unix_ns = options.fired_ns;
  clip.upload.begun = true;  // tests call BeginUpload first
  return clip;
}

inline absl::Status CommitTestClip(Catalog& catalog, const TestClip& clip,
                                   int64_t committed_ns = 1'700'000'100 * kNanosPerSecond) {
  if (absl::Status status = catalog.uploads.Begin(clip.upload); !status.ok()) return status;
  return catalog.uploads.Commit(clip.upload, clip.manifest, committed_ns);
}

}  // namespace gleaner::cloud
