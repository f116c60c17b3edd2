// A server's data with its objects in a bucket, opened as the server does.
#include "cloud/store/s3/bucket_folder.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "cloud/http/media_files.h"
#include "cloud/ingest/janitor.h"
#include "cloud/store/rubbish.h"
#include "common/status.h"
#include "tests/cloud/ingest/take_clip.h"
#include "tests/data/test_bucket.h"
#include "tests/data/test_database.h"

namespace gleaner::cloud::s3 {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

class BucketFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasRadosgw()) GTEST_SKIP() << kNoRadosgw;
    store_ = {.in_bucket = true, .bucket = TestBucket(folder_.path())};
  }
  absl::StatusOr<std::unique_ptr<BucketFolder>> Open(const std::string& name = "data") {
    return BucketFolder::Open(folder_ / name, AllRooms(), RealClock(), store_, 0, database_);
  }
  void ExpectRefused(const absl::Status& status, const std::string& why) {
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(std::string(Message(status)),
                AllOf(HasSubstr(why), HasSubstr("Nothing was changed")));
  }
  static std::vector<std::string> Keys(BucketFolder& folder) {
    std::vector<std::string> keys;
    const absl::Status listed = folder.objects().List("", [&](const ObjectKey& key, uint64_t) {
      keys.push_back(key);
      return absl::OkStatus();
    });
    EXPECT_TRUE(listed.ok()) << listed;
    return keys;
  }

  TemporaryFolder folder_;
  StoreConfig store_;
  std::string database_;  // empty: in the folder
};

// Servers over one PostgreSQL and one bucket, each with a folder of its own.
class ManyServersTest : public BucketFolderTest {
 protected:
  void SetUp() override {
    if (!OnPostgres()) GTEST_SKIP() << "on PostgreSQL only";
    BucketFolderTest::SetUp();
    database_ = TestDatabase(folder_.path());
  }
};

TEST_F(BucketFolderTest, AClipIsInTheBucketUnderNamesThatPeopleReadAndStagedNoMore) {
  auto folder = *Open();
  TakeClip(*folder, MakeClip("cart-1", 17), 1);
  // Its boot id is sixteen times "b".
  std::string boot;
  for (int i = 0; i < 16; ++i) boot += "62";
  const std::string clip = "clips/cart-1/" + boot + "/17/";
  EXPECT_THAT(Keys(*folder),
              ElementsAre(StartsWith(clip + "manifest."), StartsWith(clip + "preview-0."),
                          StartsWith(clip + "video-0."), "store"));
  // What it takes to send it again is gone from the server's disk.
  auto& staging = dynamic_cast<FileBlobStore&>(folder->staging());
  EXPECT_THAT(*staging.FindUnnamed([](std::string_view) { return std::vector<BlobId>(); }),
              IsEmpty());
  EXPECT_TRUE(folder->names().Check().ok());
}

TEST_F(BucketFolderTest, OpensAgainAndOnlyWithItsOwnCatalog) {
  { TakeClip(**Open(), MakeClip("cart-1", 1), 1); }
  EXPECT_TRUE(Open().ok());
  EXPECT_TRUE(CheckBucketFolder(folder_ / "data", AllRooms(), RealClock(), store_).ok());
  ExpectRefused(Open("another").status(), "the catalog was lost");
  ExpectRefused(CheckBucketFolder(folder_ / "third", AllRooms(), RealClock(), store_),
                "gleaner-cloud recover");
  // A catalog of another bucket's.
  const StoreConfig first = store_;
  store_.bucket.prefix = "second";
  { TakeClip(**Open("of-second"), MakeClip("cart-1", 1), 1); }
  store_ = first;
  ExpectRefused(Open("of-second").status(), "is that of store");
  store_.bucket.prefix = "third";
  ExpectRefused(Open().status(), "doesn't say which store it is");
}

TEST_F(BucketFolderTest, WhatADeviceGaveUpIsRemovedFromDiskAndBucketAndNothingElse) {
  auto folder = *Open();
  TakeClip(*folder, MakeClip("cart-1", 1), 1);
  const auto before = Keys(*folder);
  TakeClip(*folder, MakeClip("cart-1", 2), 2, UpTo::kDescribed);
  // As if a crash had left it with one of its objects made.
  const auto row = **Uploads(folder->database()).Find("cart-1", MakeClip("cart-1", 2).key());
  ASSERT_THAT(row.keys, SizeIs(3));
  ASSERT_TRUE(folder->objects().PutAt(row.keys[0], "x", "image/jpeg").ok());
  ASSERT_TRUE(Uploads(folder->database()).Drop("cart-1", row.key).ok());
  ASSERT_TRUE(FreeRubbish(folder->names(), folder->staging(), folder->objects()).ok());
  EXPECT_EQ(Keys(*folder), before);
  EXPECT_THAT(*folder->names().FindRubbish("", 10), IsEmpty());
}

TEST_F(BucketFolderTest, AnUploadWhoseStagedBytesAreLostWithTheDiskBeginsAnew) {
  const SentClip clip = MakeClip("cart-1", 1);
  { TakeClip(**Open(), clip, 1, UpTo::kWritten); }
  fs::remove_all(folder_ / "data/staging");
  auto folder = *Open();
  Uploads uploads(folder->database());
  const UploadRow row = **uploads.Find("cart-1", clip.key());
  auto again = ClipUpload::Resume(folder->staging(), folder->objects(), row, clip.manifest);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT((*again)->durable_offsets(), testing::Each(0));
  EXPECT_FALSE((*again)->row().begun);
  again->reset();
  TakeClip(*folder, clip, 2);
  EXPECT_TRUE((*uploads.FindCommitted("cart-1", clip.key())).has_value());
}

TEST_F(BucketFolderTest, AVideoIsARedirectToWhereItLiesIfThatIsWanted) {
  store_.presign = true;
  auto folder = *Open();
  const SentClip clip = MakeClip("cart-1", 1);
  TakeClip(*folder, clip, 1);
  Catalog catalog(folder->database(), 1);
  MediaFiles media(catalog.clips, catalog.checks, folder->objects());
  const std::string id = ClipId("cart-1", clip.key());
  cloud::HttpRequest request{.method = "GET", .path = "/media/" + id + "/video/0"};
  HttpResponse response;
  media.Serve(request, response);
  EXPECT_EQ(response.status, 302);
  const std::string url = response.headers.Get("Location");
  EXPECT_THAT(url, StartsWith(OriginOf(store_.bucket) + "/"));
  Http http("");
  const auto answer = http.Send({.method = "GET",
                                 .url = url,
                                 .headers = {{"range", "bytes=100-199"}},
                                 .max_answer_bytes = 1'000});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 206);
  EXPECT_EQ(answer->body, clip.objects[1].substr(100, 100));
  EXPECT_EQ(answer->headers.at("content-type"), "video/mp4");
  // A look costs no redirect, and small files come as they did.
  request.method = "HEAD";
  HttpResponse head;
  media.Serve(request, head);
  EXPECT_EQ(head.status, 200);
  HttpResponse preview;
  media.Serve(cloud::HttpRequest{.method = "GET", .path = "/media/" + id + "/preview"}, preview);
  EXPECT_EQ(preview.status, 200);
}

TEST_F(ManyServersTest, OneIsMadeByWhicheverComesFirstAndTheOthersJoin) {
  const auto a = *Open("a"), b = *Open("b");
  EXPECT_EQ(a->names().GetIdentity()->id, b->names().GetIdentity()->id);
  EXPECT_FALSE(a->names().GetIdentity()->id.empty());
  EXPECT_TRUE(absl::IsFailedPrecondition(Open("a").status())) << "a folder has one server";
}

TEST_F(ManyServersTest, AClipThatOneTookInIsKnownToTheOther) {
  const auto a = *Open("a"), b = *Open("b");
  const SentClip clip = MakeClip("cart-1", 1);
  TakeClip(*a, clip, 1);
  EXPECT_TRUE((*Uploads(b->database()).FindCommitted("cart-1", clip.key())).has_value());
  Clips clips(b->database());
  const auto video = clips.FindObject(ClipId("cart-1", clip.key()), v1::ClipObject::KIND_VIDEO, 0);
  ASSERT_TRUE(video.ok()) << video.status();
  std::string bytes;
  ASSERT_TRUE(b->objects().Read(video->key, 0, clip.objects[1].size(), &bytes).ok());
  EXPECT_EQ(bytes, clip.objects[1]);
}

// The device was sending to one, and goes on with the other.
TEST_F(ManyServersTest, AnUploadThatMovesBeginsAnewAndTheOldOneCanCommitNoMore) {
  const auto a = *Open("a"), b = *Open("b");
  const SentClip clip = MakeClip("cart-1", 1);
  TakeClip(*a, clip, 1, UpTo::kDescribed);
  Uploads of_a(a->database()), of_b(b->database());
  const UploadRow old = **of_a.Find("cart-1", clip.key());
  auto moved = ClipUpload::Resume(b->staging(), b->objects(), old, clip.manifest);
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_THAT((*moved)->durable_offsets(), testing::Each(0)) << "its bytes are on another disk";
  moved->reset();
  TakeClip(*b, clip, 2);
  EXPECT_TRUE(absl::IsFailedPrecondition(of_a.Commit(old, clip.manifest, 3)) ||
              (*of_a.FindCommitted("cart-1", clip.key()))->committed_unix_ns == 2);
  // What either cleans up is the clip's no more.
  for (const auto& one : {a.get(), b.get()}) {
    Uploads uploads(one->database());
    Janitor janitor(uploads, one->names(), one->staging(), one->objects(), RealClock());
    EXPECT_TRUE(janitor.Clean().ok());
  }
  Clips clips(a->database());
  const auto video = *clips.FindObject(ClipId("cart-1", clip.key()), v1::ClipObject::KIND_VIDEO, 0);
  std::string bytes;
  ASSERT_TRUE(a->objects().Read(video.key, 0, clip.objects[1].size(), &bytes).ok());
  EXPECT_EQ(bytes, clip.objects[1]);
}

}  // namespace
}  // namespace gleaner::cloud::s3
