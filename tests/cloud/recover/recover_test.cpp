// What comes back of a catalog that is lost, from the objects alone: with files and from a
// bucket.
#include "cloud/recover.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <optional>

#include "cloud/database/columns.h"
#include "cloud/dataset/splits.h"
#include "cloud/store/blob_place.h"
#include "cloud/store/clip_description.h"
#include "cloud/store/data_folder.h"
#include "cloud/store/s3/bucket_folder.h"
#include "common/status.h"
#include "tests/cloud/ingest/take_clip.h"
#include "tests/data/test_bucket.h"

namespace gleaner::cloud {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// All that can come back of a clip.
struct Known {
  std::string id, device;
  int64_t committed_unix_ns = 0;
  Sha256Digest manifest_sha256{};
  std::vector<Sha256Digest> read;  // of its objects, read now
  bool operator==(const Known&) const = default;
};

class RecoverTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    store_.in_bucket = std::string_view(GetParam()) == "bucket";
    if (!store_.in_bucket) return;
    if (!HasRadosgw()) GTEST_SKIP() << kNoRadosgw;
    store_.bucket = TestBucket(folder_.path());
  }

  std::unique_ptr<Stores> Open() {
    if (store_.in_bucket) {
      auto stores = s3::BucketFolder::Open(data_, AllRooms(), clock_, store_);
      EXPECT_TRUE(stores.ok()) << stores.status();
      return stores.ok() ? *std::move(stores) : nullptr;
    }
    auto stores = DataFolder::Open(data_, AllRooms(), clock_);
    EXPECT_TRUE(stores.ok()) << stores.status();
    return stores.ok() ? *std::move(stores) : nullptr;
  }
  absl::Status OpenError() {
    if (store_.in_bucket) {
      return s3::BucketFolder::Open(data_, AllRooms(), clock_, store_).status();
    }
    return DataFolder::Open(data_, AllRooms(), clock_).status();
  }
  // In the order of arrivals.
  static std::vector<Known> Everything(Stores& stores) {
    Catalog catalog(stores.database(), 1);
    std::vector<Known> all;
    const auto list = catalog.clips.List({}, {});
    EXPECT_TRUE(list.ok()) << list.status();
    for (const v1::ClipSummary& clip : list->clips()) {
      Known known{.id = clip.id(),
                  .device = clip.device(),
                  .committed_unix_ns = clip.committed_unix_ns(),
                  .manifest_sha256 = catalog.clips.FindManifest(clip.id())->sha256};
      for (const auto kind : {v1::ClipObject::KIND_PREVIEW, v1::ClipObject::KIND_VIDEO}) {
        const auto object = catalog.clips.FindObject(clip.id(), kind, 0);
        EXPECT_TRUE(object.ok()) << object.status();
        std::string bytes;
        const absl::Status read = stores.objects().Read(object->key, 0, object->size_bytes, &bytes);
        EXPECT_TRUE(read.ok()) << read;
        EXPECT_EQ(Sha256::Of(bytes), object->sha256);
        known.read.push_back(Sha256::Of(bytes));
      }
      all.insert(all.begin(), known);
    }
    return all;
  }
  // Six clips of two devices, newest number first.
  std::vector<Known> Fill() {
    const auto stores = Open();
    for (uint64_t i = 6; i >= 1; --i) {
      TakeClip(*stores, MakeClip(i % 2 == 0 ? "cart-2" : "cart-1", i),
               static_cast<int64_t>(100 - i));
    }
    return Everything(*stores);
  }
  void LoseCatalog() {
    for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(data_ + "/catalog.db" + suffix);
  }
  absl::StatusOr<RecoverResult> Recover() {
    return cloud::Recover(data_, store_, "", clock_, nullptr);
  }
  // Changes a byte of a clip's video, where it lies.
  void Damage(Stores& stores, const std::string& id) {
    const auto video = *Clips(stores.database()).FindObject(id, v1::ClipObject::KIND_VIDEO, 0);
    if (store_.in_bucket) {
      auto& bucket = dynamic_cast<s3::S3ObjectStore&>(stores.objects());
      ASSERT_TRUE(bucket.PutAt(video.key, std::string(video.size_bytes, 'x'), "video/mp4").ok());
      return;
    }
    const BlobPlace place = *PlaceOf(video.key);
    const auto file = OpenFile(data_ + "/blobs/" + place.segment, O_RDWR);
    ASSERT_TRUE(WriteAt(file->get(), "x", 1, place.offset + 10'000).ok());
  }

  TemporaryFolder folder_;
  const std::string data_ = folder_ / "data";
  Clock& clock_ = RealClock();
  StoreConfig store_;
};

TEST_P(RecoverTest, EveryClipComesBackUnderItsIdWithItsDigestsAndTimesInTheirOrder) {
  const std::vector<Known> before = Fill();
  ASSERT_EQ(before.size(), 6u);
  LoseCatalog();
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenError())) << "a server makes no new one over it";
  const auto recovered = Recover();
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->clips, 6u);
  EXPECT_THAT(recovered->damaged, IsEmpty());
  EXPECT_EQ(recovered->set_aside, "");
  const auto stores = Open();
  EXPECT_EQ(Everything(*stores), before);
  EXPECT_TRUE(stores->names().Check().ok());
  // As after each start: nothing of it is taken for rubbish.
  ASSERT_TRUE(stores->staging()
                  .Sweep([&](std::string_view prefix) { return stores->names().Find(prefix); })
                  .ok());
  EXPECT_EQ(Everything(*stores), before);
  // The device's numbers are accounted for.
  Catalog catalog(stores->database(), 1);
  v1::ReportLedgerRequest report;
  v1::BootLedger* boot = report.add_boots();
  boot->set_boot_id(std::string(16, 'b'));
  boot->set_last_sequence(5);
  v1::ReportLedgerResponse answer;
  ASSERT_TRUE(catalog.uploads.ReportLedger("cart-1", report, &answer).ok());
  ASSERT_EQ(answer.gaps_size(), 2);
  EXPECT_EQ(answer.gaps(0).sequence(), 2u);
  EXPECT_EQ(answer.gaps(1).sequence(), 4u);
  // A clip that a device sends again is known by its receipt.
  const auto known = catalog.uploads.FindCommitted("cart-1", MakeClip("cart-1", 1).key());
  EXPECT_EQ((*known)->manifest_sha256, Sha256::Of(MakeClip("cart-1", 1).bytes));
  EXPECT_EQ((*known)->committed_unix_ns, 99);
}

TEST_P(RecoverTest, ItCanBeDoneTwice) {
  const std::vector<Known> before = Fill();
  for (int i = 0; i < 2; ++i) {
    LoseCatalog();
    ASSERT_EQ(Recover()->clips, 6u);
    EXPECT_EQ(Everything(*Open()), before);
  }
}

TEST_P(RecoverTest, ADamagedClipIsNamedAndTheOthersComeBack) {
  std::vector<Known> before = Fill();
  Damage(*Open(), before[2].id);
  LoseCatalog();
  const auto recovered = Recover();
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_THAT(recovered->damaged,
              ElementsAre(AllOf(HasSubstr(before[2].id), HasSubstr(before[2].device),
                                HasSubstr("object 1"), HasSubstr("another SHA-256"))));
  before.erase(before.begin() + 2);
  EXPECT_EQ(Everything(*Open()), before);
}

TEST_P(RecoverTest, WhatWasOnItsWayIsNoClipAndOneThatWasDescribedIsIfItIsWhole) {
  {
    const auto stores = Open();
    TakeClip(*stores, MakeClip("cart-1", 1), 1);
    TakeClip(*stores, MakeClip("cart-1", 2), 2, UpTo::kWritten);
    TakeClip(*stores, MakeClip("cart-1", 3), 3, UpTo::kDescribed);
  }
  LoseCatalog();
  const auto recovered = Recover();
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  // In a bucket nothing is until all of it is; with files it lay there whole.
  EXPECT_EQ(recovered->clips, store_.in_bucket ? 1u : 2u);
  EXPECT_EQ(Everything(*Open()).size(), recovered->clips);
}

TEST_P(RecoverTest, ADescriptionThatADevicePutIntoAVideoMakesNoClip) {
  SentClip clip = MakeClip("cart-1", 1);
  const std::string forged =
      Seal({.manifest = MakeClip("cart-9", 9).bytes, .committed_unix_ns = 1, .objects = {"0", "1"}},
           "not the store's id");
  clip.objects[1].replace(8192, forged.size(), forged);
  v1::ClipObject& video = *clip.manifest.mutable_objects(1);
  video.set_sha256(std::string(AsBytes(Sha256::Of(clip.objects[1]))));
  video.set_block_xxh3(0, Xxh3(std::string_view(clip.objects[1]).substr(0, kBlockBytes)));
  clip.Seal();
  TakeClip(*Open(), clip, 1);
  LoseCatalog();
  const auto recovered = Recover();
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  const std::vector<Known> after = Everything(*Open());
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(after[0].device, "cart-1");
}

TEST_P(RecoverTest, ThumbnailsAreMadeAnewAndTheOldOnesAccountedFor) {
  std::string id;
  {
    const auto stores = Open();
    TakeClip(*stores, MakeClip("cart-1", 1), 1);
    const auto key = stores->objects().Put(
        {.device = "cart-1", .part = "thumbnail-0", .content_type = "image/jpeg"},
        std::string(5'000, 'j'));
    ASSERT_TRUE(key.ok()) << key.status();
    id = Everything(*stores)[0].id;
    v1::MediaCheck check;
    check.set_state(v1::MediaCheck::STATE_OK);
    ASSERT_TRUE(RecordTestCheck(stores->database(), id, check, {*key}).ok());
  }
  LoseCatalog();
  const auto recovered = Recover();
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_GE(recovered->unnamed_bytes, 5'000u);
  const auto stores = Open();
  EXPECT_THAT(*Jobs(stores->database(), clock_).FindShares(kMediaCheck), ElementsAre("cart-1"));
  EXPECT_TRUE(absl::IsNotFound(MediaChecks(stores->database()).FindThumbnail(id, 0).status()));
}

TEST_P(RecoverTest, GroupsAreInTheSameSplitsAsBeforeAndSignedUrlsAreNotWorthAnythingAnyMore) {
  const auto keys = [this] {
    const auto stores = Open();
    std::pair<std::string, std::string> both;
    EXPECT_TRUE(stores->database()
                    .Write([&](Sql& sql) {
                      both = {MakeSplitKey(sql), MakeUrlSecret(sql)};
                      return absl::OkStatus();
                    })
                    .ok());
    return both;
  };
  Fill();
  const auto before = keys();
  EXPECT_EQ(before.first.size(), 32u);
  EXPECT_NE(before.first, before.second);
  LoseCatalog();
  ASSERT_TRUE(Recover().ok());
  const auto after = keys();
  EXPECT_EQ(after.first, before.first);
  EXPECT_NE(after.second, before.second);
  // Another store has others.
  TemporaryFolder elsewhere;
  const auto other = DataFolder::Open(elsewhere / "data", AllRooms(), clock_);
  ASSERT_TRUE(other.ok()) << other.status();
  ASSERT_TRUE((*other)
                  ->database()
                  .Write([&](Sql& sql) {
                    EXPECT_NE(MakeSplitKey(sql), before.first);
                    return absl::OkStatus();
                  })
                  .ok());
}

TEST_P(RecoverTest, ADamagedCatalogIsSetAside) {
  const std::vector<Known> before = Fill();
  fs::remove(data_ + "/catalog.db-wal");
  fs::resize_file(data_ + "/catalog.db", 5'000);
  const auto recovered = Recover();
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_THAT(recovered->set_aside, HasSubstr("catalog.db.before-recover-"));
  EXPECT_TRUE(fs::exists(recovered->set_aside));
  EXPECT_EQ(Everything(*Open()), before);
}

TEST_P(RecoverTest, ACatalogInGoodOrderIsLeftAlone) {
  const std::vector<Known> before = Fill();
  const auto recovered = Recover();
  if (store_.in_bucket) {
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    EXPECT_EQ(recovered->clips, 0u);
    EXPECT_EQ(recovered->known, 6u);
  } else {
    EXPECT_TRUE(absl::IsFailedPrecondition(recovered.status())) << recovered.status();
    EXPECT_THAT(std::string(Message(recovered.status())), HasSubstr("Nothing was changed"));
  }
  EXPECT_EQ(Everything(*Open()), before);
}

TEST_P(RecoverTest, AnOlderCatalogGetsFromTheBucketWhatCameLater) {
  if (!store_.in_bucket) GTEST_SKIP() << "with files a server doesn't start with an older one";
  {
    const auto stores = Open();
    TakeClip(*stores, MakeClip("cart-1", 1), 1);
    TakeClip(*stores, MakeClip("cart-1", 2), 2, UpTo::kWritten);
  }
  fs::copy(data_ + "/catalog.db", folder_ / "older.db");
  std::vector<Known> before;
  {
    const auto stores = Open();
    TakeClip(*stores, MakeClip("cart-1", 2), 22);
    TakeClip(*stores, MakeClip("cart-2", 1), 33);
    before = Everything(*stores);
  }
  ASSERT_EQ(before.size(), 3u);
  LoseCatalog();
  fs::copy(folder_ / "older.db", data_ + "/catalog.db");
  const auto recovered = Recover();
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->known, 1u);
  EXPECT_EQ(recovered->clips, 2u);
  EXPECT_EQ(Everything(*Open()), before);
}

TEST_P(RecoverTest, WithoutTheStoresMarkNobodyKnowsWhatItWrote) {
  Fill();
  LoseCatalog();
  if (store_.in_bucket) {
    store_.bucket.prefix = "another";
  } else {
    fs::remove(data_ + "/blobs/store");
  }
  const auto recovered = Recover();
  EXPECT_TRUE(absl::IsFailedPrecondition(recovered.status())) << recovered.status();
  EXPECT_THAT(std::string(Message(recovered.status())), HasSubstr("Nothing was changed"));
}

INSTANTIATE_TEST_SUITE_P(From, RecoverTest, testing::Values("files", "bucket"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace gleaner::cloud
