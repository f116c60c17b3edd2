#include "cloud/store/s3/object_store.h"

#include <gmock/gmock.h>

#include <memory>
#include <optional>

#include "cloud/store/file_blob_store.h"
#include "common/status.h"
#include "tests/cloud/store/s3/fault_proxy.h"
#include "tests/cloud/store/store_testing.h"
#include "tests/data/temporary_folder.h"
#include "tests/data/test_bucket.h"

namespace gleaner::cloud::s3 {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

constexpr uint64_t kMiB = 1 << 20;

// A real store behind a way that can be made to go wrong.
class S3ObjectStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasRadosgw()) GTEST_SKIP() << kNoRadosgw;
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    options_ = TestBucket(test->name());
    proxy_.emplace(options_.endpoint);
    options_.endpoint = proxy_->endpoint();
    staging_ = *FileBlobStore::Open(folder_ / "staging");
    Open();
  }
  void Open() {
    store_.reset();
    client_ = std::make_unique<Client>(options_, clock_);
    store_ = std::make_unique<S3ObjectStore>(
        *client_, staging_.get(), S3ObjectOptions{.copies = folder_.path(), .list_page = 10});
  }
  ObjectName Name(std::string part = "video-0") const {
    ObjectName name{.device = "cart-1", .part = std::move(part), .content_type = "video/mp4"};
    name.clip.sequence = 17;
    return name;
  }
  StagedObject Stage(const std::string& bytes) {
    return {.blob = StoreBytes(*staging_, bytes),
            .size_bytes = bytes.size(),
            .sha256 = Sha256::Of(bytes),
            .content_type = "video/mp4"};
  }
  std::string ReadAll(const ObjectKey& key) {
    const auto size = store_->SizeOf(key);
    if (!size.ok()) return size.status().ToString();
    std::string bytes;
    const absl::Status read = store_->Read(key, 0, *size, &bytes);
    return read.ok() ? bytes : read.ToString();
  }

  // Real: the store judges signatures by it.
  Clock& clock_ = RealClock();
  TemporaryFolder folder_;
  BucketOptions options_;
  std::optional<FaultProxy> proxy_;
  std::unique_ptr<FileBlobStore> staging_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<S3ObjectStore> store_;
};

TEST_F(S3ObjectStoreTest, WhatIsPutIsReadByRangeAndGoneOnceRemoved) {
  const std::string bytes = MadeUpBytes(1, 100'000);
  const auto key = store_->Put(Name("thumbnail-3"), bytes);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_THAT(*key, MatchesRegex("clips/cart-1/0{32}/17/thumbnail-3\\.[0-9a-f]{20}"));
  EXPECT_EQ(*store_->SizeOf(*key), bytes.size());
  EXPECT_EQ(ReadAll(*key), bytes);
  std::string part;
  ASSERT_TRUE(store_->Read(*key, 4'000, 123, &part).ok());
  EXPECT_EQ(part, bytes.substr(4'000, 123));
  ASSERT_TRUE(store_->Read(*key, 99'999, 1, &part).ok());
  EXPECT_EQ(part, bytes.substr(99'999));
  EXPECT_TRUE(store_->Read(*key, 100'000, 0, &part).ok());
  EXPECT_TRUE(absl::IsOutOfRange(store_->Read(*key, 99'999, 2, &part)));
  EXPECT_TRUE(absl::IsOutOfRange(store_->Read(*key, 200'000, 1, &part)));
  ASSERT_TRUE(store_->Remove(*key).ok());
  EXPECT_TRUE(absl::IsNotFound(store_->SizeOf(*key).status()));
  EXPECT_TRUE(absl::IsNotFound(store_->Read(*key, 0, 1, &part)));
  EXPECT_TRUE(store_->Remove(*key).ok()) << "what is gone may be removed again";
}

TEST_F(S3ObjectStoreTest, TheSameNameIsANewKeyEachTime) {
  const auto one = store_->Put(Name(), "one"), two = store_->Put(Name(), "two");
  EXPECT_NE(*one, *two);
  EXPECT_EQ(ReadAll(*one), "one");
  EXPECT_NE(store_->KeyFor(Name(), Stage("a").blob), store_->KeyFor(Name(), Stage("b").blob));
}

TEST_F(S3ObjectStoreTest, WhatIsStagedBecomesAnObjectAndStaysStaged) {
  const std::string bytes = MadeUpBytes(2, 3 * kMiB + 17);
  const StagedObject staged = Stage(bytes);
  const ObjectKey key = store_->KeyFor(Name(), staged.blob);
  ASSERT_TRUE(store_->TakeOver(staged, key).ok());
  EXPECT_EQ(ReadAll(key), bytes);
  EXPECT_TRUE(staging_->SizeOf(staged.blob).ok());
}

TEST_F(S3ObjectStoreTest, ALargeObjectGoesInParts) {
  const std::string bytes = MadeUpBytes(3, 2 * kLargestSinglePut + 12'345);
  const StagedObject staged = Stage(bytes);
  const ObjectKey key = store_->KeyFor(Name(), staged.blob);
  const int before = proxy_->requests();
  const absl::Status taken = store_->TakeOver(staged, key);
  ASSERT_TRUE(taken.ok()) << taken;
  EXPECT_EQ(proxy_->requests() - before, 6) << "begin, three parts, complete, a look";
  EXPECT_TRUE(ReadAll(key) == bytes);
}

TEST_F(S3ObjectStoreTest, NothingIsKeptOfBytesThatAreNotThoseThatWereStaged) {
  for (const size_t size : {size_t{1'000}, size_t{kLargestSinglePut + 1'000}}) {
    StagedObject staged = Stage(MadeUpBytes(4, size));
    staged.sha256 = Sha256::Of("something else");
    const ObjectKey key = store_->KeyFor(Name(), staged.blob);
    const absl::Status taken = store_->TakeOver(staged, key);
    EXPECT_TRUE(absl::IsDataLoss(taken)) << taken;
    EXPECT_TRUE(absl::IsNotFound(store_->SizeOf(key).status()));
  }
}

TEST_F(S3ObjectStoreTest, ListsEveryObjectUnderAPrefixOverSeveralPages) {
  std::vector<std::string> put;
  for (int i = 0; i < 25; ++i) {
    put.push_back(fmt::format("clips/a/{:02}", i));
    ASSERT_TRUE(store_->PutAt(put.back(), "x", "text/plain").ok());
  }
  ASSERT_TRUE(store_->PutAt("other", "yy", "text/plain").ok());
  std::vector<std::string> listed;
  const absl::Status status = store_->List("clips/", [&](const ObjectKey& key, uint64_t size) {
    listed.push_back(key);
    EXPECT_EQ(size, 1u);
    return absl::OkStatus();
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(listed, put);
}

TEST_F(S3ObjectStoreTest, ACopyForTheWorkerHasNoNameAndIsReadOnly) {
  const std::string bytes = MadeUpBytes(5, 9 * kMiB);
  const auto key = store_->Put(Name(), bytes);
  const auto copy = store_->OpenCopy(*key);
  ASSERT_TRUE(copy.ok()) << copy.status();
  std::string read(bytes.size(), '\0');
  ASSERT_TRUE(ReadAt(copy->get(), read.data(), read.size(), 0).ok());
  EXPECT_TRUE(read == bytes);
  EXPECT_LT(::write(copy->get(), "x", 1), 0);
  EXPECT_TRUE(absl::IsNotFound(store_->OpenCopy("clips/none").status()));
}

TEST_F(S3ObjectStoreTest, AWrongSecretIsSaidAndNeverShown) {
  options_.credentials.secret_key = "not-the-secret";
  Open();
  const absl::Status put = store_->Put(Name(), "x").status();
  EXPECT_TRUE(absl::IsPermissionDenied(put)) << put;
  EXPECT_THAT(std::string(Message(put)),
              AllOf(HasSubstr("SignatureDoesNotMatch"), HasSubstr(options_.bucket),
                    HasSubstr("secret"), Not(HasSubstr("not-the-secret"))));
  EXPECT_EQ(proxy_->requests(), 1) << "no other try would go better";
}

TEST_F(S3ObjectStoreTest, ABucketThatIsNotThereIsSaid) {
  options_.bucket = "no-such-bucket";
  Open();
  const absl::Status put = store_->Put(Name(), "x").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(put)) << put;
  EXPECT_THAT(std::string(Message(put)), HasSubstr("make it first"));
}

TEST_F(S3ObjectStoreTest, ClocksThatAreApartAreSaidWithBothTimes) {
  FakeClock clock(0, RealClock().WallNs() + 3'600 * kNanosPerSecond);
  Client client(options_, clock);
  S3ObjectStore store(client, staging_.get(), {.copies = folder_.path()});
  const absl::Status put = store.Put(Name(), "x").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(put)) << put;
  EXPECT_THAT(std::string(Message(put)), AllOf(HasSubstr("Set the clock"), HasSubstr("GMT")));
}

TEST_F(S3ObjectStoreTest, GoesOnAfterTheStoreSaidToSlowDown) {
  proxy_->SlowDown(3);
  const auto key = store_->Put(Name(), MadeUpBytes(6, 200'000));
  ASSERT_TRUE(key.ok()) << key.status();
  proxy_->SlowDown(2);
  EXPECT_EQ(ReadAll(*key), MadeUpBytes(6, 200'000));
}

TEST_F(S3ObjectStoreTest, SaysSoWhenTheStoreGoesOnSayingIt) {
  FakeClock clock(0, RealClock().WallNs());
  clock.AutoAdvance(true);
  Client client(options_, clock);
  S3ObjectStore store(client, staging_.get(), {.copies = folder_.path()});
  proxy_->SlowDown(1'000);
  const absl::Status put = store.Put(Name(), "x").status();
  EXPECT_TRUE(absl::IsUnavailable(put)) << put;
  EXPECT_THAT(std::string(Message(put)), AllOf(HasSubstr("SlowDown"), HasSubstr("tried 6 times")));
}

TEST_F(S3ObjectStoreTest, APartWhoseConnectionBreaksIsSentAgain) {
  const std::string bytes = MadeUpBytes(7, 2 * kLargestSinglePut + 99);
  const StagedObject staged = Stage(bytes);
  const ObjectKey key = store_->KeyFor(Name(), staged.blob);
  proxy_->CutAfterSending(20 * kMiB);  // in the middle of the second part
  const absl::Status taken = store_->TakeOver(staged, key);
  ASSERT_TRUE(taken.ok()) << taken;
  EXPECT_TRUE(ReadAll(key) == bytes);
}

TEST_F(S3ObjectStoreTest, AnAnswerThatIsCutShortIsAskedForAgain) {
  const std::string bytes = MadeUpBytes(8, 3 * kMiB);
  const auto key = store_->Put(Name(), bytes);
  proxy_->CutAfterReceiving(kMiB);
  EXPECT_TRUE(ReadAll(*key) == bytes);
}

TEST_F(S3ObjectStoreTest, APutWhoseAnswerIsLostIsDoneOnce) {
  const std::string bytes = MadeUpBytes(9, kLargestSinglePut + 1'000);
  const StagedObject staged = Stage(bytes);
  const ObjectKey key = store_->KeyFor(Name(), staged.blob);
  // The answers to the first two requests are longer than this; the last of all are shorter.
  for (const int64_t after : {100, 700, 1'100, 1'400, 1'700}) {
    proxy_->CutAfterReceiving(after);
    const absl::Status taken = store_->TakeOver(staged, key);
    ASSERT_TRUE(taken.ok()) << taken << " after " << after;
    EXPECT_TRUE(ReadAll(key) == bytes);
  }
}

TEST_F(S3ObjectStoreTest, AnyoneMayGetAPresignedUrlAsWhatItSays) {
  const auto key = store_->Put(Name(), "moving pictures");
  const std::string url = client_->PresignedUrl(
      *key, {{"response-content-disposition", "attachment; filename=\"a b.mp4\""}}, 60);
  Http http("");
  const auto answer = http.Send({.method = "GET", .url = url, .max_answer_bytes = 1'000});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 200) << answer->body;
  EXPECT_EQ(answer->body, "moving pictures");
  EXPECT_EQ(answer->headers.at("content-disposition"), "attachment; filename=\"a b.mp4\"");
  const auto other = http.Send({.method = "GET", .url = url + "0", .max_answer_bytes = 1'000});
  EXPECT_EQ(other->status, 403);
}

TEST_F(S3ObjectStoreTest, AServerThatIsNotThereIsUnavailable) {
  FakeClock clock(0, RealClock().WallNs());
  clock.AutoAdvance(true);
  options_.endpoint = "http://127.0.0.1:1";
  Client client(options_, clock);
  S3ObjectStore store(client, staging_.get(), {.copies = folder_.path()});
  const absl::Status put = store.Put(Name(), "x").status();
  EXPECT_TRUE(absl::IsUnavailable(put)) << put;
}

}  // namespace
}  // namespace gleaner::cloud::s3
