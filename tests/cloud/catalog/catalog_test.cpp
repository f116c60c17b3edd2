#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "cloud/jobs/jobs.h"
#include "common/status.h"
#include "tests/cloud/catalog/catalog_testing.h"
#include "tests/data/paths.h"

namespace gleaner::cloud {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kNow = 1'700'000'000 * kNanosPerSecond;

class CatalogTest : public testing::Test {
 protected:
  CatalogTest() { Open(); }
  void Open() {
    catalog_.reset();
    auto opened = OpenTestCatalog(path_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    catalog_ = *std::move(opened);
  }
  void Commit(const TestClipOptions& options) {
    const absl::Status status = CommitTestClip(*catalog_, MakeTestClip(options));
    ASSERT_TRUE(status.ok()) << status;
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_ / "state/catalog.db";
  FakeClock clock_;
  std::unique_ptr<TestCatalog> catalog_;
};

// What is of SQLite's file alone.
using SqliteFileTest = CatalogTest;

TEST_F(CatalogTest, AnUploadIsFoundUntilItIsAClip) {
  TestClip clip = MakeTestClip({});
  clip.upload.size_bytes = 1'020'000;
  EXPECT_FALSE(catalog_->uploads.Find("cart-1", clip.upload.key)->has_value());
  ASSERT_TRUE(catalog_->uploads.Begin(clip.upload).ok());
  Open();
  const auto upload = *catalog_->uploads.Find("cart-1", clip.upload.key);
  ASSERT_TRUE(upload.has_value());
  EXPECT_EQ(upload->manifest, clip.upload.manifest);
  EXPECT_EQ(upload->manifest_sha256, clip.upload.manifest_sha256);
  EXPECT_EQ(upload->blobs, clip.upload.blobs);
  EXPECT_EQ(upload->begun_unix_ns, clip.upload.begun_unix_ns);
  EXPECT_EQ(upload->size_bytes, clip.upload.size_bytes);
  EXPECT_EQ(catalog_->uploads.Sum("cart-1")->count, 1u);
  EXPECT_FALSE(catalog_->uploads.Find("cart-2", clip.upload.key)->has_value());
  EXPECT_FALSE(catalog_->uploads.FindCommitted("cart-1", clip.upload.key)->has_value());

  ASSERT_TRUE(catalog_->uploads.Commit(clip.upload, clip.manifest, 77).ok());
  Open();
  EXPECT_FALSE(catalog_->uploads.Find("cart-1", clip.upload.key)->has_value());
  EXPECT_EQ(catalog_->uploads.Sum("cart-1")->count, 0u);
  const auto committed = *catalog_->uploads.FindCommitted("cart-1", clip.upload.key);
  ASSERT_TRUE(committed.has_value());
  EXPECT_EQ(committed->manifest_sha256, clip.upload.manifest_sha256);
  EXPECT_EQ(committed->committed_unix_ns, 77);
}

TEST_F(CatalogTest, AClipIsNotCommittedWithBlobsThatAnotherBeginningReplaced) {
  TestClip clip = MakeTestClip({});
  const UploadRow first = clip.upload;
  ASSERT_TRUE(catalog_->uploads.Begin(first).ok());
  clip.upload.blobs[0] = std::string(32, 'e');
  ASSERT_TRUE(catalog_->uploads.Begin(clip.upload).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(catalog_->uploads.Commit(first, clip.manifest, 77)));
  EXPECT_TRUE(catalog_->uploads.Commit(clip.upload, clip.manifest, 77).ok());
}

TEST_F(CatalogTest, AClipThatIsWholeBeforeItsUploadHasBegunIsCommittedAtOnce) {
  TestClip clip = MakeTestClip({});
  clip.upload.begun = false;
  ASSERT_TRUE(catalog_->uploads.Commit(clip.upload, clip.manifest, 77).ok());
  ASSERT_TRUE(catalog_->uploads.Commit(clip.upload, clip.manifest, 78).ok());
  Open();
  EXPECT_EQ((*catalog_->uploads.FindCommitted("cart-1", clip.upload.key))->committed_unix_ns, 77);
  EXPECT_EQ(catalog_->GetSummary(kNow)->clips(), 1u);
  EXPECT_EQ(catalog_->clips.FindManifest(ClipId("cart-1", clip.upload.key))->bytes,
            clip.upload.manifest);
  EXPECT_THAT(*catalog_->names.Find(clip.upload.blobs[1]), ElementsAre(clip.upload.blobs[1]));
}

TEST_F(CatalogTest, AClipDoesNotTakeThePlaceOfAnUploadThatItKnowsNothingOf) {
  TestClip clip = MakeTestClip({});
  ASSERT_TRUE(catalog_->uploads.Begin(clip.upload).ok());
  clip.upload.begun = false;
  clip.upload.blobs[0] = std::string(32, 'e');
  EXPECT_TRUE(absl::IsFailedPrecondition(catalog_->uploads.Commit(clip.upload, clip.manifest, 77)));
  TestClip other = MakeTestClip({.note = "made anew"});
  other.upload.begun = false;
  EXPECT_TRUE(
      absl::IsFailedPrecondition(catalog_->uploads.Commit(other.upload, other.manifest, 77)));
  EXPECT_EQ(catalog_->GetSummary(kNow)->clips(), 0u);
}

TEST_F(CatalogTest, FindsTheBlobsOfASegmentInTheirOrder) {
  TestClip clip = MakeTestClip({});
  clip.upload.blobs = {"00000000000a" + std::string(20, '7'),
                       "00000000000a" + std::string(20, '1')};
  ASSERT_TRUE(catalog_->uploads.Begin(clip.upload).ok());
  TestClip other = MakeTestClip({.sequence = 2});
  other.upload.blobs = {"00000000000b" + std::string(20, '0'),
                        "000000000009" + std::string(20, 'f')};
  ASSERT_TRUE(CommitTestClip(*catalog_, other).ok());
  EXPECT_THAT(*catalog_->names.Find("00000000000a"),
              ElementsAre(clip.upload.blobs[1], clip.upload.blobs[0]));
  EXPECT_THAT(*catalog_->names.Find("00000000000c"), IsEmpty());
}

TEST_F(CatalogTest, CommittingTwiceIsOneClip) {
  const TestClip clip = MakeTestClip({});
  ASSERT_TRUE(CommitTestClip(*catalog_, clip).ok());
  ASSERT_TRUE(catalog_->uploads.Commit(clip.upload, clip.manifest, 99).ok());
  EXPECT_EQ(catalog_->GetSummary(kNow)->clips(), 1u);
  EXPECT_NE((*catalog_->uploads.FindCommitted("cart-1", clip.upload.key))->committed_unix_ns, 99);
  EXPECT_TRUE(absl::IsAlreadyExists(catalog_->uploads.Begin(clip.upload)));
}

TEST_F(CatalogTest, ADroppedUploadCannotBeCommittedAndNamesNothing) {
  const TestClip clip = MakeTestClip({});
  ASSERT_TRUE(catalog_->uploads.Begin(clip.upload).ok());
  EXPECT_THAT(*catalog_->names.Find(clip.upload.blobs[0]), ElementsAre(clip.upload.blobs[0]));
  ASSERT_TRUE(catalog_->uploads.Drop("cart-1", clip.upload.key).ok());
  EXPECT_THAT(*catalog_->names.Find(clip.upload.blobs[0]), IsEmpty());
  EXPECT_TRUE(
      absl::IsFailedPrecondition(catalog_->uploads.Commit(clip.upload, clip.manifest, kNow)));
  EXPECT_TRUE(catalog_->uploads.Drop("cart-1", clip.upload.key).ok());
}

TEST_F(CatalogTest, DroppingAnUploadNeverTouchesAClip) {
  const TestClip clip = MakeTestClip({});
  ASSERT_TRUE(CommitTestClip(*catalog_, clip).ok());
  ASSERT_TRUE(catalog_->uploads.Drop("cart-1", clip.upload.key).ok());
  EXPECT_EQ(*catalog_->uploads.DropBefore(kNow * 2), 0u);
  EXPECT_THAT(*catalog_->names.Find(clip.upload.blobs[0]), ElementsAre(clip.upload.blobs[0]));
  EXPECT_TRUE(catalog_->uploads.FindCommitted("cart-1", clip.upload.key)->has_value());
}

TEST_F(CatalogTest, BeginningAgainReplacesTheBlobs) {
  TestClip clip = MakeTestClip({});
  ASSERT_TRUE(catalog_->uploads.Begin(clip.upload).ok());
  const BlobId old = clip.upload.blobs[1];
  clip.upload.blobs[1] = BlobId(32, 'f');
  ASSERT_TRUE(catalog_->uploads.Begin(clip.upload).ok());
  EXPECT_EQ((*catalog_->uploads.Find("cart-1", clip.upload.key))->blobs, clip.upload.blobs);
  EXPECT_THAT(*catalog_->names.Find(old), IsEmpty());
  EXPECT_EQ(catalog_->uploads.Sum("cart-1")->count, 1u);
}

TEST_F(CatalogTest, ForgetsUploadsThatNeverEnded) {
  ASSERT_TRUE(catalog_->uploads.Begin(MakeTestClip({.sequence = 1, .fired_ns = 100}).upload).ok());
  ASSERT_TRUE(catalog_->uploads.Begin(MakeTestClip({.sequence = 2, .fired_ns = 200}).upload).ok());
  EXPECT_EQ(*catalog_->uploads.DropBefore(200), 1u);
  EXPECT_FALSE(catalog_->uploads.Find("cart-1", {TestBoot(1), 1})->has_value());
  EXPECT_TRUE(catalog_->uploads.Find("cart-1", {TestBoot(1), 2})->has_value());
}

TEST_F(CatalogTest, NoLeaseIsGivenTwiceAlsoAfterRestarts) {
  std::set<uint64_t> leases;
  for (int restart = 0; restart < 3; ++restart) {
    for (int i = 0; i < 100; ++i) {
      const uint64_t lease = *catalog_->uploads.NextLease();
      EXPECT_GT(lease, 0u);
      EXPECT_TRUE(leases.insert(lease).second) << lease;
    }
    Open();
  }
}

TEST_F(CatalogTest, ServesObjectsThumbnailsAndTheExactManifest) {
  const TestClip clip = MakeTestClip({});
  ASSERT_TRUE(CommitTestClip(*catalog_, clip).ok());
  const std::string id = ClipId("cart-1", clip.upload.key);
  const auto manifest = *catalog_->clips.FindManifest(id);
  EXPECT_EQ(manifest.bytes, clip.upload.manifest);
  EXPECT_EQ(manifest.sha256, clip.upload.manifest_sha256);
  const auto video = *catalog_->clips.FindObject(id, v1::ClipObject::KIND_VIDEO, 0);
  EXPECT_EQ(video.key, clip.upload.blobs[1]);
  EXPECT_EQ(video.size_bytes, 1'000'000u);
  EXPECT_EQ(video.content_type, "video/mp4");
  EXPECT_EQ(AsBytes(video.sha256), clip.manifest.objects(1).sha256());
  EXPECT_EQ(catalog_->clips.FindObject(id, v1::ClipObject::KIND_PREVIEW, 0)->key,
            clip.upload.blobs[0]);
  const auto missing = catalog_->clips.FindObject(id, v1::ClipObject::KIND_SAMPLES, 0).status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_NE(Message(missing).find("samples"), std::string_view::npos);
  EXPECT_TRUE(
      absl::IsNotFound(catalog_->clips.FindObject(id, v1::ClipObject::KIND_VIDEO, 1).status()));
  EXPECT_TRUE(absl::IsNotFound(catalog_->clips.FindManifest("0123").status()));
  EXPECT_TRUE(absl::IsNotFound(catalog_->checks.FindThumbnail(id, 0).status()));
}

TEST_F(CatalogTest, MediaIsPendingUntilItIsRecordedAndMayBeRecordedAgain) {
  const TestClip clip = MakeTestClip({});
  ASSERT_TRUE(CommitTestClip(*catalog_, clip).ok());
  ASSERT_TRUE(CommitTestClip(*catalog_, MakeTestClip({.sequence = 2})).ok());
  const std::string id = ClipId("cart-1", clip.upload.key);
  const ClipMedia media = *catalog_->checks.Find(id);
  EXPECT_EQ(media.videos, (std::vector<BlobId>{clip.upload.blobs[1]}));
  EXPECT_EQ(media.manifest, clip.upload.manifest);
  EXPECT_TRUE(absl::IsNotFound(catalog_->checks.Find("0123").status()));
  v1::MediaCheck check;
  check.set_state(v1::MediaCheck::STATE_FAILED);
  check.set_problem("119 frames, the manifest says 120");
  check.set_decoded_frames(119);
  check.set_reason(v1::MediaCheck::REASON_FRAME_COUNT);
  check.set_damaged_frames(3);
  const std::vector<BlobId> first = {BlobId(32, '1'), BlobId(32, '2')};
  ASSERT_TRUE(RecordTestCheck(catalog_->database(), id, check, first).ok());
  EXPECT_EQ(*catalog_->checks.FindThumbnail(id, 1), first[1]);
  EXPECT_THAT(*catalog_->names.Find("1"), ElementsAre(first[0]));
  EXPECT_EQ(catalog_->GetSummary(kNow)->media_failed(), 1u);
  EXPECT_EQ(catalog_->clips.Get(id)->summary().media().problem(), check.problem());
  EXPECT_EQ(catalog_->clips.Get(id)->summary().media().thumbnails(), 2u);
  EXPECT_EQ(catalog_->clips.Get(id)->summary().media().reason(),
            v1::MediaCheck::REASON_FRAME_COUNT);
  EXPECT_EQ(catalog_->clips.Get(id)->summary().media().damaged_frames(), 3u);

  check.set_state(v1::MediaCheck::STATE_OK);
  check.clear_problem();
  ASSERT_TRUE(RecordTestCheck(catalog_->database(), id, check, {BlobId(32, '3')}).ok());
  EXPECT_THAT(*catalog_->names.Find("1"), IsEmpty());
  EXPECT_EQ(catalog_->GetSummary(kNow)->media_failed(), 0u);
  EXPECT_EQ(catalog_->GetSummary(kNow)->media_ok(), 1u);
  EXPECT_TRUE(absl::IsNotFound(RecordTestCheck(catalog_->database(), "0123", check, {})));
}

TEST_F(CatalogTest, AClipIsCommittedWithTheJobThatLooksAtIt) {
  FakeClock clock;
  Jobs jobs(catalog_->database(), clock);
  for (uint64_t i = 1; i <= 2; ++i) Commit({.device = "cart-2", .sequence = i});
  Commit({.device = "gate-1", .sequence = 1});
  EXPECT_THAT(*jobs.FindShares(kMediaCheck), ElementsAre("cart-2", "gate-1"));
  const auto first = *jobs.Claim(kMediaCheck, "cart-2", "me");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->job.subject(), ClipId("cart-2", {TestBoot(1), 1}));
}

TEST_F(CatalogTest, ManyThreadsShareTransactionsAndAllAreDurable) {
  std::vector<std::jthread> threads;
  std::atomic<int> failed{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 1; i <= 50; ++i) {
        const TestClip clip = MakeTestClip({.device = fmt::format("cart-{}", t), .sequence = i});
        failed += CommitTestClip(*catalog_, clip).ok() ? 0 : 1;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(failed, 0);
  Open();
  EXPECT_EQ(catalog_->GetSummary(kNow)->clips(), 400u);
  EXPECT_EQ(catalog_->GetSummary(kNow)->bytes(), 400u * 1'020'000u);
}

// A trigger makes the database itself refuse one device's rows, so that the transaction which
// others share fails: all but the bad change must come through, once each.
TEST_F(SqliteFileTest, OneBadChangeDoesNotFailItsNeighbours) {
  catalog_.reset();
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db,
                         "CREATE TRIGGER bad BEFORE INSERT ON upload WHEN NEW.device = 'bad' BEGIN "
                         "SELECT RAISE(ABORT, 'no'); END",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);
  Open();
  std::vector<std::jthread> threads;
  std::atomic<int> failed{0}, refused{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 1; i <= 20; ++i) {
        const std::string device = t == 0 ? "bad" : fmt::format("cart-{}", t);
        const bool ok =
            CommitTestClip(*catalog_, MakeTestClip({.device = device, .sequence = i})).ok();
        if (!ok) ++(t == 0 ? refused : failed);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(refused, 20);
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(catalog_->GetSummary(kNow)->clips(), 140u);
}

TEST_F(CatalogTest, ConflictsAreKeptOncePerClip) {
  const TestClip clip = MakeTestClip({});
  ASSERT_TRUE(CommitTestClip(*catalog_, clip).ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(catalog_->uploads
                    .RecordConflict("cart-1", clip.upload.key,
                                    Sha256::Of(std::string(1, static_cast<char>(i))), kNow + i)
                    .ok());
  }
  int rows = 0, times = 0;
  ASSERT_TRUE(catalog_->database()
                  .Read([&](Sql& sql) {
                    sql.Query("SELECT times FROM conflict", In(), Out(times), [&] { ++rows; });
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(times, 3);
  EXPECT_EQ(rows, 1);
}

TEST_F(SqliteFileTest, ADamagedFileIsAClearErrorAndStaysAsItIs) {
  Commit({});
  catalog_.reset();
  const std::string garbage(20'000, 'x');
  std::ofstream(path_, std::ios::binary | std::ios::trunc) << garbage;
  const auto opened = OpenTestCatalog(path_);
  ASSERT_TRUE(absl::IsDataLoss(opened.status())) << opened.status();
  EXPECT_NE(Message(opened.status()).find(path_), std::string_view::npos);
  std::stringstream now;
  now << std::ifstream(path_, std::ios::binary).rdbuf();
  EXPECT_EQ(now.str(), garbage);
}

TEST_F(SqliteFileTest, ATornPageIsFoundAtTheStart) {
  for (uint64_t i = 1; i <= 200; ++i) Commit({.sequence = i});
  catalog_.reset();
  {
    // Zero every page but the first, as a disk that lost its cache might.
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(4096);
    const std::string zeros(40 * 4096, '\0');
    file.write(zeros.data(), static_cast<std::streamsize>(zeros.size()));
  }
  EXPECT_TRUE(absl::IsDataLoss(OpenTestCatalog(path_).status()));
}

TEST_F(CatalogTest, ACatalogOfANewerProgramIsRefused) {
  ASSERT_TRUE(catalog_->database()
                  .Write([](Sql& sql) {
                    sql.Run("UPDATE room SET version = 99", In());
                    return absl::OkStatus();
                  })
                  .ok());
  catalog_.reset();
  const auto opened = OpenTestCatalog(path_);
  EXPECT_TRUE(absl::IsFailedPrecondition(opened.status())) << opened.status();
}

TEST_F(CatalogTest, CheckSaysWhetherItCanCommit) { EXPECT_TRUE(catalog_->database().Check().ok()); }

// Kills the writer while it commits from four threads, and counts the numbers it had announced that
// are not in the catalog.
size_t CountLostAfterAKill(const char* when, int announcements) {
  TemporaryFolder folder;
  const std::string path = folder / "catalog.db";
  (void)TestDatabase(path);  // its server is ours, and not the writer's to take with it
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::execl((BinDir() + "/catalog_writer").c_str(), "catalog_writer", path.c_str(), when, nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  FILE* lines = ::fdopen(ends[0], "r");
  std::set<uint64_t> announced;
  unsigned long long sequence = 0;  // NOLINT(google-runtime-int): fscanf's
  while (::fscanf(lines, "%llu", &sequence) == 1) {
    announced.insert(sequence);
    if (announced.size() == static_cast<size_t>(announcements)) ::kill(child, SIGKILL);
  }
  ::fclose(lines);
  EXPECT_GE(announced.size(), static_cast<size_t>(announcements));
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself: " << status;
  auto catalog = OpenTestCatalog(path);
  EXPECT_TRUE(catalog.ok()) << catalog.status();
  size_t lost = 0;
  for (const uint64_t one : announced) {
    lost += (*catalog)->uploads.FindCommitted("cart-1", {TestBoot(1), one})->has_value() ? 0 : 1;
  }
  return lost;
}

TEST(CatalogCrash, EveryClipAnnouncedAfterItsCommitSurvivesAKill) {
  for (int round = 0; round < 5; ++round) {
    EXPECT_EQ(CountLostAfterAKill("after", 40 + 30 * round), 0u);
  }
}

TEST(CatalogCrash, ClipsAnnouncedBeforeTheirCommitAreLost) {
  size_t lost = 0;
  for (int round = 0; round < 5; ++round) lost += CountLostAfterAKill("before", 40 + 30 * round);
  EXPECT_GT(lost, 0u);
}

}  // namespace
}  // namespace gleaner::cloud
