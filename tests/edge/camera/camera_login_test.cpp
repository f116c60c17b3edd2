// Where a camera's password is kept, and what is said of mistakes in that.
#include "edge/camera/camera_login.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "common/status.h"
#include "tests/edge/camera/camera_rig.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Read {
  CameraOptions options;
  std::string mistakes;
};

Read ReadTable(const std::string& lines, bool try_login = true) {
  auto reader = ConfigReader::Parse("[camera]\nname = \"front\"\n" + lines, "edge.toml");
  EXPECT_TRUE(reader.ok()) << reader.status();
  auto table = reader->Table("camera");
  Read read;
  read.options = CameraOptions::Read(table, try_login);
  read.mistakes = Message(reader->Finish());
  return read;
}

constexpr char kUrl[] = "url = \"rtsp://cam/1\"\n";

class CameraLoginTest : public CameraRig {
 protected:
  std::string Secret(const std::string& text, mode_t mode = 0640) {
    const std::string path = WriteFile("password", text);
    chmod(path.c_str(), mode);
    return path;
  }
};

TEST_F(CameraLoginTest, ReadsThePasswordFromTheTable) {
  const Read read =
      ReadTable(std::string(kUrl) + "user = \"admin\"\npassword = \"a@b#c/d?e:f g%40\"\n");
  EXPECT_EQ(read.mistakes, "");
  const auto credentials = read.options.login.Load();
  ASSERT_TRUE(credentials.ok());
  EXPECT_EQ(credentials->user, "admin");
  EXPECT_EQ(credentials->password, "a@b#c/d?e:f g%40") << "as it stands, not decoded";
}

TEST_F(CameraLoginTest, ReadsThePasswordFromAFileAnewAtEachLogin) {
  const std::string path = Secret("first\n");
  const Read read =
      ReadTable(fmt::format("{}user = \"admin\"\npassword_file = \"{}\"\n", kUrl, path));
  EXPECT_EQ(read.mistakes, "");
  EXPECT_EQ(read.options.login.Load()->password, "first");
  Secret("second one\r\nand a note\n");
  EXPECT_EQ(read.options.login.Load()->password, "second one");
}

TEST_F(CameraLoginTest, ReadsThePasswordFromTheEnvironment) {
  setenv("GLEANER_TEST_PASSWORD", "from outside", 1);  // NOLINT(concurrency-mt-unsafe)
  const Read read =
      ReadTable(std::string(kUrl) + "user = \"admin\"\npassword_env = \"GLEANER_TEST_PASSWORD\"\n");
  EXPECT_EQ(read.mistakes, "");
  EXPECT_EQ(read.options.login.Load()->password, "from outside");
}

TEST_F(CameraLoginTest, TakesAUserWithoutAPassword) {
  const Read read = ReadTable(std::string(kUrl) + "user = \"viewer\"\n");
  EXPECT_EQ(read.mistakes, "");
  EXPECT_EQ(read.options.login.Load()->user, "viewer");
  EXPECT_EQ(read.options.login.Load()->password, "");
}

TEST_F(CameraLoginTest, SaysWhatIsWrongAndWhereWithoutAWordOfAnyPassword) {
  const std::string open = Secret("Hunter2\n", 0644);
  const std::string with_url = "url = \"rtsp://admin:Hunter2@cam/1\"\n";
  struct Case {
    std::string lines;
    std::string says;
  };
  for (const Case& c : std::vector<Case>{
           {with_url + "user = \"admin\"\npassword = \"Hunter2\"\n",
            "edge.toml:4:8: camera.user: and a login in the url are both there"},
           {with_url + "password = \"Hunter2\"\n",
            "edge.toml:4:12: camera.password: and a login in the url"},
           {kUrl + std::string("password = \"Hunter2\"\n"), "camera.password: needs the key user"},
           {kUrl + std::string("user = \"\"\npassword = \"Hunter2\"\n"), "camera.user: needs"},
           {kUrl + std::string("user = \"a\"\npassword = \"Hunter2\"\npassword_env = \"HOME\"\n"),
            "edge.toml:6:16: camera.password_env: and password are both there"},
           {kUrl + std::string("user = \"a\"\npassword_file = \"/nowhere/password\"\n"),
            "edge.toml:5:17: camera.password_file: open /nowhere/password: No such file"},
           {fmt::format("{}user = \"a\"\npassword_file = \"{}\"\n", kUrl, open),
            "can be read by everyone; chmod o= it"},
           {kUrl + std::string("user = \"a\"\npassword_env = \"GLEANER_NO_SUCH\"\n"),
            "the environment variable GLEANER_NO_SUCH is not set"},
           {kUrl + std::string("user = \"a\\nb\"\n"), "control character"},
           {kUrl + std::string("user = \"a\"\npassword = 123456\n"), "must be a string"},
           {std::string("url = \"/srv/a.mp4\"\nuser = \"a\"\n"),
            "only an RTSP camera is logged in to"},
           {std::string("url = \"/dev/video0\"\npassword = \"Hunter2\"\n"), "only an RTSP camera"},
       }) {
    const Read read = ReadTable(c.lines);
    EXPECT_THAT(read.mistakes, HasSubstr(c.says)) << c.lines;
    EXPECT_THAT(read.mistakes, Not(HasSubstr("Hunter2")));
    EXPECT_THAT(read.mistakes, Not(HasSubstr("123456")));
  }
}

TEST_F(CameraLoginTest, NeedsNoPasswordWhereNobodyLogsIn) {
  const Read read =
      ReadTable(std::string(kUrl) + "user = \"a\"\npassword_file = \"/nowhere/password\"\n", false);
  EXPECT_EQ(read.mistakes, "");
}

TEST_F(CameraLoginTest, IsNotSatisfiedWithAnEmptyOrEndlessFile) {
  CameraLogin login{.user = "a", .password_file = Secret("\n")};
  EXPECT_THAT(std::string(Message(login.Load().status())), HasSubstr("is empty"));
  login.password_file = Secret(std::string(5000, 'x'));
  EXPECT_FALSE(login.Load().ok());
}

}  // namespace
}  // namespace gleaner::edge
