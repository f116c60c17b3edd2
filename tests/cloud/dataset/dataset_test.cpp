#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "cloud/database/columns.h"
#include "cloud/dataset/datasets.h"
#include "cloud/dataset/leak_check.h"
#include "cloud/dataset/signed_url.h"
#include "common/process_memory.h"
#include "common/status.h"
#include "tests/cloud/dataset/dataset_testing.h"
#include "tests/data/paths.h"
#include "tests/data/shell.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class DatasetTest : public testing::Test {
 protected:
  // The list's frames, as they stand in it.
  std::vector<json> Frames(const std::string& name) {
    std::vector<json> frames;
    std::istringstream lines(rig_.ListOf(name));
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) frames.push_back(json::parse(line));
    return frames;
  }
  json Card(const std::string& name) {
    return json::parse(rig_.datasets->Get(name).value().card_json());
  }
  std::string Save(const std::string& file, const std::string& bytes) {
    std::ofstream(folder_ / file, std::ios::binary) << bytes;
    return folder_ / file;
  }
  // What another program than ours reads in it.
  std::string ReadBack(const std::string& what) {
    const auto [status, said] = Shell(fmt::format(
        "/usr/bin/python3 {}/tests/cloud/dataset/read_back.py {} 2>&1", SourceDir(), what));
    EXPECT_EQ(status, 0) << said;
    return said;
  }
  size_t Rubbish() { return rig_.catalog->names.FindRubbish("", 100'000).value().size(); }

  TemporaryFolder folder_;
  DatasetRig rig_{folder_ / ""};
};

TEST_F(DatasetTest, AFrozenListHasEveryLabelledFrameWithItsLineage) {
  rig_.Fill(4, 5);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  const auto frames = Frames("first");
  ASSERT_EQ(frames.size(), 20u);
  for (const json& frame : frames) {
    EXPECT_EQ(frame["site"], "store-7");
    EXPECT_EQ(frame["rule"], "motion");
    EXPECT_EQ(frame["reviewer_role"], "annotator");
    EXPECT_EQ(frame["width"], 1280);
    EXPECT_GT(frame["label"], 0);
    const FrameName name{frame["clip"], frame["camera"], frame["pts"]};
    EXPECT_EQ(frame["picture"]["sha256"], HexOf(Sha256::Of(TestPicture(name))));
    EXPECT_EQ(ReadKeptPicture(rig_.catalog->database(), *rig_.objects, name,
                              frame["picture"]["sha256"].get<std::string>())
                  .value(),
              TestPicture(name));
  }
  EXPECT_EQ(frames[0]["boxes"][0], (json{"bottle", 100000, 250000, 50000, 125000, json::array()}));
  const auto verified = rig_.datasets->Verify("first");
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_EQ(verified->frames(), 20u);
  EXPECT_TRUE(rig_.catalog->names.Check().ok()) << rig_.catalog->names.Check();
}

TEST_F(DatasetTest, TheSameFrozenTwiceIsTheSameAndDecodesNothingTwice) {
  rig_.Fill(3, 4);
  int decoded = 0;
  rig_.decode = [&](const FrameName& frame) -> absl::StatusOr<std::string> {
    ++decoded;
    return TestPicture(frame);
  };
  ASSERT_TRUE(rig_.Freeze("first").ok());
  ASSERT_TRUE(rig_.Freeze("second").ok());
  EXPECT_EQ(decoded, 12);
  EXPECT_EQ(rig_.ListOf("first"), rig_.ListOf("second"));
  EXPECT_EQ(rig_.datasets->Get("first")->dataset().root(),
            rig_.datasets->Get("second")->dataset().root());
}

TEST_F(DatasetTest, ItsRootIsThatOfASecondImplementation) {
  rig_.Fill(3, 7);
  for (uint64_t most = 1; most <= 9; ++most) {
    v1::FreezeDatasetRequest request;
    request.set_most(most);
    const std::string name = fmt::format("of-{}", most);
    ASSERT_TRUE(rig_.Freeze(name, request).ok());
    EXPECT_EQ(Frames(name).size(), most);
    EXPECT_EQ(ReadBack("merkle " + Save(name, rig_.ListOf(name))),
              rig_.datasets->Get(name)->dataset().root() + "\n");
  }
}

TEST_F(DatasetTest, AVersionIsNeverChangedNorMadeTwice) {
  rig_.Fill(1, 2);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  const absl::Status again = rig_.Freeze("first");
  EXPECT_TRUE(absl::IsAlreadyExists(again)) << again;
  for (const char* change :
       {"UPDATE dataset_version SET root = 'x'", "DELETE FROM dataset_version"}) {
    EXPECT_FALSE(rig_.catalog->database()
                     .Write([&](Sql& sql) {
                       sql.Run(change, In());
                       return absl::OkStatus();
                     })
                     .ok())
        << change;
  }
}

TEST_F(DatasetTest, AListThatWasTouchedIsFoundOut) {
  rig_.Fill(1, 3);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  std::string list = rig_.ListOf("first");
  list[list.find("250000")] = '3';
  PartWriter writer(*rig_.objects);
  ASSERT_TRUE(writer.Append(list).ok() && writer.End().ok());
  ASSERT_TRUE(rig_.catalog->database()
                  .Write([&](Sql& sql) {
                    sql.Run("UPDATE dataset_part SET blob = :blob WHERE owner = 'list 1'",
                            In(writer.parts()[0].blob));
                    return absl::OkStatus();
                  })
                  .ok());
  const auto verified = rig_.datasets->Verify("first");
  EXPECT_TRUE(absl::IsDataLoss(verified.status())) << verified.status();
  EXPECT_THAT(std::string(Message(verified.status())), HasSubstr("its root is"));
  EXPECT_TRUE(absl::IsDataLoss(rig_.Export("first", "coco").status()));
}

TEST_F(DatasetTest, NothingThatIsDoneLaterMovesAFrame) {
  rig_.Fill(12, 2);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  std::map<std::string, std::string> splits;
  for (const json& frame : Frames("first")) splits[frame["clip"]] = frame["split"];
  rig_.MakeSchema({"bottle", "mug", "box"});
  v1::FreezeDatasetRequest request;
  request.set_most(9);
  request.set_seed(5);
  ASSERT_TRUE(rig_.Freeze("second", request).ok());
  for (const json& frame : Frames("second")) EXPECT_EQ(frame["split"], splits[frame["clip"]]);
}

TEST(SplitsTest, GroupsAreInOneSplitOfEachSchemaInTheirShares) {
  const std::string key(32, 'k');
  std::array<int, 3> count{};
  int moved = 0, by_another_key = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string group = GroupOf("cart-1", "store-7", i * kSplitBlockNs);
    const Split split = SplitOf(key, "carts", group);
    EXPECT_EQ(split, SplitOf(key, "carts", GroupOf("cart-1", "store-7", i * kSplitBlockNs + 1)));
    ++count[static_cast<size_t>(split)];
    moved += split != SplitOf(key, "shelves", group);
    by_another_key += split != SplitOf(std::string(32, 'a'), "carts", group);
  }
  EXPECT_NEAR(count[0], 8000, 200);
  EXPECT_NEAR(count[1], 1000, 150);
  EXPECT_NEAR(count[2], 1000, 150);
  EXPECT_NEAR(moved, 3400, 300) << "each schema has splits of its own";
  EXPECT_NEAR(by_another_key, 3400, 300) << "only who has the key knows them";
}

TEST_F(DatasetTest, ACatalogueMakesItsKeyOnce) {
  std::string first, second;
  ASSERT_TRUE(rig_.catalog->database()
                  .Write([&](Sql& sql) {
                    sql.Run("DELETE FROM dataset_key", In());
                    first = MakeSplitKey(sql);
                    second = MakeSplitKey(sql);
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(first, second);
  EXPECT_NE(first, std::string(32, '\xaa'));
}

TEST_F(DatasetTest, AFrameThatWouldTieTwoSplitsIsLeftOutAndCounted) {
  // Clips ten minutes apart: neighbouring groups. All frames of all clips look alike.
  for (int c = 0; c < 40; ++c) {
    const std::string id = rig_.AddClip({.sequence = static_cast<uint64_t>(c) + 1,
                                         .fired_ns = DatasetRig::kDay + c * kSplitBlockNs,
                                         .phashes = {7}});
    rig_.Label({id, "front", 0}, {DatasetRig::Box(1, 0.1, 0.1, 0.1, 0.1)});
  }
  ASSERT_TRUE(rig_.Freeze("first").ok());
  const auto frames = Frames("first");
  const json card = Card("first");
  const uint64_t tied = card["left_out"]["looks like a frame of another split"];
  EXPECT_EQ(tied + frames.size(), 40u);
  EXPECT_GT(tied, 0u);
  std::map<int64_t, std::string> by_block;
  for (const json& frame : frames) {
    by_block[frame["taken_unix_ns"].get<int64_t>() / kSplitBlockNs] = frame["split"];
  }
  for (const auto& [block, split] : by_block) {
    if (!by_block.contains(block + 1)) continue;
    EXPECT_EQ(split, by_block[block + 1]) << block;
  }
  EXPECT_THAT(rig_.datasets->Get("first")->card_text(),
              HasSubstr("looks like a frame of another split"));
}

TEST_F(DatasetTest, FramesOfBeforeAreSealedWhenTheyAreFirstFrozen) {
  rig_.seals = false;
  rig_.Fill(2, 3);
  rig_.seals = true;
  ASSERT_TRUE(rig_.Freeze("first").ok());
  EXPECT_EQ(Frames("first").size(), 6u);
}

TEST_F(DatasetTest, FilterAndPolicySayWhatIsInItAndTheCardWhatIsNot) {
  rig_.Fill(3, 6);
  v1::FreezeDatasetRequest request;
  request.set_filter("device:cart-1");
  request.set_leave_out_empty(true);
  ASSERT_TRUE(rig_.Freeze("some", request).ok());
  // Of every six frames one has no box.
  EXPECT_EQ(Frames("some").size(), 5u);
  const json card = Card("some");
  EXPECT_EQ(card["left_out"]["nothing is in it, and such frames were not wanted"], 1);
  EXPECT_EQ(card["how"]["filter"], "device:cart-1");
  EXPECT_EQ(card["by_class"]["bottle"]["frames"], 4);
  EXPECT_EQ(card["by_class"]["mug"]["boxes"], 3);
  EXPECT_THAT(card["missing"].dump(), HasSubstr("no frame is in"));
  request.set_least_role(v1::ROLE_ADMIN);
  const absl::Status none = rig_.Freeze("none", request);
  EXPECT_TRUE(absl::IsFailedPrecondition(none)) << none;
  EXPECT_THAT(std::string(Message(none)), HasSubstr("6 its reviewer's role is too low"));
  request.set_filter("sharpness<much");
  EXPECT_TRUE(absl::IsInvalidArgument(rig_.Freeze("wrong", request)));
}

TEST_F(DatasetTest, AFrameWithoutAPictureIsLeftOutAndAStoreThatIsAwayIsWaitedFor) {
  rig_.Fill(1, 3);
  rig_.decode = [&](const FrameName& frame) -> absl::StatusOr<std::string> {
    if (frame.pts == 1000) return absl::FailedPreconditionError("damaged");
    return TestPicture(frame);
  };
  ASSERT_TRUE(rig_.Freeze("first").ok());
  EXPECT_EQ(Card("first")["left_out"]["its picture can't be had"], 1);
  rig_.decode = [](const FrameName&) -> absl::StatusOr<std::string> {
    return absl::UnavailableError("away");
  };
  EXPECT_TRUE(absl::IsUnavailable(rig_.Freeze("second")));
  EXPECT_TRUE(absl::IsNotFound(rig_.datasets->Get("second").status()));
}

TEST_F(DatasetTest, ADiffNamesWhatCameWhatWentAndWhatChanged) {
  rig_.Fill(3, 3);
  ASSERT_TRUE(rig_.Freeze("old").ok());
  const json before = Frames("old")[0];
  rig_.Label({before["clip"], "front", before["pts"]}, {DatasetRig::Box(2, 0, 0, 0.5, 0.5)});
  const std::string added = rig_.AddClip({.device = "cart-9", .phashes = {0xf0f0}});
  rig_.Label({added, "front", 0}, {});
  v1::FreezeDatasetRequest request;
  request.set_filter("-device:cart-2");
  ASSERT_TRUE(rig_.Freeze("new", request).ok());
  v1::DiffDatasetsRequest ask;
  ask.set_from("old");
  ask.set_to("new");
  ask.set_limit(100);
  const auto diff = rig_.datasets->Diff(ask).value();
  EXPECT_EQ(diff.added(), 1u);
  EXPECT_EQ(diff.removed(), 3u);
  EXPECT_EQ(diff.changed() + diff.same(), 6u);
  EXPECT_LE(diff.changed(), 1u);
  ASSERT_EQ(diff.changes_size(), static_cast<int>(4 + diff.changed()));
  for (const v1::DatasetChange& change : diff.changes()) {
    if (change.kind() == v1::DatasetChange::KIND_ADDED) {
      EXPECT_EQ(change.frame().clip(), added);
    }
    if (change.kind() == v1::DatasetChange::KIND_CHANGED) {
      EXPECT_THAT(change.what(), testing::Contains("boxes"));
    }
  }
  ask.set_limit(2);
  EXPECT_EQ(rig_.datasets->Diff(ask)->changes_size(), 2);
}

TEST_F(DatasetTest, ListsGoBackFromTheNewestPageByPage) {
  rig_.Fill(1, 1);
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(rig_.Freeze(name).ok());
  v1::ListDatasetsRequest request;
  request.set_page_size(2);
  const auto first = rig_.datasets->List(request).value();
  ASSERT_EQ(first.datasets_size(), 2);
  EXPECT_EQ(first.datasets(0).name(), "c");
  EXPECT_EQ(first.datasets(0).made_by(), "ann");
  request.set_page_token(first.next_page_token());
  const auto rest = rig_.datasets->List(request).value();
  ASSERT_EQ(rest.datasets_size(), 1);
  EXPECT_EQ(rest.datasets(0).name(), "a");
  EXPECT_TRUE(rest.next_page_token().empty());
  request.set_page_token("x");
  EXPECT_TRUE(absl::IsInvalidArgument(rig_.datasets->List(request).status()));
}

TEST_F(DatasetTest, CocoAndYoloAreReadByOthersAndTheSameTwice) {
  rig_.Fill(8, 5);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  ASSERT_TRUE(rig_.Freeze("second").ok());
  const std::string list = Save("list", rig_.ListOf("first"));
  size_t boxes = 0;
  for (const json& frame : Frames("first")) boxes += frame["boxes"].size();
  const std::string all = fmt::format("{} {}\n", Frames("first").size(), boxes);
  for (const std::string format : {"coco", "yolo"}) {
    const auto made = rig_.Export("first", format);
    ASSERT_TRUE(made.ok()) << made.status();
    ASSERT_EQ(made->files_size(), 1);
    const std::string tar = rig_.FileOf(*made, made->files(0).name());
    EXPECT_EQ(HexOf(Sha256::Of(tar)), made->files(0).sha256());
    const std::string path = Save(format + ".tar", tar);
    EXPECT_EQ(ReadBack(fmt::format("{} {} {}", format, path, list)), all);
    // GNU tar, whose exit status says whether it had to guess.
    EXPECT_EQ(Shell("tar -tvf " + path + " 2>&1 >/dev/null").second, "");
    EXPECT_EQ(Shell("tar -tf " + path + " >/dev/null").first, 0);
    // Made anew, of what the first one isn't.
    ASSERT_TRUE(rig_.catalog->database()
                    .Write([&](Sql& sql) {
                      ForgetExports(sql, 0);
                      return absl::OkStatus();
                    })
                    .ok());
    const auto again = rig_.Export("first", format);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_GT(again->number(), made->number());
    EXPECT_EQ(rig_.FileOf(*again, again->files(0).name()), tar);
  }
  EXPECT_TRUE(rig_.catalog->names.Check().ok()) << rig_.catalog->names.Check();
}

TEST_F(DatasetTest, WebDatasetShardsAreBoundedAndReadByOthers) {
  rig_.decode = [](const FrameName& frame) -> absl::StatusOr<std::string> {
    return TestPicture(frame, 100'000);
  };
  rig_.Fill(12, 5);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  const auto made = rig_.Export("first", "webdataset", {}, 1 << 20);
  ASSERT_TRUE(made.ok()) << made.status();
  std::filesystem::create_directory(folder_ / "shards");
  for (const v1::ExportedFile& file : made->files()) {
    EXPECT_LE(file.bytes(), 1u << 20);
    Save("shards/" + file.name(), rig_.FileOf(*made, file.name()));
  }
  EXPECT_EQ(ReadBack(fmt::format("webdataset {} {}", folder_ / "shards",
                                 Save("list", rig_.ListOf("first")))),
            fmt::format("60 {}\n", made->files_size() - 1));
  EXPECT_GE(made->files_size(), 7);
  EXPECT_TRUE(absl::IsInvalidArgument(rig_.Export("first", "webdataset", {}, 100).status()));
}

TEST_F(DatasetTest, AnExportOfOneSplitHasThatOneAlone) {
  rig_.Fill(30, 1);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  size_t train = 0;
  for (const json& frame : Frames("first")) train += frame["split"] == "train";
  const auto made = rig_.Export("first", "yolo", {"train"});
  ASSERT_TRUE(made.ok()) << made.status();
  const std::string tar = rig_.FileOf(*made, made->files(0).name());
  EXPECT_THAT(
      ReadBack(fmt::format("yolo {} {}", Save("t.tar", tar), Save("list", rig_.ListOf("first")))),
      testing::StartsWith(fmt::format("{} ", train)));
  EXPECT_EQ(tar.find("images/test"), std::string::npos);
  EXPECT_TRUE(absl::IsInvalidArgument(rig_.Export("first", "yolo", {"trian"}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(rig_.Export("first", "voc").status()));
}

// As a list that another program made would: its root is right, and it leaks.
TEST_F(DatasetTest, AnExportThatWouldLeakIsRefusedByName) {
  rig_.Fill(30, 1);
  ASSERT_TRUE(rig_.Freeze("sound").ok());
  const auto plant = [&](const std::string& name, const std::function<void(FrozenFrame&)>& change) {
    PartWriter list(*rig_.objects);
    Merkle tree;
    bool changed = false;
    std::istringstream lines(rig_.ListOf("sound"));
    for (std::string line; std::getline(lines, line);) {
      if (auto frame = FrozenFrame::FromLine(line);
          frame.ok() && !changed && frame->split == Split::kTest) {
        changed = true;
        change(*frame);
        line = frame->ToLine();
      }
      tree.Add(line);
      EXPECT_TRUE(list.Append(line + "\n").ok());
    }
    EXPECT_TRUE(changed) << "no frame was of the test split";
    EXPECT_TRUE(list.End().ok());
    list.Keep();
    EXPECT_TRUE(rig_.catalog->database()
                    .Write([&](Sql& sql) {
                      VersionRow row{.name = name, .schema = "carts", .root = HexOf(tree.Root())};
                      InsertParts(sql, ListOwner(InsertVersion(sql, row)), list.parts());
                      return absl::OkStatus();
                    })
                    .ok());
  };
  std::string clip;
  plant("moved", [&](FrozenFrame& frame) {
    frame.split = Split::kTrain;
    clip = frame.name.clip;
  });
  ASSERT_TRUE(rig_.datasets->Verify("moved").ok());
  const auto moved = rig_.Export("moved", "coco", {"train"});
  EXPECT_TRUE(absl::IsFailedPrecondition(moved.status())) << moved.status();
  EXPECT_THAT(std::string(Message(moved.status())),
              AllOf(HasSubstr(clip), HasSubstr("is in train"), HasSubstr("sealed in test")));
  std::string train_group;
  for (const json& frame : Frames("sound")) {
    if (frame["split"] == "train") train_group = frame["group"];
  }
  plant("mixed", [&](FrozenFrame& frame) { frame.group = train_group; });
  const auto mixed = rig_.Export("mixed", "webdataset");
  EXPECT_TRUE(absl::IsFailedPrecondition(mixed.status())) << mixed.status();
  EXPECT_THAT(std::string(Message(mixed.status())), HasSubstr(train_group));
}

TEST_F(DatasetTest, ASignedUrlOpensItsOwnFileForAWhile) {
  rig_.Fill(2, 1);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  const auto made = rig_.Export("first", "coco");
  ASSERT_TRUE(made.ok()) << made.status();
  const std::string url = made->files(0).url();
  const std::string key = rig_.datasets->UrlKey().value();
  const auto check = [&](const std::string& path, const std::string& until, const std::string& by,
                         int64_t later_s) {
    HttpRequest request;
    request.path = path;
    request.query.emplace("until", until);
    request.query.emplace("by", by);
    std::string signed_path;
    return UrlSigner(key, rig_.clock.WallNs() + later_s * kNanosPerSecond)
        .Check(request, &signed_path);
  };
  const std::string path = url.substr(0, url.find('?'));
  const std::string until = std::to_string(made->files(0).url_until_unix_s());
  const std::string by = url.substr(url.find("by=") + 3);
  EXPECT_TRUE(check(path, until, by, 0).ok());
  EXPECT_TRUE(check(path, until, by, kSignedSeconds).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(check(path, until, by, kSignedSeconds + 1)));
  EXPECT_TRUE(absl::IsPermissionDenied(check(path + "x", until, by, 0)));
  EXPECT_TRUE(absl::IsPermissionDenied(check(path, until + "0", by, 0)));
  EXPECT_TRUE(absl::IsPermissionDenied(check(path, until, "", 0)));
}

TEST_F(DatasetTest, ThePartsOfAFileAreReadFromAnywhere) {
  PartWriter writer(*rig_.objects);
  std::string all;
  for (int i = 0; all.size() < 2 * kPartBytes + 1000; ++i) all += fmt::format("{} ", i);
  ASSERT_TRUE(writer.Append(all).ok() && writer.End().ok());
  ASSERT_EQ(writer.parts().size(), 3u);
  const PartReader reader(*rig_.objects, writer.parts());
  for (const uint64_t at : {uint64_t{0}, uint64_t{kPartBytes - 5}, uint64_t{kPartBytes},
                            uint64_t{2 * kPartBytes + 7}}) {
    std::string piece;
    ASSERT_TRUE(reader.Read(at, 10, &piece).ok());
    EXPECT_EQ(piece, all.substr(at, piece.size()));
    EXPECT_FALSE(piece.empty());
  }
  std::string piece;
  EXPECT_TRUE(absl::IsOutOfRange(reader.Read(all.size(), 1, &piece)));
}

TEST_F(DatasetTest, OldExportsMakeRoomForNewOnes) {
  rig_.Fill(1, 1);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  for (uint64_t i = 0; i < kKeptExports + 2; ++i) {
    ASSERT_TRUE(rig_.Export("first", "webdataset", {}, (1 << 20) + i).ok());
  }
  EXPECT_EQ(rig_.datasets->ListExports("first")->exports_size(), static_cast<int>(kKeptExports));
  EXPECT_EQ(Rubbish(), 4u) << "a shard and an index each";
  EXPECT_TRUE(rig_.catalog->names.Check().ok()) << rig_.catalog->names.Check();
}

// A frame of the list is about 500 bytes; none of them, nor of the pictures, stays in memory.
TEST_F(DatasetTest, FreezingAndExportingTakeFlatMemory) {
  rig_.Fill(40, 50);
  ASSERT_TRUE(rig_.Freeze("warm").ok());
  ASSERT_TRUE(rig_.Export("warm", "coco").ok());
  const uint64_t before = ResidentBytes();
  const char* frames = std::getenv("GLEANER_DATASET_FRAMES");  // NOLINT(concurrency-mt-unsafe)
  const int clips = frames == nullptr ? 40 : std::atoi(frames) / 50;
  for (int c = 0; c < clips; ++c) {
    DatasetRig::ClipOfFrames clip{.device = fmt::format("van-{}", c % 3),
                                  .sequence = static_cast<uint64_t>(c) + 1,
                                  .fired_ns = DatasetRig::kDay + c * 3600 * kNanosPerSecond,
                                  .phashes = {}};
    for (int f = 0; f < 50; ++f) {
      clip.phashes.push_back(0x9e3779b97f4a7c15ULL * static_cast<uint64_t>(c * 50 + f + 1));
    }
    const std::string id = rig_.AddClip(clip);
    for (int f = 0; f < 50; ++f) {
      rig_.Label({id, "front", f * 1000}, {DatasetRig::Box(1, 0.1, 0.1, 0.1, 0.1)});
    }
  }
  ASSERT_TRUE(rig_.Freeze("large").ok());
  for (const char* format : {"coco", "yolo", "webdataset"}) {
    ASSERT_TRUE(rig_.Export("large", format).ok());
  }
  EXPECT_LT(ResidentBytes(), before + (40 << 20));
}

}  // namespace
}  // namespace gleaner::cloud
