#include "cloud/ingest/clip_upload.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/crash_point.h"
#include "common/limits.h"
#include "common/status.h"

namespace gleaner::cloud {

ClipUpload::ClipUpload(BlobStore& blobs, UploadRow row, v1::ClipManifest manifest)
    : blobs_(blobs),
      row_(std::move(row)),
      manifest_(std::move(manifest)),
      objects_(static_cast<size_t>(manifest_.objects_size())) {}

ClipUpload::~ClipUpload() {
  objects_.clear();  // nobody writes there any more
  if (told_) return;
  for (const BlobId& blob : row_.blobs) {
    if (!blobs_.Remove(blob).ok()) hold_.Abandon();
  }
}

absl::StatusOr<std::unique_ptr<ClipUpload>> ClipUpload::Create(BlobStore& blobs, UploadRow row,
                                                               v1::ClipManifest manifest,
                                                               Space::Hold hold,
                                                               uint64_t leave_free) {
  auto upload =
      std::unique_ptr<ClipUpload>(new ClipUpload(blobs, std::move(row), std::move(manifest)));
  upload->hold_ = std::move(hold);
  upload->row_.blobs.clear();
  for (int i = 0; i < upload->manifest_.objects_size(); ++i) {
    auto writer = blobs.Create(upload->manifest_.objects(i).size_bytes(), leave_free);
    RETURN_IF_ERROR(writer.status());
    upload->row_.blobs.push_back((*writer)->id());
    upload->objects_[static_cast<size_t>(i)].writer = *std::move(writer);
  }
  return upload;
}

absl::StatusOr<std::unique_ptr<ClipUpload>> ClipUpload::Resume(BlobStore& blobs, UploadRow row,
                                                               v1::ClipManifest manifest) {
  if (row.blobs.size() != static_cast<size_t>(manifest.objects_size())) {
    return absl::InternalError(fmt::format("the catalogue names {} blobs for {} objects",
                                           row.blobs.size(), manifest.objects_size()));
  }
  auto upload =
      std::unique_ptr<ClipUpload>(new ClipUpload(blobs, std::move(row), std::move(manifest)));
  upload->told_ = true;
  for (int i = 0; i < upload->manifest_.objects_size(); ++i) {
    const auto index = static_cast<size_t>(i);
    auto writer = blobs.Resume(upload->row_.blobs[index]);
    if (absl::IsNotFound(writer.status())) {
      writer = blobs.Create(upload->manifest_.objects(i).size_bytes());
      if (writer.ok()) upload->row_.blobs[index] = (*writer)->id();
      upload->row_.begun = false;
    }
    RETURN_IF_ERROR(writer.status());
    upload->objects_[index].writer = *std::move(writer);
    RETURN_IF_ERROR(upload->ReadBack(i));
  }
  // What was read may so far be in the kernel's memory alone. If it can't be made durable, the
  // blobs go: the kernel tells of a failed write once, and the next attempt would believe it.
  if (const absl::Status synced = upload->Sync(nullptr); !synced.ok()) {
    upload->objects_.clear();
    for (const BlobId& blob : upload->row_.blobs) (void)blobs.Remove(blob);
    return synced;
  }
  return upload;
}

absl::Status ClipUpload::ReadBack(int index) {
  const v1::ClipObject& described = manifest_.objects(index);
  Object& object = objects_[static_cast<size_t>(index)];
  std::string block;
  for (const uint64_t expected : described.block_xxh3()) {
    const uint64_t size = std::min<uint64_t>(kBlockBytes, described.size_bytes() - object.received);
    const absl::Status read = blobs_.Read(object.writer->id(), object.received, size, &block);
    if (absl::IsNotFound(read)) break;  // nothing of it came to the disk
    RETURN_IF_ERROR(read);
    if (Xxh3(block) != expected) break;
    object.sha256.Update(block);
    object.hashed = object.received += size;
  }
  unsynced_bytes_ += object.received;
  // Blocks that match and a digest that doesn't: the device must send it all again.
  if (object.hashed == described.size_bytes()) (void)Verify(object, described);
  return absl::OkStatus();
}

std::vector<uint64_t> ClipUpload::durable_offsets() const {
  std::vector<uint64_t> offsets;
  for (const Object& object : objects_) offsets.push_back(object.durable);
  return offsets;
}

bool ClipUpload::received() const {
  for (size_t i = 0; i < objects_.size(); ++i) {
    if (objects_[i].received < manifest_.objects(static_cast<int>(i)).size_bytes()) return false;
  }
  return true;
}

bool ClipUpload::verified() const {
  return std::all_of(objects_.begin(), objects_.end(),
                     [](const Object& object) { return object.verified; });
}

absl::Status ClipUpload::Write(const ChunkRequest& chunk) {
  if (chunk.object >= objects_.size()) {
    return absl::InvalidArgumentError(
        fmt::format("chunk.object is {}, the clip has {} objects", chunk.object, objects_.size()));
  }
  const v1::ClipObject& described = manifest_.objects(static_cast<int>(chunk.object));
  if (chunk.offset % kBlockBytes != 0 || chunk.offset >= described.size_bytes()) {
    return absl::InvalidArgumentError(
        fmt::format("chunk.offset is {}, must be a multiple of {} below the object's {} bytes",
                    chunk.offset, kBlockBytes, described.size_bytes()));
  }
  const uint64_t size = std::min<uint64_t>(kBlockBytes, described.size_bytes() - chunk.offset);
  if (chunk.size != size) {
    return absl::InvalidArgumentError(
        fmt::format("chunk.data has {} bytes, must have {}", chunk.size, size));
  }
  Object& object = objects_[chunk.object];
  if (chunk.offset > object.received) {
    return absl::FailedPreconditionError(
        fmt::format("chunk at {} of object {}, which is here up to {}", chunk.offset, chunk.object,
                    object.received));
  }
  const uint64_t sum = Xxh3(chunk.data);
  const auto block = static_cast<int>(chunk.offset / kBlockBytes);
  if (sum != chunk.xxh3 || sum != described.block_xxh3(block)) {
    return absl::DataLossError(fmt::format("block {} of object {} differs from {} checksum", block,
                                           chunk.object,
                                           sum != chunk.xxh3 ? "its own" : "the manifest's"));
  }
  if (chunk.offset < object.received) return absl::OkStatus();
  RETURN_IF_ERROR(
      object.writer->WriteAt(chunk.offset, chunk.data.data(), static_cast<int>(chunk.data.size())));
  object.received += size;
  unsynced_bytes_ += size;
  return absl::OkStatus();
}

std::vector<uint32_t> ClipUpload::Hash() {
  std::vector<uint32_t> wrong;
  for (size_t i = 0; i < objects_.size(); ++i) {
    Object& object = objects_[i];
    if (object.hashed == object.received) continue;
    for (const iovec& part : object.writer->Held(object.hashed)) {
      object.sha256.Update(part.iov_base, part.iov_len);
    }
    object.hashed = object.received;
    const v1::ClipObject& described = manifest_.objects(static_cast<int>(i));
    if (object.hashed == described.size_bytes() && !Verify(object, described)) {
      wrong.push_back(static_cast<uint32_t>(i));
    }
  }
  return wrong;
}

bool ClipUpload::Verify(Object& object, const v1::ClipObject& described) {
  object.verified = AsBytes(object.sha256.Finish()) == described.sha256();
  if (object.verified) return true;
  object.received = object.hashed = object.durable = 0;
  (void)object.writer->WriteAt(0, nullptr, 0);  // lets go of what it holds
  return false;
}

absl::Status ClipUpload::Sync(std::vector<Advance>* advances) {
  for (size_t i = 0; i < objects_.size(); ++i) {
    Object& object = objects_[i];
    if (object.received == object.durable) continue;
    RETURN_IF_ERROR(object.writer->Sync());
    object.durable = object.received;
    if (advances != nullptr) advances->push_back({static_cast<uint32_t>(i), object.durable});
  }
  unsynced_bytes_ = 0;
  return absl::OkStatus();
}

absl::Status ClipUpload::Begin(Uploads& uploads) {
  if (row_.begun) return absl::OkStatus();
  RETURN_IF_ERROR(Tell([&] { return uploads.Begin(row_); }));
  GLEANER_CRASH_POINT("ingest.offer_durable");
  row_.begun = true;
  return absl::OkStatus();
}

absl::Status ClipUpload::Commit(Uploads& uploads, int64_t unix_ns) {
  return Tell([&] { return uploads.Commit(row_, manifest_, unix_ns); });
}

absl::Status ClipUpload::Tell(const std::function<absl::Status()>& write) {
  const bool before = std::exchange(told_, true);
  const absl::Status status = write();
  if (status.ok()) hold_.GiveBack();
  // What an I/O error broke off may be found committed after a restart; all else was refused.
  if (!status.ok() && !absl::IsInternal(status) && !absl::IsDataLoss(status) &&
      !absl::IsUnknown(status)) {
    told_ = before;
  }
  return status;
}

}  // namespace gleaner::cloud
