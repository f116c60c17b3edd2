#include "cloud/rooms.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>
#include <set>

#include "cloud/server.h"
#include "httplib.h"
#include "tests/data/paths.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::cloud {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

TEST(RoomsTest, EveryRoomsTablesAreThereOnce) {
  std::set<std::string_view> names;
  for (const RoomTables& room : AllRooms().tables) {
    EXPECT_TRUE(names.insert(room.room).second) << room.room;
    EXPECT_FALSE(room.migrations.empty()) << room.room;
  }
  EXPECT_THAT(names, Contains("notes"));
}

TEST(RoomsTest, AMadeUpRoomComesInByOneLineWithItsTableCallRouteWordJobAndMetric) {
  TemporaryFolder folder;
  std::ofstream(folder / "cloud.toml")
      << "[server]\ndata_dir = \"data\"\n[grpc]\nlisten = \"127.0.0.1:0\"\nplaintext = true\n"
         "[http]\nlisten = \"127.0.0.1:0\"\n";
  const auto config = LoadServerConfig(folder / "cloud.toml", BinDir());
  ASSERT_TRUE(config.ok()) << config.status();
  const auto server = Server::Start(*config, RealClock());
  ASSERT_TRUE(server.ok()) << server.status();
  httplib::Client client("127.0.0.1", (*server)->http_port());
  const auto call = [&](const std::string& method, const std::string& body) {
    const auto result =
        client.Post("/gleaner.test.NotesService/" + method, body, "application/json");
    return result ? result->body : "no answer";
  };
  EXPECT_EQ(call("AddNote", R"({"clip":"0123","text":"a cup of tea"})"), "{}");
  std::string notes;
  do {
    notes = call("ListNotes", "{}");
    ASSERT_THAT(notes, AllOf(HasSubstr("0123"), HasSubstr("a cup of tea")));
  } while (notes.find("\"words\":4") == std::string::npos);  // its job is done
  EXPECT_EQ(client.Get("/notes.txt")->body, "a cup of tea\n");
  const auto ask = [&](const std::string& method, const std::string& body) {
    return client.Post("/gleaner.v1." + method, body, "application/json")->body;
  };
  EXPECT_THAT(ask("CatalogService/ListClips", R"({"filter":"noted:yes or device:a"})"),
              HasSubstr("newest"));
  EXPECT_THAT(ask("FrameService/ListFrames", R"({"filter":"-noted:yes"})"), "{}");
  EXPECT_THAT(ask("CatalogService/ListClips", R"({"filter":"noted:no"})"),
              HasSubstr("column 7: \\\"no\\\": noted is yes"));
  // Words of every room are there, and facets where there are any.
  const std::string words = ask("FilterService/GetFilterWords", "{}");
  for (const char* key : {"noted", "device", "sharpness", "label", "predicted", "split"}) {
    EXPECT_THAT(words, HasSubstr(fmt::format("\"key\":\"{}\"", key)));
  }
  EXPECT_THAT(ask("FilterService/GetFrameFacets", "{}"), HasSubstr("\"key\":\"background\""));
  EXPECT_THAT(client.Get("/metrics")->body, HasSubstr("\ngleaner_notes 1\n"));
}

}  // namespace
}  // namespace gleaner::cloud
