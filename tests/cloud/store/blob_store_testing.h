// What the blob store's tests share: a store of small segments whose syncs can be made to fail.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cloud/store/blob_place.h"
#include "cloud/store/file_blob_store.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::cloud {

inline constexpr uint64_t kSegmentBytes = 1 << 20;
inline constexpr uint64_t kDisk = kDiskBlockBytes;

class BlobStoreTest : public testing::Test {
 protected:
  BlobStoreTest() { Open(); }

  void Open() {
    store_.reset();
    store_ = *FileBlobStore::Open(folder_ / "blobs",
                                  {.segment_bytes = kSegmentBytes, .sync = &FailOnDemand});
  }
  static int FailOnDemand(int file) {
    ++syncs_;
    if (!fail_next_sync_.exchange(false)) return ::fdatasync(file);
    errno = EIO;
    return -1;
  }
  static absl::Status Write(BlobWriter& writer, uint64_t offset, std::string text) {
    iovec part{text.data(), text.size()};
    return writer.WriteAt(offset, &part, 1);
  }
  std::string PathOf(const BlobId& id) const { return folder_ / ("blobs/" + PlaceOf(id)->segment); }
  struct stat FileOf(const BlobId& id) const {
    struct stat info {};
    EXPECT_EQ(::stat(PathOf(id).c_str(), &info), 0) << id;
    return info;
  }
  size_t Files() const {
    size_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
      files += entry.is_regular_file() ? 1 : 0;
    }
    return files;
  }
  BlobId Make(const std::string& text) {
    auto writer = *store_->Create(text.size());
    EXPECT_TRUE(Write(*writer, 0, text).ok());
    EXPECT_TRUE(writer->Sync().ok());
    return writer->id();
  }
  std::string Read(const BlobId& id) {
    std::string out;
    const auto size = store_->SizeOf(id);
    if (!size.ok()) return size.status().ToString();
    const absl::Status read = store_->Read(id, 0, *size, &out);
    return read.ok() ? out : read.ToString();
  }
  // As if nobody had written for two hours.
  void MakeOld() const {
    const utimbuf times{::time(nullptr) - 7200, ::time(nullptr) - 7200};
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "blobs")) {
      ASSERT_EQ(::utime(entry.path().c_str(), &times), 0);
    }
  }
  static NamedBlobs Naming(std::set<BlobId> all) {
    return [all = std::move(all)](std::string_view prefix) {
      std::vector<BlobId> found;
      for (const BlobId& id : all) {
        if (id.starts_with(prefix)) found.push_back(id);
      }
      return found;
    };
  }

  static inline std::atomic<int> syncs_{0};
  static inline std::atomic<bool> fail_next_sync_{false};
  TemporaryFolder folder_;
  std::unique_ptr<FileBlobStore> store_;
};

}  // namespace gleaner::cloud
