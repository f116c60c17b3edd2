// A clip taken in as ingest does, without a device and a stream.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "cloud/ingest/clip_upload.h"
#include "cloud/store/stores.h"
#include "tests/cloud/ingest/ingest_testing.h"

namespace gleaner::cloud {

// How far it goes.
enum class UpTo { kWritten, kDescribed, kCommitted };

inline void TakeClip(Stores& stores, const SentClip& clip, int64_t committed_unix_ns,
                     UpTo up_to = UpTo::kCommitted) {
  UploadRow row{.device = clip.manifest.device(),
                .key = clip.key(),
                .manifest = clip.bytes,
                .manifest_sha256 = Sha256::Of(clip.bytes)};
  auto made = ClipUpload::Create(stores.staging(), stores.objects(), row, clip.manifest);
  ASSERT_TRUE(made.ok()) << made.status();
  ClipUpload& upload = **made;
  for (uint32_t object = 0; object < clip.objects.size(); ++object) {
    std::string bytes = clip.objects[object];
    for (uint64_t at = 0; at < bytes.size(); at += kBlockBytes) {
      const size_t size = std::min<size_t>(kBlockBytes, bytes.size() - at);
      ChunkRequest chunk{.object = object, .offset = at, .size = size};
      chunk.data.push_back({bytes.data() + at, size});
      chunk.xxh3 = Xxh3(bytes.data() + at, size);
      ASSERT_TRUE(upload.Write(chunk).ok());
    }
  }
  ASSERT_TRUE(upload.Hash().empty());
  Uploads uploads(stores.database());
  if (up_to >= UpTo::kDescribed) {
    ASSERT_TRUE(upload.Describe(stores.names().GetIdentity()->id, committed_unix_ns).ok());
  }
  ASSERT_TRUE(upload.Sync(nullptr).ok());
  ASSERT_TRUE(upload.Begin(uploads).ok());
  if (up_to < UpTo::kCommitted) return;
  const absl::Status committed = upload.Commit(uploads, committed_unix_ns);
  ASSERT_TRUE(committed.ok()) << committed;
}

}  // namespace gleaner::cloud
