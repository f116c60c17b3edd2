#include "cloud/database/database_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "common/file.h"
#include "common/status.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::cloud {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class DatabaseConfigTest : public testing::Test {
 protected:
  ConfigReader Parse(const std::string& text) {
    return *ConfigReader::Parse(text, folder_ / "cloud.toml");
  }
  void WriteUrl(const std::string& text, mode_t mode) {
    std::ofstream(folder_ / "url") << text;
    ASSERT_EQ(::chmod((folder_ / "url").c_str(), mode), 0);
  }
  void ExpectMistake(const std::string& text, const testing::Matcher<std::string>& message) {
    ConfigReader reader = Parse(text);
    ReadDatabaseConfig(reader);
    EXPECT_THAT(std::string(Message(reader.Finish())), message) << text;
  }

  TemporaryFolder folder_;
};

TEST_F(DatabaseConfigTest, WithoutAUrlTheCatalogIsAFile) {
  ConfigReader reader = Parse("");
  EXPECT_EQ(ReadDatabaseConfig(reader), "");
  EXPECT_TRUE(reader.Finish().ok());
}

TEST_F(DatabaseConfigTest, TheUrlMayStandInAFileThatOthersCanNotRead) {
  WriteUrl("postgresql://gleaner@db.example/gleaner\r\n", 0600);
  ConfigReader reader = Parse("url_file = \"url\"\n");
  EXPECT_EQ(ReadDatabaseConfig(reader), "postgresql://gleaner@db.example/gleaner");
  EXPECT_TRUE(reader.Finish().ok());
}

TEST_F(DatabaseConfigTest, SaysAtWhichKeyAMistakeIs) {
  ExpectMistake("url_file = \"url\"\n",
                AllOf(HasSubstr("cloud.toml:1"), HasSubstr("url_file"), HasSubstr("No such file")));
  WriteUrl("postgresql://gleaner:secret@db.example/gleaner", 0644);
  ExpectMistake("url_file = \"url\"\n", AllOf(HasSubstr("url_file"), HasSubstr("chmod o=")));
  WriteUrl("mysql://db.example", 0600);
  ExpectMistake("url_file = \"url\"\n", AllOf(HasSubstr("url_file"), HasSubstr("postgresql://")));
  ExpectMistake("url = \"mysql://db.example\"\n", HasSubstr("postgresql://"));
  ExpectMistake("url = \"postgresql://a/b\"\nurl_file = \"url\"\n",
                HasSubstr("only one of the two"));
}

}  // namespace
}  // namespace gleaner::cloud
