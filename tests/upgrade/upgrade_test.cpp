// Data of earlier versions, as they left it, opened by this one: see README.md.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "cloud/database/schema.h"
#include "cloud/database/sqlite.h"
#include "cloud/store/blob_copy.h"
#include "cloud/store/data_folder.h"
#include "cloud/store/folder_state.h"
#include "common/file.h"
#include "common/status.h"
#include "edge/spool/fsck.h"
#include "edge/spool/spool.h"
#include "tests/cloud/catalog/catalog_testing.h"
#include "tests/data/paths.h"
#include "tests/data/pki.h"
#include "tests/data/shell.h"
#include "tests/data/temporary_folder.h"

namespace gleaner {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kData = SourceDir() + "/tests/upgrade/data";

int64_t Number(const nlohmann::json& object, const std::string& field) {
  const auto at = object.find(field);
  if (at == object.end()) return 0;
  return at->is_string() ? std::stoll(at->get<std::string>()) : at->get<int64_t>();
}

std::vector<std::string> Versions() {
  std::vector<std::string> versions;
  for (const auto& entry : fs::directory_iterator(kData))
    versions.push_back(entry.path().filename());
  std::sort(versions.begin(), versions.end());
  return versions;
}

class Upgrade : public testing::TestWithParam<std::string> {
 protected:
  Upgrade() {
    std::ifstream(kData + "/" + GetParam() + "/expected.json") >> expected_;
    TestPki().Write(folder_.path());
    std::ofstream(folder_ / "cloud.toml")
        << "[server]\ndata_dir = \"cloud\"\n[grpc]\nlisten = \"127.0.0.1:0\"\n"
        << "[tls]\nca = \"ca.pem\"\ncertificate = \"server.pem\"\nkey = \"server.key\"\n"
        << "[ingest]\nfree_floor = \"0\"\n[http]\nlisten = \"127.0.0.1:0\"\n";
  }
  void Unpack(const std::string& what) {
    const std::string command = fmt::format("tar -xzf {}/{}/{}.tar.gz --no-same-owner -C {}", kData,
                                            GetParam(), what, folder_.path());
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  std::string cloud() const { return folder_ / "cloud"; }

  // Exit status and what it said; a status above 128 is a signal.
  std::pair<int, std::string> RunServer(const std::string& arguments,
                                        const std::string& crash_at = "") {
    return Shell(fmt::format("GLEANER_CRASH_AT={} timeout 60 {}/gleaner-cloud --config {} {} 2>&1",
                             crash_at, BinDir(), folder_ / "cloud.toml", arguments));
  }
  // The server, until it has taken the folder over, or died at `crash_at` on the way.
  std::pair<int, std::string> StartAndStop(const std::string& crash_at = "") {
    return RunServer(
        "& pid=$!; sleep 0.1; tries=0; "
        "while kill -0 $pid && [ $((++tries)) -lt 100 ]; do sleep 0.1; [ -e " +
            cloud() + "/blobs/store ] && break; done; kill $pid; wait $pid",
        crash_at);
  }
  // Every file below `path` with a digest of its bytes.
  static std::map<std::string, std::string> Files(const std::string& path) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      const std::string name = entry.path().lexically_relative(path);
      if (!entry.is_regular_file() || name.ends_with("-shm")) continue;
      files[name] = Hex(AsBytes(Sha256::Of(*ReadFile(entry.path(), 256 << 20))));
    }
    return files;
  }

  // Everything that the version before knew, and each byte of it.
  void ExpectAll() {
    const auto folder = cloud::DataFolder::Open(cloud(), cloud::AllRooms(), clock_);
    ASSERT_TRUE(folder.ok()) << folder.status();
    cloud::Catalog catalog = cloud::CatalogOf(**folder);
    const auto list = *catalog.clips.List({}, {});
    std::vector<std::string> clips;
    uint64_t bytes = 0;
    for (const v1::ClipSummary& clip : list.clips()) {
      clips.push_back(clip.id());
      bytes += clip.size_bytes();
      const auto manifest = *catalog.clips.FindManifest(clip.id());
      EXPECT_EQ(Sha256::Of(manifest.bytes), manifest.sha256);
      v1::ClipManifest described;
      ASSERT_TRUE(described.ParseFromString(manifest.bytes));
      std::map<int, size_t> of_kind;
      for (const v1::ClipObject& object : described.objects()) {
        const auto row =
            catalog.clips.FindObject(clip.id(), object.kind(), of_kind[object.kind()]++);
        ASSERT_TRUE(row.ok()) << row.status();
        std::string read;
        const absl::Status status = (*folder)->blobs().Read(row->key, 0, row->size_bytes, &read);
        ASSERT_TRUE(status.ok()) << status;
        EXPECT_EQ(AsBytes(Sha256::Of(read)), object.sha256());
      }
      EXPECT_EQ(clip.media().state(), v1::MediaCheck::STATE_OK);
      EXPECT_GT(clip.media().thumbnails(), 0u);
      for (uint32_t i = 0; i < clip.media().thumbnails(); ++i) {
        const BlobBytes thumbnail =
            ReadBlob((*folder)->blobs(), *catalog.checks.FindThumbnail(clip.id(), i));
        EXPECT_TRUE(thumbnail.starts_with("\xff\xd8\xff"));
      }
    }
    std::sort(clips.begin(), clips.end());
    EXPECT_EQ(nlohmann::json(clips), expected_.at("clips"));
    EXPECT_EQ(bytes, static_cast<uint64_t>(Number(expected_, "bytes")));
    EXPECT_TRUE((*folder)->names().Check().ok()) << (*folder)->names().Check();

    const auto ledger = (*catalog.devices.Get("cart-1", 0)).ledger();
    const nlohmann::json& was = expected_.at("ledger");
    EXPECT_EQ(ledger.fired(), Number(was, "fired"));
    EXPECT_EQ(ledger.committed(), Number(was, "committed"));
    EXPECT_EQ(ledger.suppressed(), Number(was, "suppressed"));
    EXPECT_EQ(ledger.failed(), Number(was, "failed"));
    EXPECT_EQ(ledger.gaps(), Number(was, "gaps"));
    EXPECT_EQ(ledger.gaps(), 12u);
    EXPECT_EQ(cloud::SummaryOf(**folder).ledger_gaps(), 12u);

    // And what is now: a sweep takes none of it.
    const auto swept = (*folder)->blobs().Sweep(
        [&](std::string_view prefix) { return (*folder)->names().Find(prefix); });
    EXPECT_TRUE(swept.ok()) << swept.status();
    for (const v1::ClipSummary& clip : list.clips()) {
      const auto video = *catalog.clips.FindObject(clip.id(), v1::ClipObject::KIND_VIDEO, 0);
      EXPECT_EQ(*cloud::DigestOfBlob(cloud::BlobsPath(cloud()), video.key), video.sha256);
    }
  }

  using BlobBytes = std::string;
  static BlobBytes ReadBlob(cloud::ObjectStore& objects, const cloud::ObjectKey& key) {
    std::string bytes;
    const auto size = objects.SizeOf(key);
    if (!size.ok()) return size.status().ToString();
    const absl::Status read = objects.Read(key, 0, *size, &bytes);
    return read.ok() ? bytes : read.ToString();
  }

  TemporaryFolder folder_;
  FakeClock clock_;
  nlohmann::json expected_;
};

TEST_P(Upgrade, CheckConfigSaysSoAndChangesNothing) {
  Unpack("cloud");
  const auto before = Files(cloud());
  const auto [status, said] = RunServer("--check-config");
  EXPECT_EQ(status, 0) << said;
  EXPECT_EQ(Files(cloud()), before);
}

TEST_P(Upgrade, AServersFolderIsTakenOverWithEveryClipDigestAndNumber) {
  Unpack("cloud");
  ExpectAll();
  const std::string copy =
      fmt::format("{}.schema-{}", cloud::CatalogPath(cloud()), Number(expected_, "schema"));
  ASSERT_TRUE(fs::exists(copy));
  cloud::Sql former = cloud::OpenSqlite(copy, cloud::SqliteMode::kInspect);
  EXPECT_EQ(cloud::SchemaNumber(former, cloud::AllRooms().tables),
            static_cast<uint64_t>(Number(expected_, "schema")));
  const auto state = *cloud::InspectFolder(cloud(), cloud::AllRooms());
  EXPECT_EQ(*cloud::Judge(state), cloud::Admission::kOpen);
  ExpectAll();  // and again
}

// Every table with its columns, and every index.
std::set<std::string> LayoutOf(const std::string& catalog) {
  std::set<std::string> layout;
  std::string name;
  cloud::Sql sql = cloud::OpenSqlite(catalog, cloud::SqliteMode::kInspect);
  sql.Query(
      "SELECT t.name || '.' || c.name FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c "
      "WHERE t.type = 'table' AND t.name NOT IN ('sqlite_sequence', 'schema_version') UNION ALL "
      "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
      cloud::In(), cloud::Out(name), [&] { layout.insert(name); });
  return layout;
}

TEST_P(Upgrade, AnUpgradedCatalogHasTheTablesOfANewOne) {
  Unpack("cloud");
  ExpectAll();
  const std::string fresh = folder_ / "fresh.db";
  ASSERT_TRUE(cloud::OpenTestCatalog(fresh).ok());
  const std::set<std::string> layout = LayoutOf(fresh);
  EXPECT_GT(layout.size(), 90u);
  EXPECT_EQ(LayoutOf(cloud::CatalogPath(cloud())), layout);
}

TEST_P(Upgrade, TheServerStartsOnItAndServesIt) {
  Unpack("cloud");
  const auto [status, said] = StartAndStop();
  EXPECT_EQ(status, 0) << said;
  ExpectAll();
}

TEST_P(Upgrade, ACrashAtAnyStepLeavesAFolderThatTheNextStartTakesOver) {
  for (const char* step : {"catalog_copy.written", "store.catalog_copied", "catalog.migrated:1",
                           "catalog.migrated:3", "catalog.before_commit:1", "import.linked",
                           "import.renamed", "store.kept_aside", "store.catalog_said",
                           "store.marked", "catalog.before_commit:2", "catalog.before_commit:3"}) {
    SCOPED_TRACE(step);
    fs::remove_all(cloud());
    Unpack("cloud");
    const auto before = Files(cloud());
    const auto [status, said] = StartAndStop(step);
    const bool imports = std::string(step).starts_with("import");
    if (!imports || GetParam() == "a827c08") {
      EXPECT_EQ(status, 128 + 9) << said;
    }
    EXPECT_EQ(RunServer("--check-config").first, 0);
    ExpectAll();
    if (GetParam() == "a827c08") {
      // What a return to the version before needs is all there.
      const auto after = Files(cloud());
      for (const auto& [name, digest] : before) {
        if (name.starts_with("blobs/")) {
          EXPECT_EQ(after.at(name), digest) << name;
        }
      }
    }
  }
}

TEST_P(Upgrade, ItIsNotTouchedWithoutRoomOrByAProgramTooOld) {
  Unpack("cloud");
  cloud::ConnectSqlite(cloud::CatalogPath(cloud()), cloud::SqliteMode::kWrite)
      ->Script(
          "CREATE TABLE room (name TEXT PRIMARY KEY, version BIGINT); INSERT INTO room VALUES "
          "('clips', 99)");
  const auto before = Files(cloud());
  for (const char* arguments : {"--check-config", ""}) {
    const auto [status, said] = RunServer(arguments);
    EXPECT_EQ(status, 1) << said;
    EXPECT_THAT(said, AllOf(HasSubstr("have version 99"), HasSubstr("catalog.db.schema-")));
  }
  auto after = Files(cloud());
  after.erase("lock");
  EXPECT_EQ(after, before);
}

TEST_P(Upgrade, TheUploadThatWasUnderWayIsKeptAndNothingElseOfItIsLost) {
  Unpack("cloud");
  uint64_t kept = 0, under_way = 0;
  {
    const auto folder = *cloud::DataFolder::Open(cloud(), cloud::AllRooms(), clock_);
    kept = folder->names().Sum()->kept_bytes;
    under_way = cloud::CatalogOf(*folder).uploads.Sum("gate-1")->count;
  }
  EXPECT_GT(under_way, 0u);
  // The version before segments named an upload's blobs at its offer, the later one at its first
  // progress: what came whole before that nobody can tell from a clip any more.
  EXPECT_EQ(kept > 0, GetParam() != "a827c08");
}

TEST_P(Upgrade, ADevicesSpoolIsReadWithEveryClipAndNumber) {
  Unpack("spool");
  const std::string directory = folder_ / "gate-1";
  const auto checked = edge::Fsck(directory);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_TRUE(checked->ok()) << checked->ToText();
  const nlohmann::json& was = expected_.at("spool");
  EXPECT_EQ(checked->clips, static_cast<uint64_t>(Number(was, "pending_clips")));
  edge::SpoolOptions options;
  options.directory = directory;
  options.quota_bytes = 16 << 20;
  const auto spool = edge::Spool::Open(options, clock_, "3b1c0f2e-0000-4000-8000-000000000001");
  ASSERT_TRUE(spool.ok()) << spool.status();
  EXPECT_EQ((*spool)->stats().pending_clips, static_cast<uint64_t>(Number(was, "pending_clips")));
  EXPECT_EQ((*spool)->stats().failed_total, 0u);
  // It is a new boot; of the one before it still knows the highest number.
  const auto ledger = *(*spool)->Ledger();
  ASSERT_GE(ledger.boots_size(), 1);
  EXPECT_EQ(Hex(ledger.boots(0).boot_id()), was.at("boot_id").get<std::string>());
  EXPECT_EQ(ledger.boots(0).last_sequence(), static_cast<uint64_t>(Number(was, "last_sequence")));
  absl::flat_hash_set<ClipKey> seen;
  while (const auto clip = *(*spool)->Next(seen)) {
    seen.insert(clip->key);
    EXPECT_EQ(Sha256::Of(clip->manifest), clip->manifest_sha256);
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>(Number(was, "pending_clips")));
}

TEST_P(Upgrade, ASpoolOfANewerVersionIsLeftAsItIs) {
  Unpack("spool");
  const std::string directory = folder_ / "gate-1";
  std::string ledger = *ReadFile(directory + "/spool.db", 64 << 20);
  fs::remove(directory + "/spool.db-wal");
  ledger[63] = 99;  // user_version, the last of its four bytes: see SQLite's file format
  std::ofstream(directory + "/spool.db", std::ios::binary) << ledger;
  const auto before = Files(directory);
  edge::SpoolOptions options;
  options.directory = directory;
  options.quota_bytes = 16 << 20;
  for (int i = 0; i < 2; ++i) {
    const auto spool = edge::Spool::Open(options, clock_, "3b1c0f2e-0000-4000-8000-000000000001");
    EXPECT_TRUE(absl::IsFailedPrecondition(spool.status())) << spool.status();
    EXPECT_THAT(spool.status().ToString(),
                AllOf(HasSubstr("format 99"), HasSubstr("newer version")));
  }
  auto after = Files(directory);
  after.erase("spool.db-wal");
  EXPECT_EQ(after, before);
}

INSTANTIATE_TEST_SUITE_P(Of, Upgrade, testing::ValuesIn(Versions()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace gleaner
