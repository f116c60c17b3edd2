#include "cloud/media/checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>

#include "clip_file.h"
#include "common/file.h"
#include "common/status.h"
#include "tests/cloud/catalog/catalog_testing.h"
#include "tests/data/log_lines.h"
#include "tests/data/paths.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;

class CheckerTest : public testing::Test {
 protected:
  CheckerTest() {
    blobs_ = FileBlobStore::Open(folder_ / "blobs").value();
    const std::string path = folder_ / "good.mp4";
    MakeVideo("cup.mp4", std::string("-c copy -t 1 ") + kFragmented, path);
    track_ = TrackOf(path);
    video_ = ReadFile(path, 10 << 20).value();
  }
  ~CheckerTest() override { Stop(); }

  void Start(const std::string& program = BinDir() + "/gleaner-media", size_t workers = 2) {
    MediaChecker::Options options;
    options.program = program;
    options.workers = workers;
    options.cpu_ns = 20 * kNanosPerSecond;
    options.on_checked = [this](const v1::MediaCheck&, double) {
      std::lock_guard lock(mutex_);
      ++checked_;
      changed_.notify_all();
    };
    options.on_damage = [this](const std::string& device, const std::string& camera,
                               uint64_t frames) {
      return catalog_->damage.Record(device, camera, frames, clock_.WallNs());
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
  uint64_t WaitingJobs() {
    const auto counts = jobs_.Count().value();
    return counts.empty() ? 0 : counts[0].waiting();
  }

  std::string AddClip(uint64_t sequence, const std::string& video,
                      const std::string& device = "cart-1") {
    TestClip clip = MakeTestClip({.device = device, .sequence = sequence, .preview = false});
    *clip.manifest.mutable_video(0) = track_;
    v1::ClipObject* object = clip.manifest.mutable_objects(0);
    object->set_size_bytes(video.size());
    auto writer = blobs_->Create(video.size()).value();
    const iovec part{const_cast<char*>(video.data()), video.size()};
    EXPECT_TRUE(writer->WriteAt(0, &part, 1).ok());
    EXPECT_TRUE(writer->Sync().ok());
    clip.upload.blobs = {writer->id()};
    clip.upload.manifest = clip.manifest.SerializeAsString();
    clip.upload.manifest_sha256 = Sha256::Of(clip.upload.manifest);
    EXPECT_TRUE(CommitTestClip(*catalog_, clip).ok());
    return ClipId(device, clip.upload.key);
  }
  v1::MediaCheck MediaOf(const std::string& id) {
    return catalog_->clips.Get(id).value().summary().media();
  }

  std::string Impostor(const std::string& script) {
    const std::string path = folder_ / "impostor";
    std::ofstream(path) << "#!/bin/bash\n" << script << "\n";
    ::chmod(path.c_str(), 0755);
    return path;
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

TEST_F(CheckerTest, ChecksWhatWaitsAndWhatArrives) {
  const std::string waiting = AddClip(1, video_);
  Start();
  WaitFor(1);
  EXPECT_EQ(MediaOf(waiting).state(), v1::MediaCheck::STATE_OK) << MediaOf(waiting).problem();
  EXPECT_EQ(MediaOf(waiting).decoded_frames(), track_.frame_count());
  EXPECT_EQ(MediaOf(waiting).thumbnails(), 12u);
  const BlobId thumbnail = catalog_->checks.FindThumbnail(waiting, 11).value();
  std::string bytes;
  ASSERT_TRUE(blobs_->Read(thumbnail, 0, 2, &bytes).ok());
  EXPECT_EQ(bytes, "\xff\xd8");

  const std::string arriving = AddClip(2, video_);
  WaitFor(2);
  EXPECT_EQ(MediaOf(arriving).state(), v1::MediaCheck::STATE_OK);
}

TEST_F(CheckerTest, ClipsThatAreNoVideosAreCountedInTheLogAndNotWrittenOneByOne) {
  constexpr int kClips = 20;
  LogLines log;
  for (int i = 1; i <= kClips; ++i) AddClip(static_cast<uint64_t>(i), "this is no video");
  Start();
  {  // all at one time
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return checked_ >= kClips; });
  }
  Stop();
  const std::string text = log.text();
  EXPECT_THAT(text, HasSubstr("not an MP4 file"));
  size_t lines = 0;
  for (size_t at = 0; (at = text.find("not an MP4", at)) != std::string::npos; ++at) ++lines;
  EXPECT_LT(lines, kClips / 2);
}

TEST_F(CheckerTest, AnUndecodableClipIsFailedWithAReasonAndStays) {
  const std::string id = AddClip(1, video_.substr(0, video_.size() / 2));
  Start();
  WaitFor(1);
  EXPECT_EQ(MediaOf(id).state(), v1::MediaCheck::STATE_FAILED);
  EXPECT_NE(MediaOf(id).problem(), "");
  EXPECT_TRUE(catalog_->clips.FindObject(id, v1::ClipObject::KIND_VIDEO, 0).ok());
}

TEST_F(CheckerTest, ADeviceHearsOfItsCamerasDamageForAnHour) {
  // One frame's bytes are gone, in the middle of the file.
  std::string damaged = video_;
  const size_t at = damaged.size() / 2;
  damaged.replace(at, 200, 200, '\xff');
  const std::string id = AddClip(1, damaged);
  Start();
  WaitFor(1);
  ASSERT_EQ(MediaOf(id).reason(), v1::MediaCheck::REASON_DAMAGED_FRAMES) << MediaOf(id).problem();
  const int64_t now_ns = clock_.WallNs();
  const auto notices = catalog_->damage.Notices("cart-1", now_ns).value();
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_EQ(notices[0].camera(), track_.camera());
  EXPECT_EQ(notices[0].count(), MediaOf(id).damaged_frames());
  EXPECT_THAT(notices[0].text(), HasSubstr("damaged pictures"));
  EXPECT_TRUE(catalog_->damage.Notices("cart-2", now_ns).value().empty());
  EXPECT_TRUE(catalog_->damage.Notices("cart-1", now_ns + 3601 * kNanosPerSecond).value().empty());
}

TEST_F(CheckerTest, AClipThatKillsItsWorkerIsTriedOnce) {
  for (uint64_t i = 1; i <= 3; ++i) AddClip(i, video_);
  const std::string tries = folder_ / "tries";
  Start(Impostor("echo try >> " + tries + "; kill -SEGV $$"));
  WaitFor(3);
  AddClip(4, video_);
  WaitFor(4);
  Stop();
  EXPECT_EQ(ReadFile(tries, 1000).value(), "try\ntry\ntry\ntry\n");
  EXPECT_EQ(WaitingJobs(), 0u);
}

TEST_F(CheckerTest, TroubleThatIsNotTheClipsIsTriedAgainUntilItPasses) {
  const std::string id = AddClip(1, video_);
  // Twice the worker can't begin, then it is the real one.
  const std::string count = folder_ / "count";
  const std::string trouble = "'\\x03\\0\\0\\0\\x05\\0\\0\\0later'";
  Start(Impostor("echo x >> " + count + "; if [ $(wc -l < " + count + ") -le 2 ]; then printf " +
                 trouble + "; exit 1; fi; exec " + BinDir() + "/gleaner-media"));
  WaitFor(1);
  EXPECT_EQ(MediaOf(id).state(), v1::MediaCheck::STATE_OK) << MediaOf(id).problem();
  EXPECT_EQ(ReadFile(count, 1000).value(), "x\nx\nx\n");
}

TEST_F(CheckerTest, AClipWhoseWorkerWasKilledFromOutsideIsTriedAgain) {
  const std::string id = AddClip(1, video_);
  const std::string count = folder_ / "count";
  Start(Impostor("echo x >> " + count + "; [ $(wc -l < " + count + ") -gt 2 ] || kill -KILL $$\n" +
                 "exec " + BinDir() + "/gleaner-media"));
  WaitFor(1);
  EXPECT_EQ(MediaOf(id).state(), v1::MediaCheck::STATE_OK) << MediaOf(id).problem();
}

TEST_F(CheckerTest, AClipWhoseWorkerIsKilledEachTimeIsFailedAtLast) {
  const std::string id = AddClip(1, video_);
  const std::string count = folder_ / "count";
  Start(Impostor("echo x >> " + count + "; kill -KILL $$"));
  WaitFor(1);
  Stop();  // the verdict is told of while the transaction that keeps it is still open
  EXPECT_EQ(MediaOf(id).state(), v1::MediaCheck::STATE_FAILED);
  EXPECT_THAT(MediaOf(id).problem(), HasSubstr("3 times"));
  EXPECT_EQ(ReadFile(count, 1000).value(), "x\nx\nx\n");
}

TEST_F(CheckerTest, AMissingVideoIsAFailedClip) {
  const std::string id = AddClip(1, video_);
  ASSERT_TRUE(
      blobs_->Remove(catalog_->clips.FindObject(id, v1::ClipObject::KIND_VIDEO, 0).value().key)
          .ok());
  Start();
  WaitFor(1);
  EXPECT_THAT(MediaOf(id).problem(), HasSubstr("missing"));
  EXPECT_EQ(MediaOf(id).reason(), v1::MediaCheck::REASON_UNREADABLE);
}

TEST_F(CheckerTest, AStopLeavesTheClipForTheNextStart) {
  const std::string id = AddClip(1, video_);
  const std::string began = folder_ / "began";
  Start(Impostor("echo > " + began + "; sleep 1000"));
  while (::access(began.c_str(), F_OK) != 0) std::this_thread::yield();
  Stop();
  EXPECT_EQ(MediaOf(id).state(), v1::MediaCheck::STATE_PENDING);
  Start();
  WaitFor(1);
  EXPECT_EQ(MediaOf(id).state(), v1::MediaCheck::STATE_OK);
}

// One worker, and the clips of one device arrived first: the other's needn't wait for all of them.
TEST_F(CheckerTest, ADeviceWithManyClipsDoesNotHoldUpAnother) {
  for (uint64_t i = 1; i <= 10; ++i) AddClip(i, std::string(i, 'x'), "cart-1");
  for (uint64_t i = 1; i <= 2; ++i) AddClip(i, std::string(20 + i, 'x'), "cart-2");
  const std::string sizes = folder_ / "sizes";
  Start(Impostor("stat -Lc %s /proc/self/fd/0 >> " + sizes + "; exit 3"), 1);
  WaitFor(12);
  Stop();
  EXPECT_EQ(ReadFile(sizes, 1000).value(), "1\n21\n2\n22\n3\n4\n5\n6\n7\n8\n9\n10\n");
}

TEST_F(CheckerTest, LooksAtEachOfManyClipsOnce) {
  for (uint64_t i = 1; i <= 80; ++i) AddClip(i, "tiny");
  const std::string tries = folder_ / "tries";
  Start(Impostor("echo x >> " + tries + "; exit 3"), 4);
  WaitFor(80);
  Stop();
  EXPECT_EQ(ReadFile(tries, 1000).value().size(), 80 * std::string("x\n").size());
  EXPECT_EQ(WaitingJobs(), 0u);
}

}  // namespace
}  // namespace gleaner::cloud
