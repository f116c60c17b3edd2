// A catalog with clips whose videos are real, and a worker, real or not, that looks at them.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "cloud/media/checker.h"
#include "common/file.h"
#include "tests/cloud/catalog/catalog_testing.h"
#include "tests/cloud/media/clip_file.h"
#include "tests/data/paths.h"

namespace gleaner::cloud {

class CheckerRig : public testing::Test {
 protected:
  // With a good video of so many seconds.
  explicit CheckerRig(int seconds) {
    blobs_ = FileBlobStore::Open(folder_ / "blobs").value();
    const std::string path = folder_ / "good.mp4";
    MakeVideo("cup.mp4", fmt::format("-c copy -t {} {}", seconds, kFragmented), path);
    track_ = TrackOf(path);
    video_ = ReadFile(path, 10 << 20).value();
  }
  ~CheckerRig() override { Stop(); }

  // What is not said in `options` is this rig's.
  void Start(MediaChecker::Options options) {
    if (options.program.empty()) options.program = BinDir() + "/gleaner-media";
    options.cpu_ns = 20 * kNanosPerSecond;
    options.on_checked = [this](const v1::MediaCheck&, double) {
      std::lock_guard lock(mutex_);
      ++checked_;
      changed_.notify_all();
    };
    runner_.reset();
    checker_ =
        std::make_unique<MediaChecker>(catalog_->checks, *blobs_, clock_, std::move(options));
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
  // A program in the worker's place.
  std::string Impostor(const std::string& script) {
    const std::string path = folder_ / "impostor";
    std::ofstream(path) << "#!/bin/bash\n" << script << "\n";
    ::chmod(path.c_str(), 0755);
    return path;
  }
  v1::MediaCheck MediaOf(const std::string& clip) {
    return catalog_->clips.Get(clip).value().summary().media();
  }

  // Its object.
  BlobId Keep(const std::string& video) {
    auto writer = blobs_->Create(video.size()).value();
    const iovec part{const_cast<char*>(video.data()), video.size()};
    EXPECT_TRUE(writer->WriteAt(0, &part, 1).ok());
    EXPECT_TRUE(writer->Sync().ok());
    return writer->id();
  }
  // With the manifest as it is by now. Its id.
  std::string Commit(TestClip& clip) {
    clip.upload.manifest = clip.manifest.SerializeAsString();
    clip.upload.manifest_sha256 = Sha256::Of(clip.upload.manifest);
    EXPECT_TRUE(CommitTestClip(*catalog_, clip).ok());
    return ClipId(clip.manifest.device(), clip.upload.key);
  }

  TemporaryFolder folder_;
  FakeClock clock_;
  std::unique_ptr<TestCatalog> catalog_ = OpenTestCatalog(folder_ / "catalog.db").value();
  Jobs jobs_{catalog_->database(), clock_};
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
