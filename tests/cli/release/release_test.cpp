// `gleaner release` as its keepers type it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "common/file.h"
#include "tests/cli/release/web_server.h"
#include "tests/data/paths.h"
#include "tests/data/shell.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::cli {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class ReleaseTest : public testing::Test {
 protected:
  struct Ended {
    int status;
    std::string out, err;
  };
  // In the folder of the test.
  Ended Run(const std::string& arguments) {
    const auto [status, out] = Shell(fmt::format("cd {} && TZ=UTC0 {}/gleaner release {} 2>stderr",
                                                 folder_.path(), BinDir(), arguments));
    return {status, out, ReadFile(folder_ / "stderr", 1 << 20).value()};
  }
  std::string Good(const std::string& arguments) {
    const Ended ended = Run(arguments);
    EXPECT_EQ(ended.status, 0) << arguments << ": " << ended.err;
    return ended.out;
  }
  // Two of two for root and targets, one online key for both other roles.
  void Init() {
    Good("keygen root1 root2 targets1 targets2 online");
    Good(
        "init repo --key root=root1.pub --key root=root2.pub --threshold root=2 "
        "--key targets=targets1.pub --key targets=targets2.pub --threshold targets=2 "
        "--key snapshot=online.pub --key timestamp=online.pub");
  }
  void SignAll() {
    Good("sign repo --key root1 --key targets1");
    Good("sign repo --key root2");
    Good("sign repo --key targets2");
  }

  TemporaryFolder folder_;
};

TEST_F(ReleaseTest, TakesAModelFromKeysToADeviceOverHttp) {
  Init();
  ASSERT_TRUE(WriteFileDurably(folder_ / "model.onnx", std::string(5'000, 'm')).ok());
  EXPECT_THAT(Good("add repo model.onnx --as models/goods/2.onnx --custom '{\"task\":\"goods\"}'"),
              AllOf(HasSubstr("targets"), HasSubstr("0 of 2"), HasSubstr("gleaner release sign")));
  SignAll();
  EXPECT_THAT(Good("refresh repo --key online"),
              AllOf(HasSubstr("root"), HasSubstr("targets"), HasSubstr("timestamp")));
  EXPECT_THAT(Good("verify repo"), HasSubstr("models/goods/2.onnx"));
  EXPECT_THAT(Good("show repo"), HasSubstr("2 of 2"));

  WebServer server(folder_.path());
  const json checked = json::parse(Good(
      fmt::format("verify {} --root repo/1.root.json --state state --json", server.Url("repo"))));
  EXPECT_EQ(checked["targets"][0]["path"], "models/goods/2.onnx");
  EXPECT_EQ(checked["targets"][0]["length"], "5000");
  EXPECT_EQ(checked["targets"][0]["custom"]["task"], "goods");
  Good("refresh repo --key online");
  Good(fmt::format("verify {} --root repo/1.root.json --state state", server.Url("repo")));
}

TEST_F(ReleaseTest, RotatesAKeyOutWithTheKeysBefore) {
  Init();
  SignAll();
  Good("refresh repo --key online");
  Good("verify repo --state state");
  Good("keygen online2 root3");
  const json drafts = json::parse(Good("show repo --json"));
  const std::string online = drafts["roles"][1]["keys"][0];
  const std::string root1 = drafts["roles"][0]["keys"][0];
  EXPECT_THAT(Good(fmt::format("rotate repo --key snapshot=online2.pub --key timestamp=online2.pub "
                               "--retire snapshot={} --retire timestamp={} --key root=root3.pub "
                               "--retire root={}",
                               online.substr(0, 12), online, root1)),
              HasSubstr("0 of 2, 0 of 2 of the root before"));
  Good("sign repo --key root2 --key root3");
  EXPECT_THAT(Run("refresh repo --key online2").err, HasSubstr("at hand"));
  Good("sign repo --key root1");
  Good("refresh repo --key online2");
  EXPECT_THAT(Good("verify repo --state state"), HasSubstr("root"));
  EXPECT_EQ(json::parse(Good("verify repo --json"))["roles"][0]["version"], 2);
}

TEST_F(ReleaseTest, ShowsNoPrivateKeyAndKeepsItForItsOwner) {
  std::string said = Good("keygen key");
  said += Run("keygen key").err;
  struct stat info {};
  ASSERT_EQ(stat((folder_ / "key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const std::string pem = ReadFile(folder_ / "key", 4096).value();
  EXPECT_THAT(pem, HasSubstr("BEGIN PRIVATE KEY"));
  EXPECT_THAT(said, testing::Not(HasSubstr("PRIVATE KEY")));
  EXPECT_THAT(said, testing::Not(HasSubstr(pem.substr(30, 30))));
  EXPECT_THAT(said, HasSubstr("no key is ever overwritten"));
  EXPECT_EQ(ReadFile(folder_ / "key", 4096).value(), pem);
}

TEST_F(ReleaseTest, NamesTheRefusalOfWhatItVerifies) {
  Init();
  ASSERT_TRUE(WriteFileDurably(folder_ / "model", "m").ok());
  Good("add repo model");
  SignAll();
  Good("refresh repo --key online");
  Shell("cp -r " + folder_ / "repo" + " " + folder_ / "old");
  Good("refresh repo --key online");
  Good("verify repo --state state");
  const Ended rollback = Run("verify old --state state");
  EXPECT_EQ(rollback.status, 1);
  EXPECT_THAT(rollback.err, HasSubstr("gleaner: rollback: timestamp.json is version 1"));
  Shell(fmt::format("for file in {}; do echo x >$file; done", folder_ / "repo/targets/*.model"));
  EXPECT_THAT(Run("verify repo").err, HasSubstr("endless_data: model is longer"));
}

TEST_F(ReleaseTest, SaysWhatWasUsedWrongly) {
  Init();
  const auto wrong = [&](const std::string& arguments, const std::string& why) {
    const Ended ended = Run(arguments);
    EXPECT_EQ(ended.status, 2) << arguments << ended.err;
    EXPECT_EQ(ended.out, "") << arguments;
    EXPECT_THAT(ended.err, AllOf(testing::StartsWith("gleaner: "), HasSubstr(why))) << arguments;
  };
  wrong("init other --key root=root1.pub", "timestamp has no key");
  wrong("init other --key boss=root1.pub", "the roles are root, targets, snapshot and timestamp");
  wrong("init other --key root=root1", "root1 is a private key; give the file beside it");
  wrong("rotate repo --threshold root=3", "root wants 3 signatures and has fewer keys");
  wrong("rotate repo --threshold root=x", "--threshold can't be \"root=x\"");
  wrong("rotate repo --retire root=ffff", "none of the keys of root begin with");
  wrong("rotate repo --days 0", "--days can't be 0");
  wrong("add repo root1.pub --as ../x", "can't be a target's path");
  wrong("add repo root1.pub --custom '[1]'", "not a JSON object");
  wrong("add repo root1.pub --custom '{\"a\":0.5}'", "--custom: malformed");
  wrong("add repo root1.pub root2.pub --as x", "--as and --custom are of a single file");
  wrong("verify http://127.0.0.1:9/x", "verify wants --root");
  wrong("", "say what to do: keygen, init, rotate, add, remove, sign, refresh, verify or show");
}

TEST_F(ReleaseTest, SaysWhatFailed) {
  Init();
  const auto fails = [&](const std::string& arguments, const std::string& why) {
    const Ended ended = Run(arguments);
    EXPECT_EQ(ended.status, 1) << arguments << ended.err;
    EXPECT_THAT(ended.err, AllOf(testing::StartsWith("gleaner: "), HasSubstr(why))) << arguments;
  };
  fails("show none", "there is no repository of releases; `gleaner release init` makes one");
  fails("refresh repo --key online", "the first root is missing signatures");
  fails("sign repo --key online", "no draft has a use for a signature");
  fails("sign repo --key root1.pub", "root1.pub");
  fails("remove repo none", "the targets have no \"none\"");
  fails("verify http://127.0.0.1:9/x --root root1.pub", "malformed: the packaged root");
  const Ended error = Run("show none --json");
  EXPECT_EQ(json::parse(error.err)["code"], "failed_precondition");
}

}  // namespace
}  // namespace gleaner::cli
