// A server killed at each named step of ingest, and what must hold then: every clip with a receipt
// is whole, nothing is there twice, and a cut makes the device send at most one chunk again.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/cloud/ingest/ingest_testing.h"
#include "tests/data/paths.h"
#include "tests/data/test_bucket.h"

namespace gleaner::cloud {
namespace {

// A server process.
class Child {
 public:
  Child(const std::string& folder, const std::string& crash_at, const char* acknowledge) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      if (!crash_at.empty()) ::setenv("GLEANER_CRASH_AT", crash_at.c_str(), 1);
      ::execl((BinDir() + "/ingest_server").c_str(), "ingest_server", folder.c_str(), acknowledge,
              nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    FILE* lines = ::fdopen(ends[0], "r");
    EXPECT_EQ(::fscanf(lines, "%d", &port_), 1);
    ::fclose(lines);
  }
  ~Child() { Kill(); }
  // True if it was killed, by itself or now.
  void Kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  }
  std::string address() const { return fmt::format("127.0.0.1:{}", port_); }

 private:
  pid_t pid_ = -1;
  int port_ = 0;
};

struct Outcome {
  size_t receipts_before = 0;
  size_t lost = 0;  // receipts without a whole clip
  uint64_t resent = 0;
  bool crashed = false;
};

// Two clips are sent to a server that dies at `crash_at`, then the rest to one that doesn't.
// `at_once`: each clip's chunks without waiting for an answer.
Outcome CrashAndGoOn(const std::string& crash_at, const char* acknowledge, bool at_once = false) {
  TemporaryFolder folder;
  std::vector<SentClip> clips;
  for (uint64_t i = 1; i <= 2; ++i) clips.push_back(MakeClip("cart-1", i));
  Outcome outcome;
  std::vector<const SentClip*> receipted;
  uint64_t sent = 0, payload = 0;
  if (InBucket()) (void)TestBucket(folder.path());  // the store that the servers find
  {
    Child child(folder.path(), crash_at, acknowledge);
    TestDevice device(child.address(), grpc::InsecureChannelCredentials(), "cart-1");
    for (const SentClip& clip : clips) {
      const auto progress = at_once ? device.UploadAtOnce(clip) : device.Upload(clip);
      sent += progress.sent;
      if (progress.receipt) receipted.push_back(&clip);
    }
    outcome.crashed = receipted.size() < clips.size() || !device.Finish().ok();
  }
  outcome.receipts_before = receipted.size();
  {
    auto catalog = *OpenTestCatalog(folder / "catalog.db");
    auto blobs = *FileBlobStore::Open(folder / "blobs");
    TestObjects objects(*blobs, folder.path());
    for (const SentClip* clip : receipted) {
      outcome.lost += WhatIsWrong(*catalog, *objects, "cart-1", *clip).empty() ? 0 : 1;
    }
  }
  {
    Child child(folder.path(), "", "late");
    TestDevice device(child.address(), grpc::InsecureChannelCredentials(), "cart-1");
    for (const SentClip& clip : clips) {
      const auto progress = device.Upload(clip);
      EXPECT_TRUE(progress.receipt.has_value()) << crash_at;
      sent += progress.sent;
      payload += clip.payload();
    }
  }
  outcome.resent = sent - std::min(sent, payload);
  auto catalog = *OpenTestCatalog(folder / "catalog.db");
  auto blobs = *FileBlobStore::Open(folder / "blobs");
  TestObjects objects(*blobs, folder.path());
  for (const SentClip& clip : clips) {
    EXPECT_EQ(WhatIsWrong(*catalog, *objects, "cart-1", clip), "") << crash_at;
  }
  EXPECT_EQ(catalog->GetSummary(0)->clips(), clips.size()) << crash_at;
  EXPECT_GE(sent, payload);
  return outcome;
}

std::vector<const char*> Steps() {
  std::vector<const char*> steps = {
      "ingest.offer_checked",  "ingest.blobs_created",      "ingest.offer_durable",
      "ingest.granted",        "ingest.chunk_written",      "ingest.synced",
      "ingest.progress_sent",  "ingest.last_chunk_written", "ingest.all_synced",
      "ingest.clip_committed", "ingest.receipt_sent",       "catalog.before_commit",
      "catalog.after_commit",
  };
  if (InBucket()) steps.push_back("ingest.objects_made");
  return steps;
}

class IngestCrash : public testing::TestWithParam<const char*> {};

TEST_P(IngestCrash, LosesNoReceiptAndResumesWithinAChunk) {
  for (int nth = 1; nth <= 3; ++nth) {
    const std::string at = fmt::format("{}:{}", GetParam(), nth);
    SCOPED_TRACE(at);
    const Outcome outcome = CrashAndGoOn(at, "late");
    EXPECT_TRUE(outcome.crashed || nth == 3) << "the step was never reached";
    EXPECT_EQ(outcome.lost, 0u);
    EXPECT_LE(outcome.resent, kBlockBytes);
  }
}

// A clip that is whole before anything of it was told goes without a row of its own: what is sent
// again is then the clip, and still nothing is lost or there twice.
TEST_P(IngestCrash, LosesNoReceiptOfAClipThatCameAtOnce) {
  for (int nth = 1; nth <= 2; ++nth) {
    const std::string at = fmt::format("{}:{}", GetParam(), nth);
    SCOPED_TRACE(at);
    const Outcome outcome = CrashAndGoOn(at, "late", /*at_once=*/true);
    EXPECT_EQ(outcome.lost, 0u);
    EXPECT_LE(outcome.resent, MakeClip("cart-1", 1).payload());
  }
}

INSTANTIATE_TEST_SUITE_P(AtEachStep, IngestCrash, testing::ValuesIn(Steps()), [](const auto& step) {
  std::string name = step.param;
  for (char& c : name) c = c == '.' ? '_' : c;
  return name;
});

// The negative control: the same check finds clips whose receipt left before their commit.
TEST(IngestCrashControl, ReceiptsThatLeaveBeforeTheCommitAreFoundLost) {
  size_t lost = 0;
  for (int round = 0; round < 5 && lost == 0; ++round) {
    lost += CrashAndGoOn("ingest.all_synced:1", "early").lost;
  }
  EXPECT_GT(lost, 0u);
}

}  // namespace
}  // namespace gleaner::cloud
