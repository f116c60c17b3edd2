// What a start, `fsck` and `status` make of damage.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/file.h"
#include "common/limits.h"
#include "edge/spool/fsck.h"
#include "edge/spool/status.h"
#include "tests/edge/spool/spool_testing.h"

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kMiB = 1 << 20;

class Damage : public ::testing::Test {
 protected:
  std::unique_ptr<Spool> Open() {
    auto spool = Spool::Open(options_, clock_, kTestBoot);
    EXPECT_TRUE(spool.ok()) << spool.status();
    return spool.ok() ? *std::move(spool) : nullptr;
  }
  // Three clips of one object of three blocks.
  void Fill() {
    const auto spool = Open();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(AddTestClip(*spool, {700'000}).ok());
  }
  void Sql(const std::string& sql) {
    SQLite::Database db(LedgerPath(options_.directory), SQLite::OPEN_READWRITE);
    ASSERT_GT(db.exec(sql), 0) << sql;
  }
  void Overwrite(const std::string& path, uint64_t offset, std::string_view bytes) {
    const Fd fd = *OpenFile(path, O_RDWR);
    ASSERT_TRUE(WriteAt(fd.get(), bytes.data(), bytes.size(), offset).ok());
  }
  static std::vector<std::string> Problems(const FsckReport& report) {
    std::vector<std::string> problems;
    for (const FsckProblem& problem : report.problems) {
      problems.push_back(std::to_string(problem.key.sequence) + ": " + problem.what);
    }
    return problems;
  }

  TempFolder folder_;
  FakeClock clock_;
  SpoolOptions options_{.directory = folder_.path() + "/spool", .quota_bytes = 4 * kMiB};
};

TEST_F(Damage, AnUnreadableLedgerIsSetAsideAndTheDaemonStarts) {
  Fill();
  const BootId before = Open()->boot_id();
  for (int time = 1; time <= 4; ++time) {
    Overwrite(LedgerPath(options_.directory), 0, std::string(4096, 'x'));
    const auto spool = Open();
    ASSERT_NE(spool, nullptr);
    EXPECT_NE(spool->boot_id(), before);  // a new spool: numbers may start again from 1
    EXPECT_EQ(spool->stats().used_bytes, 0u);
    EXPECT_EQ(ReadSpoolStatus(options_.directory)->ledgers_set_aside(),
              static_cast<uint64_t>(time));
    ASSERT_TRUE(AddTestClip(*spool, {700'000}).ok());
  }
  std::vector<std::string> kept;
  for (const auto& entry : std::filesystem::directory_iterator(options_.directory)) {
    const std::string name = entry.path().filename();
    if (name.find("corrupt") != std::string::npos && !name.ends_with("-wal")) kept.push_back(name);
  }
  EXPECT_THAT(kept, ::testing::UnorderedElementsAre("spool.db.corrupt-3", "spool.db.corrupt-4"));
}

TEST_F(Damage, ALargeLedgerThatIsDamagedInARowsPageIsSetAsideToo) {
  Fill();
  int64_t page = 0;
  {
    SQLite::Database db(LedgerPath(options_.directory), SQLite::OPEN_READWRITE);
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    page = db.execAndGet("SELECT rootpage FROM sqlite_master WHERE name = 'part'").getInt64();
  }
  Overwrite(LedgerPath(options_.directory), static_cast<uint64_t>(page - 1) * 1024,
            std::string(1024, 'x'));
  const auto spool = SpoolInternals::Open(options_, clock_, kTestBoot, {.quick_check_bytes = 0});
  ASSERT_TRUE(spool.ok()) << spool.status();
  EXPECT_EQ((*spool)->stats().pending_clips, 0u);
  EXPECT_TRUE(std::filesystem::exists(LedgerPath(options_.directory) + ".corrupt-1"));
  EXPECT_TRUE(AddTestClip(**spool, {700'000}).ok());
}

TEST_F(Damage, AnEmptyLedgerFileIsSetAside) {
  Fill();
  std::filesystem::remove(LedgerPath(options_.directory) + "-wal");
  std::filesystem::resize_file(LedgerPath(options_.directory), 0);
  EXPECT_EQ(Open()->stats().pending_clips, 0u);
  EXPECT_TRUE(std::filesystem::exists(LedgerPath(options_.directory) + ".corrupt-1"));
}

TEST_F(Damage, ALedgerOfANewerVersionIsRefusedNotReplaced) {
  Fill();
  {
    SQLite::Database(LedgerPath(options_.directory), SQLite::OPEN_READWRITE)
        .exec("PRAGMA user_version = 99");
  }
  const auto spool = Spool::Open(options_, clock_, kTestBoot);
  EXPECT_TRUE(absl::IsFailedPrecondition(spool.status())) << spool.status();
  EXPECT_THAT(spool.status().ToString(), HasSubstr("newer version"));
}

TEST_F(Damage, AClipWhoseRowsDoNotFitIsQuarantinedAtStart) {
  Fill();
  Sql("UPDATE part SET size = size + 1000000 WHERE clip & 0xff = 2 AND part = 1");
  const auto spool = Open();
  EXPECT_EQ(spool->stats().pending_clips, 2u);
  EXPECT_EQ(spool->stats().quarantined, 1u);
  EXPECT_EQ(spool->stats().failed_total, 1u);
  EXPECT_EQ(spool->stats().used_bytes, 9 * kBlockBytes);
  EXPECT_THAT(spool->Ledger()->boots(0).tombstones(0).reason(),
              HasSubstr("found torn at start: object 0 has 3 checksums"));
}

TEST_F(Damage, ABlockWithTwoOwnersStaysWithTheFirst) {
  Fill();
  EXPECT_TRUE(Fsck(options_.directory)->ok());
  Sql("UPDATE part SET runs = (SELECT runs FROM part WHERE clip & 0xff = 1 AND part = 1) WHERE "
      "clip & 0xff = 3 AND part = 1");
  EXPECT_THAT(Problems(*Fsck(options_.directory)),
              ::testing::Contains("3: block 0 is also clip 1's"));
  const auto spool = Open();
  EXPECT_EQ(spool->stats().pending_clips, 2u);
  EXPECT_EQ(spool->stats().used_bytes, 6 * kBlockBytes);
  EXPECT_EQ(spool->stats().failed_total, 1u);
  EXPECT_TRUE(Fsck(options_.directory)->ok());
}

TEST_F(Damage, ABlockOutsideTheFileEndsItsClip) {
  Fill();
  Sql("UPDATE part SET runs = x'FFFFFF0003000000' WHERE clip & 0xff = 1 AND part = 1");
  const auto spool = Open();
  EXPECT_EQ(spool->stats().pending_clips, 2u);
  EXPECT_EQ(spool->stats().quarantined, 0u);
  EXPECT_EQ(spool->stats().failed_total, 1u);
}

TEST_F(Damage, PartsWithoutAClipAreDroppedAndTheirBlocksAreFree) {
  Fill();
  Sql("DELETE FROM clip WHERE id & 0xff = 2");
  EXPECT_EQ(Open()->stats().used_bytes, 6 * kBlockBytes);
  Sql("DELETE FROM boot");  // clips that can't be named any more
  EXPECT_EQ(Open()->stats().used_bytes, 0u);
}

TEST_F(Damage, ANumberIsNotGivenOutTwiceWhenTheBootsRowIsBehind) {
  Fill();
  Sql("UPDATE boot SET last_sequence = 1");
  EXPECT_EQ(Open()->TakeNumber("motion", 5)->sequence, 4u);
}

TEST_F(Damage, AFlippedBitIsFoundWhenTheBlockIsRead) {
  Fill();
  Overwrite(BlocksPath(options_.directory), 4 * kBlockBytes + 77,
            "!");  // the second block of clip 2
  const auto spool = Open();
  std::string block;
  const auto first = **spool->Next({});
  const auto second = **spool->Next({first.key});
  EXPECT_TRUE(spool->ReadBlock(second, 0, 0, &block).ok());
  EXPECT_TRUE(absl::IsDataLoss(spool->ReadBlock(second, 0, 1, &block)));
  EXPECT_TRUE(absl::IsOutOfRange(spool->ReadBlock(second, 0, 3, &block)));
  EXPECT_TRUE(absl::IsOutOfRange(spool->ReadBlock(second, 1, 0, &block)));
}

TEST_F(Damage, FsckFindsAFlippedBitAndRepairQuarantinesTheClip) {
  Fill();
  {
    const auto sound = Fsck(options_.directory);
    ASSERT_TRUE(sound.ok());
    EXPECT_TRUE(sound->ok()) << sound->ToText();
    EXPECT_EQ(sound->clips, 3u);
    EXPECT_EQ(sound->blocks, 9u);
    EXPECT_EQ(sound->bytes, 2'100'000u);
    EXPECT_THAT(sound->ToText(), HasSubstr("sound"));
  }
  Overwrite(BlocksPath(options_.directory), 4 * kBlockBytes + 77, "!");
  {
    const auto running = Open();  // looking on doesn't disturb the daemon
    const auto found = Fsck(options_.directory);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_THAT(Problems(*found), ElementsAre("2: object 0, block 1 fails its checksum"));
    const auto json = nlohmann::json::parse(found->ToJson());
    EXPECT_EQ(json["ok"], false);
    EXPECT_EQ(json["faults"][0]["key"]["sequence"], "2");
    EXPECT_TRUE(absl::IsFailedPrecondition(Fsck(options_.directory, true).status()));
    EXPECT_EQ(running->stats().pending_clips, 3u);
  }
  const auto repaired = Fsck(options_.directory, true);
  ASSERT_TRUE(repaired.ok()) << repaired.status();
  EXPECT_TRUE(repaired->problems[0].repaired);
  EXPECT_THAT(repaired->ToText(), HasSubstr("(quarantined)"));
  EXPECT_TRUE(Fsck(options_.directory)->ok());
  EXPECT_EQ(Fsck(options_.directory)->quarantined, 1u);
  EXPECT_EQ(Open()->stats().pending_clips, 2u);
}

TEST_F(Damage, RepairByRootLeavesFilesThatTheFoldersOwnerCanWrite) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  Fill();
  constexpr uid_t kOwner = 12'345;
  ASSERT_EQ(::chown(options_.directory.c_str(), kOwner, kOwner), 0);
  for (const auto& entry : std::filesystem::directory_iterator(options_.directory)) {
    ASSERT_EQ(::chown(entry.path().c_str(), kOwner, kOwner), 0);
  }
  std::filesystem::remove(options_.directory + "/spool.lock");
  Overwrite(LedgerPath(options_.directory), 0, std::string(4096, 'x'));
  ASSERT_TRUE(Fsck(options_.directory, true).ok());
  for (const auto& entry : std::filesystem::directory_iterator(options_.directory)) {
    struct stat file {};
    ASSERT_EQ(::stat(entry.path().c_str(), &file), 0);
    EXPECT_EQ(file.st_uid, kOwner) << entry.path();
    EXPECT_EQ(file.st_gid, kOwner) << entry.path();
  }
}

TEST_F(Damage, FsckComparesTheManifestWithTheObjects) {
  Fill();
  Sql("UPDATE part SET sha256 = zeroblob(32) WHERE clip & 0xff = 1 AND part = 1");
  Sql("UPDATE part SET bytes = zeroblob(10) WHERE clip & 0xff = 3 AND part = 0");
  EXPECT_THAT(Problems(*Fsck(options_.directory)),
              ElementsAre("1: object 0 is not the one that the manifest describes",
                          "3: the manifest differs from its SHA-256"));
}

TEST_F(Damage, FsckReportsAnUnreadableLedger) {
  EXPECT_TRUE(absl::IsNotFound(Fsck(options_.directory).status()));
  EXPECT_TRUE(absl::IsNotFound(Fsck(options_.directory, true).status()));
  EXPECT_TRUE(absl::IsNotFound(ReadSpoolStatus(options_.directory).status()));
  Fill();
  Overwrite(LedgerPath(options_.directory), 0, std::string(4096, 'x'));
  EXPECT_TRUE(absl::IsDataLoss(ReadSpoolStatus(options_.directory).status()));
  const auto report = Fsck(options_.directory);
  ASSERT_TRUE(report.ok());
  EXPECT_THAT(report->ToText(), HasSubstr("the next start sets it aside"));
}

TEST_F(Damage, AFolderThatCannotBeLookedIntoIsAnErrorThatSaysSo) {
  options_.directory += "/" + std::string(300, 'x');  // longer than a name may be
  EXPECT_THAT(Spool::Open(options_, clock_, kTestBoot).status().ToString(),
              HasSubstr("File name too long"));
  EXPECT_THAT(ReadSpoolStatus(options_.directory).status().ToString(),
              HasSubstr("File name too long"));
  EXPECT_THAT(Fsck(options_.directory).status().ToString(), HasSubstr("File name too long"));
  EXPECT_THAT(Fsck(options_.directory, true).status().ToString(), HasSubstr("File name too long"));
}

TEST_F(Damage, AMissingManifestRowIsFoundWhenTheClipIsHandedOut) {
  Fill();
  const auto spool = Open();
  Sql("UPDATE part SET bytes = zeroblob(10) WHERE clip & 0xff = 1 AND part = 0");
  const auto next = spool->Next({});
  EXPECT_EQ((*next)->key.sequence, 2u);
  EXPECT_EQ(spool->stats().quarantined, 1u);
}

TEST_F(Damage, ALargerQuotaGrowsTheFileAndASmallerOneShrinksItWhenTheTailIsFree) {
  Fill();
  options_.quota_bytes = 8 * kMiB;
  EXPECT_EQ(Open()->stats().quota_bytes, 8 * kMiB);
  options_.quota_bytes = 3 * kMiB;
  EXPECT_EQ(Open()->stats().quota_bytes, 3 * kMiB);
  options_.quota_bytes = 1 * kMiB;  // nine blocks are in use
  {
    const auto spool = Open();
    EXPECT_EQ(spool->stats().quota_bytes, 3 * kMiB);
    EXPECT_EQ(*ReadObject(*spool, **spool->Next({}), 0), TestBytes(1, 0, 700'000));
    while (const auto clip = *spool->Next({})) {
      ASSERT_TRUE(spool->Release(clip->key, clip->manifest_sha256).ok());
    }
  }
  EXPECT_EQ(Open()->stats().quota_bytes, 1 * kMiB);
  EXPECT_EQ(std::filesystem::file_size(BlocksPath(options_.directory)), kMiB);
}

TEST_F(Damage, ALargerQuotaGrowsTheLedgerTooAlsoWhenGrowingWasCutShort) {
  Fill();
  const auto ledger_bytes = [&] {
    return std::filesystem::file_size(LedgerPath(options_.directory));
  };
  EXPECT_EQ(ledger_bytes() / kMiB, 4u);
  options_.quota_bytes = 256 * kMiB;
  {
    const auto spool = Open();
    EXPECT_EQ(ledger_bytes() / kMiB, 8u);
    EXPECT_EQ(spool->stats().pending_clips, 3u);
    ASSERT_TRUE(AddTestClip(*spool, {100}).ok());
  }
  {
    SQLite::Database db(LedgerPath(options_.directory), SQLite::OPEN_READWRITE);
    db.exec(
        "PRAGMA journal_mode = DELETE; CREATE TABLE filler(bytes BLOB); INSERT INTO filler "
        "VALUES(zeroblob(6000000))");
  }
  const auto spool = Open();
  for (int i = 0; i < 120; ++i) ASSERT_TRUE(AddTestClip(*spool, {50'000}).ok());
  EXPECT_EQ(spool->stats().pending_clips,
            124u);  // there is room again for far more than 2 MiB of them
  EXPECT_EQ(ledger_bytes() / kMiB, 8u);
}

TEST_F(Damage, StatusTellsWhatTheSpoolHoldsWhileTheDaemonRuns) {
  const auto spool = Open();
  ASSERT_TRUE(AddTestClip(*spool, {700'000}, 5).ok());
  ASSERT_TRUE(AddTestClip(*spool, {100}, 9).ok());
  const auto bad = AddTestClip(*spool, {100}, 0);
  ASSERT_TRUE(spool->Quarantine(bad->key, "the cloud refuses it").ok());
  ASSERT_TRUE(spool->TakeSuppressed("motion", "paused").ok());
  ASSERT_TRUE(spool->TakeNumber("motion", 1).ok());
  clock_.Advance(90 * kNanosPerSecond);
  const auto status = ReadSpoolStatus(options_.directory, clock_);
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->quota_bytes(), 4 * kMiB);
  EXPECT_EQ(status->used_bytes(), 3 * kBlockBytes);
  EXPECT_EQ(status->ledger_bytes() / kMiB, 4u);
  EXPECT_EQ(status->ledger_bytes(), spool->stats().ledger_bytes);
  EXPECT_EQ(status->ledger_used_bytes(), spool->stats().ledger_used_bytes);
  EXPECT_GT(status->ledger_used_bytes(), 0u);
  EXPECT_LT(status->ledger_used_bytes(), 100'000u);
  EXPECT_EQ(status->capturing(), 1u);
  EXPECT_EQ(status->pending_clips(), 2u);
  EXPECT_EQ(status->pending_bytes(), spool->stats().pending_bytes);
  EXPECT_EQ(status->pending_by_priority(0).clips(), 1u);
  EXPECT_EQ(status->oldest_pending_s(), 90u);
  EXPECT_EQ(status->suppressed_total(), 1u);
  EXPECT_EQ(status->failed_total(), 1u);
  EXPECT_EQ(status->tombstones_unacknowledged(), 2u);
  EXPECT_EQ(status->boot_id(), AsBytes(spool->boot_id()));
  EXPECT_EQ(status->last_sequence(), 5u);
  ASSERT_EQ(status->quarantined_size(), 1);
  EXPECT_EQ(status->quarantined(0).reason(), "the cloud refuses it");
  EXPECT_THAT(ToText(*status), HasSubstr("waiting    2 clips"));
  EXPECT_EQ(status->pending_by_priority(0).priority(), 9u);
  EXPECT_EQ(status->pending_by_priority(1).priority(), 5u);
  EXPECT_EQ(status->quarantined(0).key().sequence(), 3u);
}

TEST_F(Damage, StatusChangesNothingOnTheDisk) {
  {
    const auto spool = Open();
    ASSERT_TRUE(AddTestClip(*spool, {100}).ok());
  }
  const auto contents = [&] {
    return *ReadFile(LedgerPath(options_.directory), 64 * kMiB) +
           *ReadFile(LedgerPath(options_.directory) + "-wal", 64 * kMiB);
  };
  const std::string before = contents();
  ASSERT_TRUE(ReadSpoolStatus(options_.directory).ok());
  EXPECT_EQ(ReadSpoolStatus(options_.directory)->pending_clips(), 1u);
  EXPECT_TRUE(contents() == before);
}

TEST_F(Damage, ALargeBacklogOpensInBoundedTimeWithoutReadingItsBlocks) {
  options_.quota_bytes = 64 * kMiB;
  {
    const auto spool = Open();
    for (int i = 0; i < 60; ++i) ASSERT_TRUE(AddTestClip(*spool, {kMiB}).ok());
  }
  // Blocks that can't be right any more: a start that read them would find out.
  Overwrite(BlocksPath(options_.directory), 0, std::string(60 * kMiB, 'x'));
  const auto spool = Open();
  EXPECT_EQ(spool->stats().pending_clips, 60u);
  EXPECT_EQ(spool->stats().quarantined, 0u);
}

}  // namespace
}  // namespace gleaner::edge
