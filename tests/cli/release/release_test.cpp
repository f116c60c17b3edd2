// `gleaner release` as its keepers type it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "common/file.h"
#include "common/tuf/key.h"
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
  // How tables and paragraphs name a key of the test.
  std::string Id(const std::string& name) {
    const auto key = tuf::PublicKey::Parse(ReadFile(folder_ / (name + ".pub"), 4096).value(), name);
    return key.value().id.substr(0, 12);
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
  wrong("discard repo timestamp", "ROLE can't be \"timestamp\": root and targets have drafts");
  wrong("sign repo --key root1.pub",
        "root1.pub: is the public half of a key; the private half, which signs, is root1");
  wrong("refresh repo --key online.pub", "the private half, which signs, is online");
  for (const char* command :
       {"show {}", "init {}", "rotate {}", "add {}", "remove {} path", "sign {} --key root1",
        "discard {} root", "refresh {} --key online"}) {
    wrong(fmt::format(fmt::runtime(command), "http://127.0.0.1:9/x"),
          "http://127.0.0.1:9/x is an address, and this takes the repository's folder");
  }
  wrong("rotate repo --days 0", "--days can't be 0");
  wrong("add repo root1.pub --as ../x", "can't be a target's path");
  wrong("add repo root1.pub --custom '[1]'", "not a JSON object");
  wrong("add repo root1.pub --custom '{\"a\":0.5}'", "--custom: malformed");
  wrong("add repo root1.pub root2.pub --as x", "--as and --custom are of a single file");
  wrong("verify http://127.0.0.1:9/x", "verify wants --root");
  wrong(
      "",
      "say what to do: keygen, init, rotate, add, remove, sign, discard, refresh, verify or show");
}

TEST_F(ReleaseTest, ShowsWhatIsPublishedAndBelowItWhatTheDraftsChange) {
  Init();
  ASSERT_TRUE(WriteFileDurably(folder_ / "a", "a").ok());
  ASSERT_TRUE(WriteFileDurably(folder_ / "b", "bb").ok());
  EXPECT_THAT(Good("add repo a b"),
              AllOf(HasSubstr("+ a  1 B  sha256 "), HasSubstr("+ b  2 B  sha256 ")));
  EXPECT_THAT(Good("show repo"), AllOf(HasSubstr("Nothing is published yet: sign, then refresh"),
                                       HasSubstr("+ key of timestamp " + Id("online")),
                                       HasSubstr("threshold of root: 2\n")));
  SignAll();
  Good("refresh repo --key online");
  EXPECT_THAT(Good("show repo"), testing::Not(HasSubstr("DRAFT")));

  Good("keygen root3 targets3");
  Good(
      fmt::format("rotate repo --key root=root3.pub --retire root={} --threshold root=1 "
                  "--key targets=targets3.pub --retire targets={}",
                  Id("root1"), Id("targets1")));
  ASSERT_TRUE(WriteFileDurably(folder_ / "a", "aaa").ok());
  Good("add repo a --custom '{\"task\":\"goods\"}'");
  Good("remove repo b");
  const std::string text = Good("show repo");
  const std::string published = text.substr(0, text.find("DRAFT"));
  EXPECT_THAT(published,
              AllOf(HasSubstr(Id("root1") + " " + Id("root2")), HasSubstr("2 of 2"),
                    HasSubstr(Id("targets1") + " " + Id("targets2")), HasSubstr("1 B"),
                    HasSubstr("2 B"), testing::Not(HasSubstr(Id("root3"))),
                    testing::Not(HasSubstr(Id("targets3"))), testing::Not(HasSubstr("3 B"))));
  EXPECT_THAT(text.substr(published.size()),
              AllOf(HasSubstr("\n  + key of root " + Id("root3") + "\n"),
                    HasSubstr("\n  - key of root " + Id("root1") + "\n"),
                    HasSubstr("\n  threshold of root: 1, before: 2\n"),
                    HasSubstr("\n  + key of targets " + Id("targets3") + "\n"),
                    HasSubstr("\n  - key of targets " + Id("targets1") + "\n"),
                    HasSubstr("\n  - a  1 B  sha256 "), HasSubstr("\n  + a  3 B  sha256 "),
                    HasSubstr("\n    {\"task\":\"goods\"}\n"), HasSubstr("\n  - b  2 B  sha256 ")));

  const json all = json::parse(Good("show repo --json"));
  EXPECT_EQ(all["roles"][0]["threshold"], 2);
  EXPECT_THAT(all["roles"][0]["keys"].dump(), HasSubstr(Id("root1")));
  EXPECT_EQ(all["targets"][0]["length"], "1");
  const json& root = all["drafts"][0];
  EXPECT_THAT(root["roles"][0]["keysAdded"][0], testing::StartsWith(Id("root3")));
  EXPECT_THAT(root["roles"][0]["keysRemoved"][0], testing::StartsWith(Id("root1")));
  EXPECT_EQ(root["roles"][0]["threshold"], 1);
  EXPECT_EQ(root["roles"][0]["thresholdBefore"], 2);
  const json& files = all["drafts"][1]["files"];
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[0]["change"], "removed");
  EXPECT_EQ(files[1]["change"], "added");
  EXPECT_EQ(files[1]["path"], "a");
  EXPECT_EQ(files[1]["custom"]["task"], "goods");
  EXPECT_EQ(files[2]["path"], "b");
}

TEST_F(ReleaseTest, SaysWhoSignedAndWhoElseMay) {
  Init();
  EXPECT_THAT(
      Good("sign repo --key root1"),
      AllOf(HasSubstr(Id("root1") + " signed root 1\n"),
            HasSubstr(fmt::format("root 1: 1 of 2: {} signed; {} may\n", Id("root1"), Id("root2"))),
            HasSubstr(fmt::format("targets 1: 0 of 2: {}, {} may sign\n", Id("targets1"),
                                  Id("targets2")))));
  EXPECT_THAT(Good("sign repo --key root1"), HasSubstr(Id("root1") + " had signed root 1 already"));
  json said = json::parse(Good("sign repo --key root1 --json"));
  EXPECT_EQ(said["signed"][0]["hadSigned"], true);
  EXPECT_EQ(said["drafts"][0]["signed"].size(), 1u);
  EXPECT_EQ(said["drafts"][0]["keys"].size(), 2u);
  SignAll();
  Good("refresh repo --key online");

  Good("keygen root3");
  Good("rotate repo --key root=root3.pub");
  Good("sign repo --key root1 --key root2");
  EXPECT_THAT(Good("sign repo --key root3"),
              AllOf(HasSubstr("root 2: 2 of 2: "), HasSubstr("by the root before 2 of 2: "),
                    HasSubstr(Id("root3") + " signed\n"), testing::Not(HasSubstr("3 of 2")),
                    testing::Not(HasSubstr(" may"))));
}

TEST_F(ReleaseTest, WithdrawsADraft) {
  Init();
  SignAll();
  Good("refresh repo --key online");
  const std::string retire = "rotate repo --key root=root3.pub --retire root=" + Id("root1");
  Good("keygen root3");
  Good(retire);
  EXPECT_THAT(Run(retire).err, AllOf(HasSubstr("the draft of root has dropped key " + Id("root1")),
                                     HasSubstr("`gleaner release discard DIR root` withdraws it")));
  EXPECT_EQ(Good("discard repo root"), "The draft of root is discarded.\nNo drafts.\n");
  EXPECT_THAT(Run("discard repo root").err, HasSubstr("repo: there is no draft of root"));
  Good(retire);
  Good("add repo root1.pub");
  const json said = json::parse(Good("discard repo targets --json"));
  EXPECT_EQ(said["discarded"], json::array({"targets"}));
  EXPECT_EQ(said["drafts"].size(), 1u);
}

TEST_F(ReleaseTest, SaysWhichAddressDidNotAnswer) {
  Init();
  SignAll();
  Good("refresh repo --key online");
  const Ended ended = Run("verify http://127.0.0.1:1/x --root repo/1.root.json");
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("can't reach http://127.0.0.1:1: nobody answers there"),
                               testing::Not(HasSubstr("gleaner-cloud")),
                               testing::Not(HasSubstr("GLEANER_SERVER"))));
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
  fails("verify repo", "repo: nothing is published yet: `gleaner release sign`, then");
  fails("verify repo --root none", "repo: nothing is published yet");
  fails("verify none", "none: there is no repository of releases; `gleaner release init` makes");
  fails("discard repo root", "no root is published yet");
  fails("remove repo none", "the targets have no \"none\"");
  fails("verify http://127.0.0.1:9/x --root root1.pub", "malformed: the packaged root");
  const Ended error = Run("show none --json");
  EXPECT_EQ(json::parse(error.err)["code"], "failed_precondition");
}

}  // namespace
}  // namespace gleaner::cli
