#include "cloud/media/checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "common/status.h"
#include "tests/cloud/media/checker_testing.h"
#include "tests/data/log_lines.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;

class CheckerTest : public CheckerRig {
 protected:
  CheckerTest() : CheckerRig(1) {}

  void Start(const std::string& program = "", size_t workers = 2) {
    CheckerRig::Start({.program = program,
                       .workers = workers,
                       .on_damage = [this](const std::string& device, const std::string& camera,
                                           uint64_t frames) {
                         return catalog_->damage.Record(device, camera, frames, clock_.WallNs());
                       }});
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
    clip.upload.blobs = {Keep(video)};
    return Commit(clip);
  }
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

class CancelledCheckTest : public CheckerTest {
 protected:
  uint64_t JobOf(const std::string& clip) {
    v1::ListJobsRequest request;
    request.set_subject(clip);
    return jobs_.List(request)->jobs(0).number();
  }
  void ExpectCancelled(const std::string& clip) {
    EXPECT_EQ(MediaOf(clip).state(), v1::MediaCheck::STATE_FAILED);
    EXPECT_EQ(MediaOf(clip).reason(), v1::MediaCheck::REASON_CANCELLED);
    EXPECT_THAT(MediaOf(clip).problem(), HasSubstr(fmt::format("jobs retry {}`", JobOf(clip))));
  }
};

TEST_F(CancelledCheckTest, OneThatWaitsIsAVerdictAtOnceAndARetryChecksTheClip) {
  Start();
  Stop();  // the kind is known, and nothing runs
  const std::string id = AddClip(1, video_);
  ASSERT_TRUE(jobs_.Cancel(JobOf(id)).ok());
  ExpectCancelled(id);
  ASSERT_TRUE(jobs_.Retry(JobOf(id)).ok());
  Start();
  WaitFor(1);
  EXPECT_EQ(MediaOf(id).state(), v1::MediaCheck::STATE_OK) << MediaOf(id).problem();
  EXPECT_EQ(MediaOf(id).reason(), v1::MediaCheck::REASON_UNSPECIFIED);
}

TEST_F(CancelledCheckTest, OneThatRunsIsAVerdictOnceItsWorkerHasEnded) {
  const std::string id = AddClip(1, video_);
  const std::string began = folder_ / "began";
  Start(Impostor("echo > " + began + "; sleep 1000"));
  while (::access(began.c_str(), F_OK) != 0) std::this_thread::yield();
  ASSERT_TRUE(jobs_.Cancel(JobOf(id)).ok());
  while (MediaOf(id).state() == v1::MediaCheck::STATE_PENDING) {
    clock_.Advance(kNanosPerSecond);
    runner_->Tick();
  }
  ExpectCancelled(id);
}

TEST_F(CancelledCheckTest, WhatAnEarlierCheckFoundStaysWhenAnotherLookIsCancelled) {
  const std::string id = AddClip(1, video_);
  Start();
  WaitFor(1);
  Stop();
  ASSERT_TRUE(catalog_->database()
                  .Write([&](Sql& sql) {
                    AskForMediaCheck(sql, "cart-1", id, clock_.WallNs());
                    return absl::OkStatus();
                  })
                  .ok());
  ASSERT_EQ(jobs_.Cancel(JobOf(id)).value().state(), v1::Job::STATE_CANCELLED);
  EXPECT_EQ(MediaOf(id).state(), v1::MediaCheck::STATE_OK);
  EXPECT_EQ(MediaOf(id).thumbnails(), 12u);
}

// A device hears of damage in what is new, and that nobody has looked doesn't make a clip old.
TEST_F(CancelledCheckTest, DoesNotCountAsALook) {
  const std::string id = AddClip(1, video_);
  EXPECT_FALSE(catalog_->checks.Find(id)->checked);
  v1::MediaCheck verdict;
  verdict.set_state(v1::MediaCheck::STATE_FAILED);
  verdict.set_reason(v1::MediaCheck::REASON_CANCELLED);
  ASSERT_TRUE(RecordTestCheck(catalog_->database(), id, verdict, {}).ok());
  EXPECT_FALSE(catalog_->checks.Find(id)->checked);
  verdict.set_reason(v1::MediaCheck::REASON_WORKER_DIED);
  ASSERT_TRUE(RecordTestCheck(catalog_->database(), id, verdict, {}).ok());
  EXPECT_TRUE(catalog_->checks.Find(id)->checked);
}

TEST(MediaUpgradeTest, ClipsThatACancelledCheckLeftWithoutAVerdictAreLookedAt) {
  TemporaryFolder folder;
  const std::string path = TestDatabase(folder / "before.db");
  std::vector<RoomTables> before = AllRooms().tables;
  for (RoomTables& room : before) {
    if (room.room == "media") room.migrations = room.migrations.first(2);
  }
  std::array<std::string, 3> clips;  // left, waiting, checked
  {
    TestCatalog catalog(Database::Open(path, before).value());
    for (size_t i = 0; i < clips.size(); ++i) {
      const TestClip clip = MakeTestClip({.sequence = i + 1});
      ASSERT_TRUE(CommitTestClip(catalog, clip).ok());
      clips.at(i) = ClipId("cart-1", clip.upload.key);
    }
    FakeClock clock;
    Jobs jobs(catalog.database(), clock);
    ASSERT_TRUE(jobs.Cancel(1).ok());
    ASSERT_TRUE(jobs.Cancel(3).ok());
    v1::MediaCheck good;
    good.set_state(v1::MediaCheck::STATE_OK);
    ASSERT_TRUE(RecordTestCheck(catalog.database(), clips[2], good, {}).ok());
  }
  TestCatalog catalog(Database::Open(path, AllRooms().tables).value());
  FakeClock clock;
  Jobs jobs(catalog.database(), clock);
  EXPECT_EQ(jobs.Count()->at(0).waiting(), 2u);
  EXPECT_EQ(jobs.Claim(kMediaCheck, "cart-1", "me").value()->job.subject(), clips[1]);
  EXPECT_EQ(jobs.Claim(kMediaCheck, "cart-1", "me").value()->job.subject(), clips[0]);
  EXPECT_FALSE(jobs.Claim(kMediaCheck, "cart-1", "me").value());
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
