// A repository served over HTTP, and what a server in the middle or a thief of some keys would make
// of it, in one table: npm's tuf-js and our own client take the honest one and refuse each attack,
// ours by its name.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "cli/release/http_fetcher.h"
#include "tests/cli/release/web_server.h"
#include "tests/common/tuf/lab.h"
#include "tests/data/paths.h"
#include "tests/data/shell.h"

namespace gleaner::tuf {
namespace {

using nlohmann::json;

struct Attack {
  std::string name;
  std::string ours;    // how our client names it
  std::string theirs;  // how tuf-js words it, somewhere in its error
  // Makes of a copy of what the client took last what it is to refuse.
  std::function<void(Lab& lab, const std::string& repository)> make;
  std::string before = "b";  // the stage that the client took last
  bool recovers = true;      // the honest third stage is taken afterwards
};

MetaFile Bare(uint64_t version) { return {.version = version}; }

void Replace(const std::string& from, const std::string& to) {
  std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
}

std::string BlobOf(Lab& lab, const std::string& repository) {
  const Targets targets = lab.Get<Targets>(repository + "/2.targets.json").content;
  return repository + "/targets/" + targets.targets.at(kGoods2).RemotePath();
}

std::vector<Attack> Attacks() {
  std::vector<Attack> attacks;
  const auto add = [&](Attack attack) { attacks.push_back(std::move(attack)); };

  // --- older than what was trusted
  add({"rollback of all to what was signed before", "rollback", "BadVersionError: New timestamp",
       [](Lab& lab, const std::string& at) {
         Replace(lab / "a/timestamp.json", at + "/timestamp.json");
       }});
  add({"rollback of the snapshot, with the timestamp key", "rollback",
       "BadVersionError: New snapshot version 1 is less",
       [](Lab& lab, const std::string& at) { lab.PutTimestamp(at, 3, Bare(1)); }});
  add({"rollback of the targets, with both online keys", "rollback",
       "New version 1 of targets.json is less",
       [](Lab& lab, const std::string& at) { lab.PutSnapshot(at, 3, Bare(1)); }});
  add({"a root of a version before", "rollback", "BadVersionError",
       [](Lab& lab, const std::string& at) {
         lab.Put(at + "/2.root.json", lab.FirstRoot(), {"root1", "root2"});
       }});

  // --- news held back
  add({"freeze: the timestamp expired", "freeze", "ExpiredMetadataError: Final timestamp.json",
       [](Lab& lab, const std::string& at) {
         lab.Put(at + "/timestamp.json",
                 Timestamp{.version = 3,
                           .expires_unix_s = lab.now() - 1,
                           .snapshot = lab.Get<Timestamp>(at + "/timestamp.json").content.snapshot},
                 {"timestamp"});
       }});
  add({"freeze: the snapshot expired", "freeze", "snapshot.json is expired",
       [](Lab& lab, const std::string& at) { lab.PutSnapshot(at, 3, Bare(2), -1); }});
  add({"expired targets", "expired", "targets.json is expired",
       [](Lab& lab, const std::string& at) {
         lab.PutTargets(at, {"targets1", "targets2"}, -1);
       }});
  add({"expired root", "expired", "ExpiredMetadataError: Final root.json is expired",
       [](Lab& lab, const std::string& at) {
         Root root = lab.FirstRoot();
         root.version = 2;
         root.expires_unix_s = lab.now() - 1;
         lab.Put(at + "/2.root.json", root, {"root1", "root2"});
       },
       "b", false});

  // --- files that don't belong together
  add({"mix: an older snapshot under the new name", "mix_and_match",
       "Snapshot version doesn't match timestamp", [](Lab& lab, const std::string& at) {
         lab.PutTimestamp(at, 3, Bare(3));
         Replace(at + "/2.snapshot.json", at + "/3.snapshot.json");
       }});
  add({"mix: another snapshot of the same version", "mix_and_match", "Expected hash",
       [](Lab& lab, const std::string& at) {
         lab.PutSnapshot(at, 3, Bare(2));
         lab.Put(at + "/3.snapshot.json",
                 Snapshot{.version = 3,
                          .expires_unix_s = lab.now() + 6 * kDay,
                          .meta = {{"targets.json", Bare(2)}}},
                 {"snapshot"});
       }});
  add({"mix: older targets under the new name", "mix_and_match",
       "does not match snapshot version 3", [](Lab& lab, const std::string& at) {
         lab.PutSnapshot(at, 3, Bare(3));
         Replace(at + "/2.targets.json", at + "/3.targets.json");
       }});
  add({"mix: other targets of the same version", "mix_and_match", "Expected",
       [](Lab& lab, const std::string& at) {
         lab.PutTargets(at, {"targets1", "targets2"});
         Replace(at + "/2.targets.json", at + "/3.targets.json");
       }});
  add({"mix: a root of a version that leaves one out", "mix_and_match", "BadVersionError",
       [](Lab& lab, const std::string& at) {
         Root root = lab.FirstRoot();
         root.version = 3;
         lab.Put(at + "/2.root.json", root, {"root1", "root2"});
       }});

  // --- what doesn't end
  const auto endless = [&](const std::string& what, const std::string& file,
                           const std::function<void(Lab&, const std::string&)>& before = {}) {
    add({"endless " + what, "endless_data", "Max length reached",
         [=](Lab& lab, const std::string& at) {
           if (before) before(lab, at);
           lab.Write(at + "/" + file + ".endless", "");
         }});
  };
  endless("timestamp", "timestamp.json");
  endless("root", "2.root.json");
  endless("snapshot", "3.snapshot.json",
          [](Lab& lab, const std::string& at) { lab.PutSnapshot(at, 3, Bare(2)); });
  endless("snapshot of no known length", "3.snapshot.json",
          [](Lab& lab, const std::string& at) { lab.PutTimestamp(at, 3, Bare(3)); });
  endless("targets", "3.targets.json", [](Lab& lab, const std::string& at) {
    lab.PutTargets(at, {"targets1", "targets2"});
  });
  add({"endless target", "endless_data", "Max length reached",
       [](Lab& lab, const std::string& at) { lab.Write(BlobOf(lab, at) + ".endless", ""); }});
  add({"a target that is one byte longer", "endless_data", "Max length reached",
       [](Lab& lab, const std::string& at) {
         lab.Write(BlobOf(lab, at), std::string(20'001, '2'));
       }});

  // --- who signed
  add({"wrong key: a stranger's timestamp", "wrong_key", "timestamp was signed by 0/1 keys",
       [](Lab& lab, const std::string& at) { lab.PutTimestamp(at, 3, Bare(2), {"stranger"}); }});
  add({"wrong key: targets by the online keys", "wrong_key", "targets was signed by 0/2 keys",
       [](Lab& lab, const std::string& at) {
         lab.PutTargets(at, {"snapshot", "timestamp"});
       }});
  add({"wrong key: a stranger's root", "wrong_key", "root was signed by 0/2 keys",
       [](Lab& lab, const std::string& at) {
         Root root = lab.RootOf({"stranger"}, {"stranger"}, "stranger", "stranger");
         root.version = 2;
         lab.Put(at + "/2.root.json", root, {"stranger"});
       }});
  add({"one of two signatures under the targets", "too_few_signatures",
       "targets was signed by 1/2 keys",
       [](Lab& lab, const std::string& at) { lab.PutTargets(at, {"targets1"}); }});
  add({"one of two signatures under a root", "too_few_signatures", "root was signed by 1/2 keys",
       [](Lab& lab, const std::string& at) {
         Root root = lab.FirstRoot();
         root.version = 2;
         lab.Put(at + "/2.root.json", root, {"root2"});
       }});
  add({"a timestamp key that was rotated out", "wrong_key", "timestamp was signed by 0/1 keys",
       [](Lab& lab, const std::string& at) { lab.PutTimestamp(at, 9, Bare(3)); }, "c"});
  add({"a root key that was rotated out", "too_few_signatures", "root was signed by 1/2 keys",
       [](Lab& lab, const std::string& at) {
         Root root = lab.FirstRoot();
         root.version = 3;
         lab.Put(at + "/3.root.json", root, {"root1", "root2"});
       },
       "c"});
  add({"a root that its own keys didn't sign", "too_few_signatures", "root was signed by 1/2 keys",
       [](Lab& lab, const std::string& at) {
         Root root = lab.RootOf({"root2", "root3"}, {"targets1"}, "snapshot", "timestamp");
         root.version = 2;
         lab.Put(at + "/2.root.json", root, {"root1", "root2"});
       }});

  // --- changed bytes
  add({"a timestamp that was changed after it was signed", "bad_signature",
       "timestamp was signed by 0/1 keys", [](Lab& lab, const std::string& at) {
         Signed<Timestamp> timestamp = lab.Get<Timestamp>(at + "/timestamp.json");
         ++timestamp.content.version;
         lab.Write(at + "/timestamp.json", Write(timestamp.content, timestamp.signatures));
       }});
  add({"a target of other bytes", "altered", "Expected hash", [](Lab& lab, const std::string& at) {
         lab.Write(BlobOf(lab, at), std::string(19'999, '2') + "3");
       }});
  add({"a target that is one byte shorter", "altered", "Expected length",
       [](Lab& lab, const std::string& at) {
         lab.Write(BlobOf(lab, at), std::string(19'999, '2'));
       }});
  add({"a snapshot that isn't there", "missing", "Failed to download",
       [](Lab& lab, const std::string& at) { lab.PutTimestamp(at, 3, Bare(3)); }});
  add({"no JSON", "malformed", "SyntaxError",
       [](Lab& lab, const std::string& at) { lab.Write(at + "/timestamp.json", "<html>"); }});
  return attacks;
}

class AttacksTest : public testing::Test {
 protected:
  AttacksTest() { lab_.ThirdStage(lab_.SecondStage(lab_.FirstStage())); }

  Client Open(const std::string& state) {
    return Client::Open({.packaged_root = ReadFile(lab_ / "a/1.root.json", 1 << 20).value(),
                         .state_path = lab_ / state},
                        RealClock())
        .value();
  }
  // As a device does: refresh, then fetch what it wants.
  std::string Take(Client& client, const std::string& repository, const std::string& target) {
    const auto fetcher = cli::HttpFetcher::Connect(server_.Url(repository), "").value();
    if (const absl::Status status = client.Refresh(*fetcher); !status.ok()) return NameOf(status);
    const auto found = client.Find(target);
    if (!found.ok()) return NameOf(found.status());
    return NameOf(FetchTarget(*fetcher, *found, [](std::string_view) { return absl::OkStatus(); }));
  }
  // What tuf-js makes of each step.
  json TufJs(const json& steps) {
    lab_.Write(lab_ / "plan.json", steps.dump());
    const auto [status, said] = Shell(fmt::format("node {}/tests/cli/release/tuf_js.mjs {} 2>&1",
                                                  SourceDir(), lab_ / "plan.json"));
    const json results = json::parse(said, nullptr, false);
    EXPECT_TRUE(status == 0 && results.is_array() && results.size() == steps.size())
        << said << "\n(npm --prefix third_party/npm ci brings what it needs)";
    return results;
  }
  json Step(const std::string& client, const std::string& repository, bool begins) {
    json step{{"client", lab_ / client},
              {"repository", server_.Url(repository)},
              {"target", repository == "a" ? kGoods1 : kGoods2}};
    if (begins) step["root"] = lab_ / "a/1.root.json";
    return step;
  }

  // Real time: tuf-js looks at the machine's clock.
  Lab lab_{RealClock().WallNs() / kNanosPerSecond};
  WebServer server_{lab_ / ""};
};

TEST_F(AttacksTest, AreRefusedByTufJsAndByOurClientByName) {
  const std::vector<Attack> attacks = Attacks();
  json steps = json::array();
  for (size_t i = 0; i < attacks.size(); ++i) {
    const std::string repository = fmt::format("attack{}", i);
    attacks[i].make(lab_, lab_.Copy(lab_ / attacks[i].before, repository));
    const std::string client = fmt::format("tuf_js{}", i);
    steps.push_back(Step(client, attacks[i].before, true));
    steps.push_back(Step(client, repository, false));
    steps.push_back(Step(client, "c", false));
  }
  const json theirs = TufJs(steps);
  ASSERT_EQ(theirs.size(), steps.size());
  for (size_t i = 0; i < attacks.size(); ++i) {
    const Attack& attack = attacks[i];
    SCOPED_TRACE(attack.name);
    Client client = Open(fmt::format("state{}", i));
    EXPECT_EQ(Take(client, attack.before, kGoods2), "ok");
    EXPECT_EQ(Take(client, fmt::format("attack{}", i), kGoods2), attack.ours);
    EXPECT_EQ(theirs[3 * i].value("ok", false), true) << theirs[3 * i];
    EXPECT_EQ(theirs[3 * i + 1].value("ok", true), false);
    EXPECT_THAT(theirs[3 * i + 1].value("error", ""), testing::HasSubstr(attack.theirs));
    if (attack.recovers) {
      EXPECT_EQ(Take(client, "c", kGoods2), "ok");
      EXPECT_EQ(theirs[3 * i + 2].value("ok", false), true) << theirs[3 * i + 2];
    }
  }
}

TEST_F(AttacksTest, AreNoneInAnHonestRepositoryAtAnyStage) {
  const json theirs =
      TufJs({Step("walks", "a", true), Step("walks", "b", false), Step("walks", "b", false),
             Step("walks", "c", false), Step("late", "c", true)});
  for (const json& one : theirs) EXPECT_EQ(one.value("ok", false), true) << one;
  EXPECT_EQ(theirs[4].value("bytes", 0), 20'000);
  EXPECT_EQ(theirs[4]["custom"]["gleaner"]["note"], "Modèle \"q\" \\ é");
  Client client = Open("walks.state");
  EXPECT_EQ(Take(client, "a", kGoods1), "ok");
  EXPECT_EQ(Take(client, "b", kGoods2), "ok");
  EXPECT_EQ(Take(client, "b", kGoods2), "ok");
  EXPECT_EQ(Take(client, "c", kGoods2), "ok");
}

}  // namespace
}  // namespace gleaner::tuf
