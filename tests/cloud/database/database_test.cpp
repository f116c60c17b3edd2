#include "cloud/database/database.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <barrier>
#include <latch>
#include <thread>

#include "cloud/database/postgres.h"
#include "cloud/database/read_bound.h"
#include "cloud/database/sqlite.h"
#include "cloud/database/tally.h"
#include "common/status.h"
#include "tests/data/postgres_proxy.h"
#include "tests/data/temporary_folder.h"
#include "tests/data/test_database.h"

namespace gleaner::cloud {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::array<std::string_view, 2> kMigrations = {R"(
  -- A comment; with a semicolon and a :name.
  CREATE TABLE thing (number NUMBERED, name TEXT NOT NULL UNIQUE, bytes BYTES NOT NULL);
)",
                                                         R"(
  ALTER TABLE thing ADD COLUMN size BIGINT NOT NULL DEFAULT 7;
)"};
const std::vector<RoomTables> kRooms = {TallyTables(),
                                        {.room = "things", .migrations = kMigrations}};

class DatabaseTest : public testing::Test {
 protected:
  std::unique_ptr<Database> Open(const std::vector<RoomTables>& rooms = kRooms,
                                 CommitHook hook = {}) {
    auto database = Database::Open(name_, rooms, std::move(hook));
    EXPECT_TRUE(database.ok()) << database.status();
    return *std::move(database);
  }
  static Database::Operation Add(const std::string& name, const std::string& bytes = "") {
    return [name, bytes](Sql& sql) {
      sql.Run("INSERT INTO thing (name, bytes) VALUES (:name, :bytes)", In(name, Bytes{bytes}));
      return absl::OkStatus();
    };
  }
  static std::vector<std::string> Names(Database& database) {
    return *database.Read([](Sql& sql) -> absl::StatusOr<std::vector<std::string>> {
      std::vector<std::string> names;
      std::string name;
      sql.Query("SELECT name FROM thing ORDER BY name", In(), Out(name),
                [&] { names.push_back(name); });
      return names;
    });
  }

  TemporaryFolder folder_;
  const std::string name_ = TestDatabase(folder_ / "some.db");
};

TEST_F(DatabaseTest, WhatWasWrittenIsThereForTheNextWhoOpensIt) {
  ASSERT_TRUE(Open()->Write(Add("a")).ok());
  auto database = Open();
  EXPECT_THAT(Names(*database), ElementsAre("a"));
  uint64_t number = 0, size = 0;
  ASSERT_TRUE(database
                  ->Read([&](Sql& sql) {
                    sql.Query("SELECT number, size FROM thing", In(), Out(number, size), [] {});
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(number, 1u);
  EXPECT_EQ(size, 7u);
}

TEST_F(DatabaseTest, AChangeWhoseAnswerWasLostMayBeThereAndTheNextOnePasses) {
  if (!OnPostgres()) GTEST_SKIP() << "on PostgreSQL only";
  auto database = Open();
  PostgresProxy proxy(name_);
  auto far = *Database::Open(proxy.name(), kRooms);
  proxy.LoseNextAnswer();
  EXPECT_TRUE(absl::IsUnavailable(far->Write(Add("a"))));
  EXPECT_THAT(Names(*database), ElementsAre("a"));
  EXPECT_TRUE(far->Write(Add("b")).ok());
  EXPECT_THAT(Names(*database), ElementsAre("a", "b"));
}

TEST_F(DatabaseTest, BytesComeBackAsTheyWere) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  auto database = Open();
  ASSERT_TRUE(database->Write(Add("all", bytes)).ok());
  ASSERT_TRUE(database->Write(Add("none", "")).ok());
  const auto read = [&](const std::string& name) {
    return *database->Read([&](Sql& sql) -> absl::StatusOr<std::string> {
      std::string out = "not found";
      BytesOut into{&out};
      sql.Query("SELECT bytes FROM thing WHERE name = :name", In(name), Out(into), [] {});
      return out;
    });
  };
  EXPECT_EQ(read("all"), bytes);
  EXPECT_EQ(read("none"), "");
}

TEST_F(DatabaseTest, TextIsComparedByteByByteAndKeptWithItsLetters) {
  auto database = Open();
  for (const char* name : {"b", "a", "B", "Zürich", "a-b", "ab", "日本"}) {
    ASSERT_TRUE(database->Write(Add(name)).ok());
  }
  EXPECT_THAT(Names(*database), ElementsAre("B", "Zürich", "a", "a-b", "ab", "b", "日本"));
}

TEST_F(DatabaseTest, ATextWithANulIsRefusedAndChangesNothing) {
  auto database = Open();
  const absl::Status added = database->Write(Add(std::string("a\0b", 3)));
  EXPECT_TRUE(absl::IsInvalidArgument(added)) << added;
  EXPECT_THAT(Names(*database), ElementsAre());
}

TEST_F(DatabaseTest, OneBadChangeDoesNotFailThoseThatShareItsTransaction) {
  auto database = Open();
  ASSERT_TRUE(database->Write(Add("taken")).ok());
  // While one change is under way, others gather and are then committed together.
  std::latch gathered(8);
  std::vector<std::jthread> threads;
  std::atomic<int> good{0}, bad{0};
  std::jthread first([&] {
    (void)database->Write([&](Sql&) {
      gathered.wait();
      return absl::OkStatus();
    });
  });
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      gathered.count_down();
      const bool spoils = i % 4 == 0;
      const auto status = database->Write(Add(spoils ? "taken" : fmt::format("name {}", i)));
      (status.ok() ? good : bad)++;
    });
  }
  threads.clear();
  EXPECT_EQ(good, 6);
  EXPECT_EQ(bad, 2);
  EXPECT_EQ(Names(*database).size(), 7u);
}

TEST_F(DatabaseTest, AReaderSeesOneMomentWhateverIsWrittenMeanwhile) {
  auto database = Open();
  ASSERT_TRUE(database->Write(Add("a")).ok());
  const auto counts = database->Read([&](Sql& sql) -> absl::StatusOr<std::pair<int, int>> {
    std::pair<int, int> seen;
    sql.Query("SELECT COUNT(*) FROM thing", In(), Out(seen.first), [] {});
    EXPECT_TRUE(database->Write(Add("b")).ok());
    sql.Query("SELECT COUNT(*) FROM thing", In(), Out(seen.second), [] {});
    return seen;
  });
  EXPECT_EQ(*counts, std::make_pair(1, 1));
  EXPECT_EQ(Names(*database).size(), 2u);
}

TEST_F(DatabaseTest, AReaderChangesNothing) {
  auto database = Open();
  EXPECT_FALSE(database->Read(Add("a")).ok());
  EXPECT_THAT(Names(*database), ElementsAre());
}

TEST_F(DatabaseTest, TwoWhoCountTogetherLoseNoCount) {
  auto one = Open(), other = Open();
  constexpr int kEach = 100;
  {
    std::vector<std::jthread> threads;
    for (Database* database : {one.get(), other.get(), one.get(), other.get()}) {
      threads.emplace_back([database] {
        for (int i = 0; i < kEach; ++i) {
          const absl::Status counted = database->Write([](Sql& sql) {
            // Read, and then written: right only if nobody comes in between.
            const uint64_t count = ReadTally(sql, "count");
            sql.Run("DELETE FROM tally WHERE dimension = 'count'", In());
            Tally(sql, "count", "", static_cast<int64_t>(count) + 1);
            return absl::OkStatus();
          });
          ASSERT_TRUE(counted.ok()) << counted;
        }
      });
    }
  }
  EXPECT_EQ(
      *one->Read([](Sql& sql) -> absl::StatusOr<uint64_t> { return ReadTally(sql, "count"); }),
      4u * kEach);
}

TEST_F(DatabaseTest, ManyWhoOpenANewOneAtOnceMakeItsTablesOnce) {
  constexpr int kServers = 6;
  std::barrier start(kServers);
  std::vector<std::jthread> threads;
  std::atomic<int> opened{0};
  for (int i = 0; i < kServers; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      auto database = Database::Open(name_, kRooms);
      ASSERT_TRUE(database.ok()) << database.status();
      EXPECT_TRUE((*database)->Write(Add(std::to_string(i))).ok());
      ++opened;
    });
  }
  threads.clear();
  EXPECT_EQ(opened, kServers);
  EXPECT_EQ(Names(*Open()).size(), static_cast<size_t>(kServers));
}

TEST_F(DatabaseTest, ARoomThatCameLaterGetsItsTables) {
  {
    auto database = Open({TallyTables()});
    ASSERT_TRUE(database
                    ->Write([](Sql& sql) {
                      Tally(sql, "old", "", 3);
                      return absl::OkStatus();
                    })
                    .ok());
  }
  auto database = Open();
  EXPECT_TRUE(database->Write(Add("a")).ok());
  EXPECT_EQ(
      *database->Read([](Sql& sql) -> absl::StatusOr<uint64_t> { return ReadTally(sql, "old"); }),
      3u);
}

TEST_F(DatabaseTest, TablesOfANewerProgramAreRefusedByTheirRoom) {
  Open().reset();
  const std::vector<RoomTables> older = {
      TallyTables(), {.room = "things", .migrations = std::span(kMigrations).first(1)}};
  const auto database = Database::Open(name_, older);
  EXPECT_TRUE(absl::IsFailedPrecondition(database.status())) << database.status();
  EXPECT_THAT(Message(database.status()),
              HasSubstr("the tables of things have version 2, this program knows up to 1"));
}

TEST_F(DatabaseTest, TheHookHearsOfEachTransactionBeforeWhoWaitsForIt) {
  std::atomic<uint64_t> told{0};
  auto database =
      Open(kRooms, {.before =
                        [](Sql& sql) {
                          uint64_t things = 0;
                          sql.Query("SELECT COUNT(*) FROM thing", In(), Out(things), [] {});
                          return things;
                        },
                    .after = [&](uint64_t things) { told = things; }});
  for (uint64_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(database->Write(Add(std::to_string(i))).ok());
    EXPECT_EQ(told, i);
  }
}

TEST_F(DatabaseTest, ACounterNeverGivesTheSameTwice) {
  auto one = Open(), other = Open();
  uint64_t last = 0;
  for (Database* database : {one.get(), other.get(), one.get()}) {
    uint64_t value = 0;
    ASSERT_TRUE(database
                    ->Write([&](Sql& sql) {
                      value = CountUp(sql, "lease", 10);
                      return absl::OkStatus();
                    })
                    .ok());
    EXPECT_EQ(value, last + 10);
    last = value;
  }
}

class PostgresTest : public DatabaseTest {
 protected:
  void SetUp() override {
    if (!OnPostgres()) GTEST_SKIP() << "of PostgreSQL alone";
  }
};

TEST_F(PostgresTest, AServerThatCutItsConnectionsIsFoundAgain) {
  auto database = Open();
  ASSERT_TRUE(database->Write(Add("before")).ok());
  EXPECT_EQ(Names(*database).size(), 1u);
  ConnectPostgres(name_)->Script(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
      "AND pid <> pg_backend_pid()");
  // What was on a connection that is gone fails, once; nothing of it happened.
  const absl::Status cut = database->Write(Add("cut"));
  EXPECT_TRUE(absl::IsUnavailable(cut)) << cut;
  EXPECT_TRUE(database->Write(Add("after")).ok());
  (void)database->Read([](Sql&) { return absl::OkStatus(); });
  EXPECT_THAT(Names(*database), ElementsAre("after", "before"));
}

TEST_F(PostgresTest, AServerThatIsNotThereIsSaidToBeAway) {
  const auto database = Database::Open("postgresql://who:secret@127.0.0.1:1/none", kRooms);
  EXPECT_TRUE(absl::IsUnavailable(database.status())) << database.status();
  EXPECT_THAT(Message(database.status()), HasSubstr("postgresql://who@127.0.0.1:1/none"));
  EXPECT_THAT(Message(database.status()), testing::Not(HasSubstr("secret")));
}

TEST_F(PostgresTest, ADatabaseOfAnotherEncodingIsRefused) {
  ConnectPostgres(TestDatabase(folder_ / "admin.db"))
      ->Script("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  std::string latin = name_;
  const size_t from = latin.find("/t") + 1;
  latin.replace(from, latin.find('?') - from, "latin");
  const auto database = Database::Open(latin, kRooms);
  EXPECT_THAT(Message(database.status()), HasSubstr("encoding LATIN1"));
}

TEST(PostgresName, IsShownWithoutItsPassword) {
  EXPECT_EQ(WithoutPassword("postgresql://a:b@c/d?password=e"), "postgresql://a@c/d");
  EXPECT_EQ(WithoutPassword("postgres://a:b:@@c:5/d"), "postgres://a@c:5/d");
  EXPECT_EQ(WithoutPassword("postgresql:///d?host=/run"), "postgresql:///d");
}

TEST(Schema, IsSaidInTheWordsOfEachDatabase) {
  constexpr std::string_view kScript =
      "CREATE TABLE t (n NUMBERED, a TEXT, TEXT_b BYTES); -- TEXT\n";
  EXPECT_EQ(InDialect(kScript, Dialect::kSqlite),
            "CREATE TABLE t (n INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT, TEXT_b BLOB); \n");
  EXPECT_EQ(InDialect(kScript, Dialect::kPostgres),
            "CREATE TABLE t (n BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, a TEXT COLLATE "
            "\"C\", TEXT_b BYTEA); \n");
}

// Counts to a number that nobody would wait for.
constexpr char kEndless[] =
    "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < "
    "1000000000000) SELECT COUNT(*) FROM n";

absl::Status ReadEndlessly(Database& database) {
  return database.Read([](Sql& sql) -> absl::Status {
    int64_t count = 0;
    sql.Query(kEndless, In(), Out(count), [] {});
    return absl::OkStatus();
  });
}

TEST_F(DatabaseTest, AReadEndsWhenItsTimeHasPassedAndTheConnectionGoesOn) {
  const auto database = Open();
  {
    const ReadBound bound(ReadBound::Clock::now() + std::chrono::milliseconds(50),
                          [] { return false; });
    const absl::Status ended = ReadEndlessly(*database);
    EXPECT_TRUE(absl::IsDeadlineExceeded(ended)) << ended;
    EXPECT_THAT(std::string(Message(ended)), HasSubstr("narrower filter"));
  }
  EXPECT_TRUE(database->Write(Add("after")).ok());
  EXPECT_THAT(Names(*database), ElementsAre("after"));
}

TEST_F(DatabaseTest, AReadEndsWhenItsCallerIsGone) {
  const auto database = Open();
  if (OnPostgres()) GTEST_SKIP() << "PostgreSQL is told of the time alone";
  int asked = 0;
  const ReadBound bound(ReadBound::Clock::time_point::max(), [&] { return ++asked == 3; });
  EXPECT_TRUE(absl::IsDeadlineExceeded(ReadEndlessly(*database)));
}

TEST_F(DatabaseTest, WhoReadsWithoutABoundFindsAConnectionWhateverTheOthersDo) {
  const auto database = Open();
  std::atomic<bool> enough = false;
  std::latch reading(20);  // as many as may have one under a bound
  std::vector<std::jthread> readers;
  for (int i = 0; i < 20; ++i) {
    readers.emplace_back([&] {
      const ReadBound bound(ReadBound::Clock::time_point::max(), [&] { return enough.load(); });
      const absl::Status read = database->Read([&](Sql&) -> absl::Status {
        reading.count_down();
        enough.wait(false);
        return absl::OkStatus();
      });
      EXPECT_TRUE(read.ok()) << read;
      if (!read.ok()) reading.count_down();
    });
  }
  reading.wait();
  EXPECT_TRUE(database->Read([](Sql&) { return absl::OkStatus(); }).ok());
  {
    const ReadBound bound(ReadBound::Clock::now(), [] { return false; });
    EXPECT_TRUE(absl::IsUnavailable(database->Read([](Sql&) { return absl::OkStatus(); })));
  }
  enough = true;
  enough.notify_all();
}

}  // namespace
}  // namespace gleaner::cloud
