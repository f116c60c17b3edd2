// Keys of every role, repositories that honest keepers make with them, and the means to forge what
// a thief of some of the keys, or of none, would serve in their place.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/file.h"
#include "common/status.h"
#include "common/tuf/bounds.h"
#include "common/tuf/client.h"
#include "common/tuf/refusal.h"
#include "common/tuf/repository.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::tuf {

inline constexpr int64_t kDay = 86'400;
inline const std::string kGoods1 = "models/goods/1.onnx";
inline const std::string kGoods2 = "models/goods/2.onnx";

// "rollback", "ok", or the message of an error that is no refusal.
inline std::string NameOf(const absl::Status& status) {
  if (status.ok()) return "ok";
  const auto refusal = RefusalOf(status);
  return refusal.has_value() ? std::string(NameOf(*refusal)) : status.ToString();
}

class Lab {
 public:
  explicit Lab(int64_t now_unix_s) : now_(now_unix_s) {
    for (const char* name : {"root1", "root2", "root3", "targets1", "targets2", "targets3",
                             "snapshot", "snapshot2", "timestamp", "timestamp2", "stranger"}) {
      keys_.emplace(name, PrivateKey::Generate().value());
    }
  }

  int64_t now() const { return now_; }
  const PrivateKey& key(const std::string& name) const { return keys_.at(name); }
  std::string operator/(const std::string& name) const { return folder_ / name; }
  void Write(const std::string& path, const std::string& contents) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << contents;
  }

  // Names keys by role: {{"root", …}, …}; two of two for root and targets, one for the others.
  Root RootOf(const std::vector<std::string>& root, const std::vector<std::string>& targets,
              const std::string& snapshot, const std::string& timestamp) const {
    Root made{.expires_unix_s = now_ + 365 * kDay};
    const auto give = [&](Role role, const std::vector<std::string>& names) {
      for (const std::string& name : names) {
        const PublicKey& key = keys_.at(name).public_key();
        made.keys[key.id] = key;
        made.Of(role).key_ids.push_back(key.id);
      }
      made.Of(role).threshold = static_cast<uint32_t>(names.size());
    };
    give(Role::kRoot, root);
    give(Role::kTargets, targets);
    give(Role::kSnapshot, {snapshot});
    give(Role::kTimestamp, {timestamp});
    return made;
  }
  Root FirstRoot() const {
    return RootOf({"root1", "root2"}, {"targets1", "targets2"}, "snapshot", "timestamp");
  }

  void Sign(Repository& repository, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const auto done = repository.Sign(keys_.at(name));
      ASSERT_TRUE(done.ok()) << name << ": " << done.status();
    }
  }
  absl::Status Refresh(Repository& repository,
                       const std::vector<std::string>& names = {"snapshot", "timestamp"}) {
    std::vector<PrivateKey> online;
    for (const std::string& name : names) {
      online.push_back(PrivateKey::Parse(keys_.at(name).ToPem(), name).value());
    }
    return repository.Refresh(online, lifetimes_, now_).status();
  }
  Target Add(Repository& repository, const std::string& path, const std::string& contents) {
    const std::string file = folder_ / "upload";
    Write(file, contents);
    return repository
        .AddTarget(file, path, R"({"gleaner":{"note":"Modèle \"q\" \\ é","floors":[1,2]}})",
                   now_ + 90 * kDay)
        .value();
  }

  // The first publication: goods 1, every version 1.
  std::string FirstStage(const std::string& name = "a") {
    const std::string at = folder_ / name;
    Repository repository = Repository::Create(at, FirstRoot(), now_ + 90 * kDay).value();
    Add(repository, kGoods1, std::string(10'000, '1'));
    Sign(repository, {"root1", "root2", "targets1", "targets2"});
    EXPECT_TRUE(Refresh(repository).ok());
    return at;
  }
  // After it: goods 2 as well; targets, snapshot and timestamp 2.
  std::string SecondStage(const std::string& before, const std::string& name = "b") {
    const std::string at = Copy(before, name);
    Repository repository = Repository::Open(at).value();
    Add(repository, kGoods2, std::string(20'000, '2'));
    Sign(repository, {"targets1", "targets2"});
    EXPECT_TRUE(Refresh(repository).ok());
    return at;
  }
  // After it: root 2 with one root key, one targets key and both online keys exchanged.
  std::string ThirdStage(const std::string& before, const std::string& name = "c") {
    const std::string at = Copy(before, name);
    Repository repository = Repository::Open(at).value();
    EXPECT_TRUE(repository
                    .DraftRoot(RootOf({"root2", "root3"}, {"targets2", "targets3"}, "snapshot2",
                                      "timestamp2"))
                    .ok());
    Sign(repository, {"root1", "root2", "root3", "targets2", "targets3"});
    const absl::Status refreshed = Refresh(repository, {"snapshot2", "timestamp2"});
    EXPECT_TRUE(refreshed.ok()) << refreshed;
    return at;
  }

  std::string Copy(const std::string& from, const std::string& name) {
    std::filesystem::copy(from, folder_ / name, std::filesystem::copy_options::recursive);
    return folder_ / name;
  }

  template <typename T>
  Signed<T> Get(const std::string& path) {
    return Parse<T>(ReadFile(path, 1 << 20).value(), path).value();
  }
  // Writes `content` with the signatures of these keys; its bytes.
  template <typename T>
  std::string Put(const std::string& path, const T& content,
                  const std::vector<std::string>& signers) {
    std::vector<Signature> signatures;
    for (const std::string& name : signers) {
      const PrivateKey& key = keys_.at(name);
      signatures.push_back({key.public_key().id, key.Sign(Payload(content)).value()});
    }
    const std::string bytes = tuf::Write(content, signatures);
    Write(path, bytes);
    return bytes;
  }
  // A timestamp that names these bytes of a snapshot, as whoever has the timestamp key makes it.
  void PutTimestamp(const std::string& repository, uint64_t version, const MetaFile& snapshot,
                    const std::vector<std::string>& signers = {"timestamp"}) {
    Put(repository + "/timestamp.json",
        Timestamp{.version = version, .expires_unix_s = now_ + kDay, .snapshot = snapshot},
        signers);
  }
  // Snapshot `version` naming `targets`, and a timestamp naming it.
  void PutSnapshot(const std::string& repository, uint64_t version, const MetaFile& targets,
                   int64_t expires_in_s = 7 * kDay) {
    const std::string bytes = Put(fmt::format("{}/{}.snapshot.json", repository, version),
                                  Snapshot{.version = version,
                                           .expires_unix_s = now_ + expires_in_s,
                                           .meta = {{"targets.json", targets}}},
                                  {"snapshot"});
    PutTimestamp(repository, version, MetaFile::Of(version, bytes));
  }
  // Targets 3 as those of `repository` with the signatures of `signers`, and what names them.
  void PutTargets(const std::string& repository, const std::vector<std::string>& signers,
                  int64_t expires_in_s = 90 * kDay) {
    Targets targets = Get<Targets>(repository + "/2.targets.json").content;
    targets.version = 3;
    targets.expires_unix_s = now_ + expires_in_s;
    const std::string bytes = Put(repository + "/3.targets.json", targets, signers);
    PutSnapshot(repository, 3, MetaFile::Of(3, bytes));
  }

 private:
  int64_t now_;
  TemporaryFolder folder_;
  std::map<std::string, PrivateKey> keys_;
  Repository::Lifetimes lifetimes_;
};

}  // namespace gleaner::tuf
