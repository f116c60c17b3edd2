// A catalog with labelled frames, and what freezes and exports them.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cloud/dataset/datasets.h"
#include "cloud/dataset/exporter.h"
#include "cloud/dataset/freezer.h"
#include "cloud/dataset/sealing.h"
#include "cloud/frames/frame_rows.h"
#include "cloud/label/labels.h"
#include "cloud/label/schemas.h"
#include "cloud/store/file_blob_store.h"
#include "common/status.h"
#include "tests/cloud/catalog/catalog_testing.h"
#include "tests/cloud/search/all_words.h"
#include "tests/data/temporary_folder.h"
#include "tests/data/test_objects.h"

namespace gleaner::cloud {

// As large as a small picture, and another one for each frame.
inline std::string TestPicture(const FrameName& frame, size_t bytes = 3000) {
  std::string picture = fmt::format("\xff\xd8{}/{}/{}", frame.clip, frame.camera, frame.pts);
  picture.resize(bytes, 'x');
  return picture;
}

// Opens, or opens again, what lies in a folder.
class DatasetRig {
 public:
  static constexpr uint64_t kLeaveFree = 1 << 30;
  static constexpr int64_t kDay = 1'700'000'000 * kNanosPerSecond;

  explicit DatasetRig(const std::string& folder) : folder_(folder) {
    const bool is_new = !std::filesystem::exists(folder + "/blobs");
    catalog = OpenTestCatalog(folder + "/catalog.db").value();
    files = FileBlobStore::Open(folder + "/blobs", {.free_bytes = [this] { return free_bytes; }})
                .value();
    objects_ = std::make_unique<TestObjects>(*files, folder);
    jobs = std::make_unique<Jobs>(catalog->database(), clock);
    decode = [](const FrameName& frame) -> absl::StatusOr<std::string> {
      return TestPicture(frame);
    };
    const auto decode_now = [this](const FrameName& frame, const std::stop_token&) {
      return decode(frame);
    };
    freezer =
        std::make_unique<Freezer>(catalog->database(), objects(), decode_now, clock, AllWords(),
                                  Freezer::Options{.folder = folder, .leave_free = kLeaveFree});
    exporter =
        std::make_unique<Exporter>(catalog->database(), objects(), clock,
                                   Exporter::Options{.folder = folder, .leave_free = kLeaveFree});
    datasets = std::make_unique<Datasets>(catalog->database(), objects(), *jobs, clock, AllWords());
    if (!is_new) return;
    MakeSchema({"bottle", "mug"});
    // A key that is always the same, so that every run has the same splits.
    const absl::Status keyed = catalog->database().Write([](Sql& sql) {
      sql.Run("INSERT INTO dataset_key (number, secret) VALUES (1, :secret)",
              In(std::string(64, 'a')));
      return absl::OkStatus();
    });
    if (!keyed.ok()) throw std::runtime_error(std::string(Message(keyed)));
  }

  void MakeSchema(const std::vector<std::string>& classes) {
    v1::LabelSchema schema;
    schema.set_name("carts");
    schema.set_kind(v1::LabelSchema::KIND_BOXES);
    for (const std::string& name : classes) {
      v1::LabelClass* one = schema.add_classes();
      one->set_id(static_cast<uint32_t>(schema.classes_size()));
      one->set_name(name);
    }
    const auto made = Schemas(catalog->database()).Create(schema, who, clock.WallNs());
    if (!made.ok()) throw std::runtime_error(std::string(Message(made.status())));
  }

  struct ClipOfFrames {
    std::string device = "cart-1", site = "store-7";
    uint64_t sequence = 1;
    int64_t fired_ns = kDay;
    std::vector<uint64_t> phashes = {1};  // a frame each
  };
  // Its id. Its frames are at 0, 1000, ….
  std::string AddClip(const ClipOfFrames& options) {
    const TestClip clip = MakeTestClip({.device = options.device,
                                        .site = options.site,
                                        .sequence = options.sequence,
                                        .fired_ns = options.fired_ns});
    CommitTestClip(*catalog, clip).IgnoreError();
    const std::string id = ClipId(options.device, clip.upload.key);
    CheckedVideo video;
    video.thumbnails = Hex(AsBytes(Sha256::Of("thumbnails" + id))).substr(0, 32);
    for (size_t i = 0; i < options.phashes.size(); ++i) {
      video.frames.push_back({.pts = static_cast<int64_t>(i) * 1000,
                              .reasons = media::ReasonBit(v1::Frame::REASON_EVENLY),
                              .phash = options.phashes[i],
                              .sharpness = 0.5});
    }
    const absl::Status written = catalog->database().Write([&](Sql& sql) {
      const CheckedClip checked{.id = id, .manifest = clip.manifest, .videos = {video}};
      RecordFrames(sql, checked);
      if (seals) SealChecked(sql, checked);
      return absl::OkStatus();
    });
    if (!written.ok()) throw std::runtime_error(std::string(Message(written)));
    return id;
  }

  void Label(const FrameName& frame, const std::vector<v1::LabelBox>& boxes) {
    v1::SaveLabelRequest request;
    request.mutable_frame()->set_clip(frame.clip);
    request.mutable_frame()->set_camera(frame.camera);
    request.mutable_frame()->set_pts(frame.pts);
    request.set_schema("carts");
    request.set_verdict(v1::Label::VERDICT_CREATED);
    request.mutable_annotation();
    for (const v1::LabelBox& box : boxes) *request.mutable_annotation()->add_boxes() = box;
    const auto label = Labels(catalog->database()).Create(request, who, clock.WallNs());
    if (!label.ok()) throw std::runtime_error(std::string(Message(label.status())));
  }
  static v1::LabelBox Box(uint32_t class_id, double x, double y, double width, double height) {
    v1::LabelBox box;
    box.set_class_id(class_id);
    box.set_x(x);
    box.set_y(y);
    box.set_width(width);
    box.set_height(height);
    return box;
  }
  // Clips an hour apart, each with so many labelled frames that don't look alike.
  void Fill(int clips, int frames) {
    for (int c = 0; c < clips; ++c) {
      ClipOfFrames clip{.device = fmt::format("cart-{}", c % 3),
                        .sequence = static_cast<uint64_t>(c) + 1,
                        .fired_ns = kDay + c * 3600 * kNanosPerSecond,
                        .phashes = {}};
      for (int f = 0; f < frames; ++f) {
        clip.phashes.push_back(0x9e3779b97f4a7c15ULL * static_cast<uint64_t>(c * frames + f + 1));
      }
      const std::string id = AddClip(clip);
      for (int f = 0; f < frames; ++f) {
        std::vector<v1::LabelBox> boxes;
        if (f % 3 != 2) boxes.push_back(Box(1, 0.1, 0.25, 0.05, 0.125));
        if (f % 2 == 0) boxes.push_back(Box(2, 0.5, 0.5, 0.333333, 0.5));
        Label({id, "front", f * 1000}, boxes);
      }
    }
  }

  ObjectStore& objects() { return **objects_; }

  // Does the job that was asked for last of this kind.
  absl::Status Work(std::string_view kind) {
    // What a server that was killed had begun.
    (void)jobs->TakeBack(kind, true);
    const auto claimed = jobs->Claim(kind, "datasets", "me");
    if (!claimed.ok()) return claimed.status();
    if (!*claimed) return absl::NotFoundError("no job waits");
    JobRun run(*jobs, **claimed);
    const absl::Status status = kind == kFreezeJob ? freezer->Run(run) : exporter->Run(run);
    if (!status.ok()) {
      jobs->Fail((*claimed)->claim, Message(status), true, 0).IgnoreError();
    }
    return status;
  }
  absl::Status Freeze(const std::string& name, v1::FreezeDatasetRequest request = {}) {
    request.set_name(name);
    if (request.schema().empty()) request.set_schema("carts");
    const auto job = datasets->Freeze(request, "ann", [](Sql&) { return absl::OkStatus(); });
    return job.ok() ? Work(kFreezeJob) : job.status();
  }
  absl::StatusOr<v1::Export> Export(const std::string& name, const std::string& format,
                                    const std::vector<std::string>& splits = {},
                                    uint64_t shard_bytes = 0) {
    v1::ExportDatasetRequest request;
    request.set_name(name);
    request.set_format(format);
    request.set_shard_bytes(shard_bytes);
    for (const std::string& split : splits) request.add_splits(split);
    const auto ask = [&] {
      return datasets->Export(request, [](Sql&) { return absl::OkStatus(); });
    };
    auto answer = ask();
    if (!answer.ok()) return answer.status();
    if (answer->has_job()) {
      if (absl::Status status = Work(kExportJob); !status.ok()) return status;
      answer = ask();
      if (!answer.ok()) return answer.status();
    }
    return answer->export_();
  }
  // All of a file.
  std::string Read(const PartReader& file) {
    std::string all, piece;
    while (all.size() < file.size()) {
      if (!file.Read(all.size(), 1 << 20, &piece).ok()) break;
      all += piece;
    }
    return all;
  }
  std::string ListOf(const std::string& name) {
    const auto list = datasets->FindList(name);
    return list.ok() ? Read(list->parts) : std::string(Message(list.status()));
  }
  std::string FileOf(const v1::Export& made, const std::string& file) {
    const auto found = datasets->FindExported(made.dataset(), made.number(), file);
    return found.ok() ? Read(found->parts) : std::string(Message(found.status()));
  }

  const std::string folder_;
  FakeClock clock{1'000 * kNanosPerSecond, kDay + 86'400 * kNanosPerSecond};
  Principal who{.name = "ann", .role = v1::ROLE_ANNOTATOR};
  bool seals = true;
  std::function<absl::StatusOr<std::string>(const FrameName&)> decode;
  uint64_t free_bytes = 100ULL << 30;  // of the disk, where objects are files
  std::unique_ptr<TestCatalog> catalog;
  std::unique_ptr<FileBlobStore> files;
  std::unique_ptr<Jobs> jobs;
  std::unique_ptr<Freezer> freezer;
  std::unique_ptr<Exporter> exporter;
  std::unique_ptr<Datasets> datasets;

 private:
  std::unique_ptr<TestObjects> objects_;
};

}  // namespace gleaner::cloud
