#include "cloud/events/relay.h"

#include <gmock/gmock.h>

#include <array>
#include <atomic>

#include "cloud/database/tally.h"
#include "cloud/events/event_hub.h"
#include "tests/data/temporary_folder.h"
#include "tests/data/test_database.h"

namespace gleaner::cloud {
namespace {

// A server: a hub that hears what a database announces.
struct Server {
  explicit Server(const std::string& name) {
    const std::array rooms = {TallyTables()};
    database = Database::Open(name, rooms).value();
    Relay(*database, "clip.changed", hub, "clips", "id");
    reader = hub.Read("", "");
    hub.OnEvent([this] {
      ++told;
      told.notify_all();
    });
  }
  // All that has come, once `text` is in it.
  std::string ReadUntil(std::string_view text) {
    for (;;) {
      const int before = told;
      EXPECT_TRUE(reader->Take(1 << 20, &read));
      if (read.find(text) != std::string::npos) return read;
      told.wait(before);
    }
  }

  EventHub hub;
  std::optional<EventReader> reader;
  std::string read;
  std::atomic<int> told{0};
  std::unique_ptr<Database> database;
};

TEST(Relay, WhatATransactionAnnouncesIsAnEventOnEveryServer) {
  TemporaryFolder folder;
  const std::string name = TestDatabase(folder / "events.db");
  Server first(name);
  std::unique_ptr<Server> second;
  if (OnPostgres()) {
    second = std::make_unique<Server>(name);
    second->ReadUntil("event: reset");  // it hears from now on
  }
  ASSERT_TRUE(first.database
                  ->Write([](Sql& sql) {
                    sql.Announce("clip.changed", "a");
                    sql.Announce("another", "b");
                    return absl::OkStatus();
                  })
                  .ok());
  const std::string wanted = "event: clips\ndata: {\"id\":\"a\"}\n\n";
  EXPECT_THAT(first.ReadUntil(wanted), testing::Not(testing::HasSubstr("\"b\"")));
  if (second != nullptr) second->ReadUntil(wanted);
}

}  // namespace
}  // namespace gleaner::cloud
