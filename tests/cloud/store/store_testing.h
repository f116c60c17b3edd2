// Clips with real bytes, committed to a store, and whether they are whole.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "cloud/store/blob_copy.h"
#include "cloud/store/file_blob_store.h"
#include "tests/cloud/catalog/catalog_testing.h"

namespace gleaner::cloud {

struct StoredClip {
  std::string id;
  std::vector<BlobId> blobs;          // objects, then thumbnails
  std::vector<Sha256Digest> digests;  // of these
};

inline BlobId StoreBytes(UploadStaging& blobs, const std::string& bytes) {
  auto writer = blobs.Create(bytes.size());
  EXPECT_TRUE(writer.ok()) << writer.status();
  const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  EXPECT_TRUE((*writer)->WriteAt(0, &part, 1).ok());
  EXPECT_TRUE((*writer)->Sync().ok());
  return (*writer)->id();
}

inline std::string MadeUpBytes(uint64_t seed, size_t size) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// A clip with a preview, a video and a thumbnail, whose bytes are made up from its number.
inline StoredClip AddClip(Database& database, UploadStaging& blobs, uint64_t sequence,
                          const std::string& device = "cart-1") {
  TestClip clip = MakeTestClip({.device = device, .sequence = sequence});
  clip.upload.blobs.clear();
  clip.upload.begun = false;
  StoredClip stored{.id = ClipId(device, clip.upload.key)};
  const auto add = [&](uint64_t seed, size_t size) {
    const std::string bytes = MadeUpBytes(seed, size);
    stored.blobs.push_back(StoreBytes(blobs, bytes));
    stored.digests.push_back(Sha256::Of(bytes));
    return stored.blobs.back();
  };
  for (int i = 0; i < clip.manifest.objects_size(); ++i) {
    v1::ClipObject* object = clip.manifest.mutable_objects(i);
    const size_t size = i == 0 ? 5'000 : 30'000;
    clip.upload.blobs.push_back(add(sequence * 10 + static_cast<uint64_t>(i), size));
    object->set_size_bytes(size);
    object->set_sha256(std::string(AsBytes(stored.digests.back())));
  }
  clip.upload.manifest = clip.manifest.SerializeAsString();
  clip.upload.manifest_sha256 = Sha256::Of(clip.upload.manifest);
  const absl::Status committed = Uploads(database).Commit(clip.upload, clip.manifest, 1);
  EXPECT_TRUE(committed.ok()) << committed;
  v1::MediaCheck check;
  check.set_state(v1::MediaCheck::STATE_OK);
  const absl::Status recorded =
      RecordTestCheck(database, stored.id, check, {add(sequence * 10 + 9, 2'000)});
  EXPECT_TRUE(recorded.ok()) << recorded;
  return stored;
}

// Whether all bytes of these clips are in the folder of blobs, whatever a catalog says. Empty
// when they are.
inline std::string WhatIsGone(const std::string& blobs, const std::vector<StoredClip>& clips) {
  std::string gone;
  for (const StoredClip& clip : clips) {
    for (size_t i = 0; i < clip.blobs.size(); ++i) {
      const auto digest = DigestOfBlob(blobs, clip.blobs[i]);
      if (!digest.ok()) {
        gone += digest.status().ToString() + "\n";
      } else if (*digest != clip.digests[i]) {
        gone += fmt::format("blob {} of {} has other bytes\n", i, clip.id);
      }
    }
  }
  return gone;
}

// And whether the catalog leads to them.
inline std::string WhatIsMissing(Database& database, ObjectStore& blobs,
                                 const std::vector<StoredClip>& clips) {
  std::string missing;
  for (const StoredClip& clip : clips) {
    const auto video = Clips(database).FindObject(clip.id, v1::ClipObject::KIND_VIDEO, 0);
    const auto thumbnail = MediaChecks(database).FindThumbnail(clip.id, 0);
    if (!video.ok() || !thumbnail.ok()) {
      missing += fmt::format("clip {} is not in the catalog\n", clip.id);
      continue;
    }
    std::string bytes;
    const absl::Status read = blobs.Read(video->key, 0, video->size_bytes, &bytes);
    if (!read.ok() || Sha256::Of(bytes) != video->sha256) missing += clip.id + ": video\n";
    if (!blobs.SizeOf(*thumbnail).ok()) missing += clip.id + ": thumbnail\n";
  }
  return missing;
}

}  // namespace gleaner::cloud
