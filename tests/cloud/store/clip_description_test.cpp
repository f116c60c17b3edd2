#include "cloud/store/clip_description.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/cloud/store/blob_store_testing.h"

namespace gleaner::cloud {
namespace {

using testing::ElementsAre;

const std::string kStore = "00112233445566778899aabbccddeeff";

ClipDescription Described(std::string_view manifest = "what the device said") {
  return {.manifest = manifest, .committed_unix_ns = 77, .objects = {"clips/a", "clips/b"}};
}

TEST(ClipDescription, SaysWhatWasSealed) {
  const std::string sealed = Seal(Described(), kStore);
  EXPECT_EQ(DescriptionBytes(sealed), sealed.size());
  const auto read = Unseal(sealed, kStore);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->manifest, "what the device said");
  EXPECT_EQ(read->committed_unix_ns, 77);
  EXPECT_THAT(read->objects, ElementsAre("clips/a", "clips/b"));
}

TEST(ClipDescription, IsAsLongWhateverTheTimeIs) {
  ClipDescription clip = Described();
  for (const int64_t when : {int64_t{0}, int64_t{1}, int64_t{1'700'000'000'000'000'000}}) {
    clip.committed_unix_ns = when;
    EXPECT_EQ(Seal(clip, kStore).size(), Seal(Described(), "").size()) << when;
  }
}

TEST(ClipDescription, OfAnotherStoreOrWithAnyByteChangedOrCutShortIsNone) {
  const std::string sealed = Seal(Described(), kStore);
  EXPECT_TRUE(absl::IsDataLoss(Unseal(sealed, "another").status()));
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_TRUE(absl::IsDataLoss(Unseal(changed, kStore).status())) << i;
    EXPECT_TRUE(absl::IsDataLoss(Unseal(sealed.substr(0, i), kStore).status())) << i;
  }
}

class DescriptionsInSegments : public BlobStoreTest {};

TEST_F(DescriptionsInSegments, AreFoundWhereverTheyBeginAndHoweverLongTheyAre) {
  const std::string small = Seal(Described(), kStore);
  const std::string large = Seal(Described(std::string(200'000, 'm')), kStore);
  std::vector<std::pair<ObjectKey, std::string>> made;
  for (int i = 0; i < 20; ++i) {
    Make(std::string(50'000, 'v'));
    const std::string& bytes = i % 2 == 0 ? small : large;
    made.emplace_back(Make(bytes), bytes);
  }
  // One that was given up, and bytes that only look like one.
  const BlobId gone = Make(small);
  ASSERT_TRUE(store_->Remove(gone).ok());
  Make("GLNRCLP1");
  std::vector<std::pair<ObjectKey, std::string>> found;
  const absl::Status status =
      store_->FindDescriptions([&](const ObjectKey& at, std::string_view bytes) {
        found.emplace_back(at, bytes);
        return absl::OkStatus();
      });
  ASSERT_TRUE(status.ok()) << status;
  std::sort(made.begin(), made.end());
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found.size(), made.size());
  EXPECT_TRUE(found == made);
}

TEST_F(DescriptionsInSegments, BlobsThatAreWrittenFirstShareOneSync) {
  std::vector<std::unique_ptr<BlobWriter>> writers;
  for (int i = 0; i < 4; ++i) {
    writers.push_back(*store_->Create(10'000));
    ASSERT_TRUE(Write(*writers.back(), 0, std::string(10'000, 'a')).ok());
  }
  const int before = syncs_;
  for (const auto& writer : writers) ASSERT_TRUE(writer->Flush().ok());
  for (const auto& writer : writers) ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(syncs_ - before, 1);
  // And one that has something new does not.
  ASSERT_TRUE(Write(*writers[0], 0, "b").ok());
  ASSERT_TRUE(writers[0]->Sync().ok());
  EXPECT_EQ(syncs_ - before, 2);
}

TEST_F(DescriptionsInSegments, WhatWasThereWhenAFileWasOpenedIsSyncedOnceMore) {
  const BlobId id = Make("before");
  Open();
  const auto writer = *store_->Resume(id);
  const int before = syncs_;
  ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(syncs_ - before, 1) << "it may have been in the kernel's memory alone";
}

}  // namespace
}  // namespace gleaner::cloud
