// A catalogue with real clips that the real worker looks at.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cloud/frames/frame_rows.h"
#include "cloud/frames/frames.h"
#include "cloud/media/checker.h"
#include "common/file.h"
#include "tests/cloud/catalog/catalog_testing.h"
#include "tests/cloud/media/clip_file.h"
#include "tests/data/paths.h"

namespace gleaner::cloud {

class FramesRig : public testing::Test {
 protected:
  FramesRig() {
    blobs_ = FileBlobStore::Open(folder_ / "blobs").value();
    const std::string path = folder_ / "good.mp4";
    MakeVideo("cup.mp4", std::string("-c copy -t 3 ") + kFragmented, path);
    track_ = TrackOf(path);
    track_.set_first_frame_monotonic_ns(1'000);
    track_.set_last_frame_monotonic_ns(1'000 + 3 * kNanosPerSecond);
    video_ = ReadFile(path, 10 << 20).value();
  }
  ~FramesRig() override { Stop(); }

  void Start(const std::string& program = BinDir() + "/gleaner-media",
             const media::FrameChoice& choice = {}) {
    MediaChecker::Options options;
    options.program = program;
    options.cpu_ns = 20 * kNanosPerSecond;
    options.frames = choice;
    options.with_check = &with_check_;
    options.on_checked = [this](const v1::MediaCheck&, double) {
      std::lock_guard lock(mutex_);
      ++checked_;
      changed_.notify_all();
    };
    runner_.reset();
    checker_ = std::make_unique<MediaChecker>(catalog_->checks, *blobs_, clock_, options);
    runner_ = std::make_unique<JobRunner>(jobs_, clock_,
                                          JobRunner::Options{.worker = "me", .alone = true});
    runner_->Add(checker_->Kind());
    runner_->Start();
  }
  void Stop() { runner_.reset(); }
  // Until so many were checked. Time goes on, for what waits to be tried again.
  void WaitFor(int checked) {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, std::chrono::milliseconds(20),
                              [&] { return checked_ >= checked; })) {
      lock.unlock();
      clock_.Advance(kNanosPerSecond);
      runner_->Tick();
      lock.lock();
    }
  }
  void CheckAgain(const std::string& id) {
    ASSERT_TRUE(catalog_->database()
                    .Write([&](Sql& sql) {
                      AskForMediaCheck(sql, "cart-1", id, clock_.WallNs());
                      return absl::OkStatus();
                    })
                    .ok());
  }

  struct NewClip {
    std::string device = "cart-1";
    uint64_t sequence = 1;
    std::string site = "store-7";
    std::string video;                             // empty: video_
    std::vector<std::string> cameras = {"front"};  // all show the same
  };
  std::string AddClip(const NewClip& options) {
    const std::string& video = options.video.empty() ? video_ : options.video;
    TestClip clip = MakeTestClip({.device = options.device,
                                  .site = options.site,
                                  .sequence = options.sequence,
                                  .preview = false});
    clip.manifest.mutable_fired_at()->set_monotonic_ns(1'000 + kNanosPerSecond);
    clip.manifest.mutable_trigger()->add_firing_monotonic_ns(1'000 + kNanosPerSecond);
    clip.manifest.clear_video();
    const v1::ClipObject object = clip.manifest.objects(0);
    clip.manifest.clear_objects();
    clip.upload.blobs.clear();
    for (const std::string& camera : options.cameras) {
      v1::VideoTrack* track = clip.manifest.add_video();
      *track = track_;
      track->set_camera(camera);
      v1::ClipObject* added = clip.manifest.add_objects();
      *added = object;
      added->set_size_bytes(video.size());
      added->set_sha256(std::string(AsBytes(Sha256::Of(video))));
      auto writer = blobs_->Create(video.size()).value();
      const iovec part{const_cast<char*>(video.data()), video.size()};
      EXPECT_TRUE(writer->WriteAt(0, &part, 1).ok());
      EXPECT_TRUE(writer->Sync().ok());
      clip.upload.blobs.push_back(writer->id());
    }
    clip.upload.manifest = clip.manifest.SerializeAsString();
    clip.upload.manifest_sha256 = Sha256::Of(clip.upload.manifest);
    EXPECT_TRUE(CommitTestClip(*catalog_, clip).ok());
    return ClipId(options.device, clip.upload.key);
  }
  std::vector<v1::Frame> FramesOf(const std::string& clip) {
    v1::ListFramesRequest request;
    request.set_clip(clip);
    request.set_page_size(500);
    const auto list = frames_.List(request, {});
    EXPECT_TRUE(list.ok()) << list.status();
    return {list->frames().begin(), list->frames().end()};
  }
  // How many objects nobody names any more.
  size_t Rubbish() { return catalog_->names.FindRubbish("", 1000).value().size(); }

  TemporaryFolder folder_;
  FakeClock clock_;
  std::unique_ptr<TestCatalog> catalog_ = OpenTestCatalog(folder_ / "catalog.db").value();
  Jobs jobs_{catalog_->database(), clock_};
  Frames frames_{catalog_->database()};
  std::vector<WithCheck> with_check_ = {RecordFrames};
  std::unique_ptr<FileBlobStore> blobs_;
  v1::VideoTrack track_;
  std::string video_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int checked_ = 0;
  std::unique_ptr<MediaChecker> checker_;
  std::unique_ptr<JobRunner> runner_;
};

}  // namespace gleaner::cloud
