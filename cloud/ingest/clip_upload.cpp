#include "cloud/ingest/clip_upload.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "common/status.h"

namespace gleaner::cloud {

ClipUpload::ClipUpload(UploadRow row, v1::ClipManifest manifest)
    : row_(std::move(row)),
      manifest_(std::move(manifest)),
      objects_(static_cast<size_t>(manifest_.objects_size())),
      xxh3_(XXH3_createState()) {}

absl::StatusOr<std::unique_ptr<ClipUpload>> ClipUpload::Create(BlobStore& blobs, UploadRow row,
                                                               v1::ClipManifest manifest) {
  auto upload = std::unique_ptr<ClipUpload>(new ClipUpload(std::move(row), std::move(manifest)));
  upload->row_.blobs.clear();
  for (int i = 0; i < upload->manifest_.objects_size(); ++i) {
    auto writer = blobs.Create(upload->manifest_.objects(i).size_bytes());
    if (!writer.ok()) {
      for (const BlobId& made : upload->row_.blobs) (void)blobs.Remove(made);
      return writer.status();
    }
    upload->row_.blobs.push_back((*writer)->id());
    upload->objects_[static_cast<size_t>(i)].writer = *std::move(writer);
  }
  return upload;
}

absl::StatusOr<std::unique_ptr<ClipUpload>> ClipUpload::Resume(BlobStore& blobs, UploadRow row,
                                                               v1::ClipManifest manifest,
                                                               bool* changed) {
  *changed = false;
  if (row.blobs.size() != static_cast<size_t>(manifest.objects_size())) {
    return absl::InternalError(fmt::format("the catalogue names {} blobs for {} objects",
                                           row.blobs.size(), manifest.objects_size()));
  }
  auto upload = std::unique_ptr<ClipUpload>(new ClipUpload(std::move(row), std::move(manifest)));
  for (int i = 0; i < upload->manifest_.objects_size(); ++i) {
    const auto index = static_cast<size_t>(i);
    auto writer = blobs.Resume(upload->row_.blobs[index]);
    if (absl::IsNotFound(writer.status())) {
      writer = blobs.Create(upload->manifest_.objects(i).size_bytes());
      if (writer.ok()) upload->row_.blobs[index] = (*writer)->id();
      *changed = true;
    }
    RETURN_IF_ERROR(writer.status());
    upload->objects_[index].writer = *std::move(writer);
    RETURN_IF_ERROR(upload->ReadBack(blobs, i));
  }
  // What was read may so far be in the kernel's memory alone. If it can't be made durable, the
  // blobs go: the kernel tells of a failed write once, and the next attempt would believe it.
  if (const absl::Status synced = upload->Sync(nullptr); !synced.ok()) {
    for (const BlobId& blob : upload->row_.blobs) (void)blobs.Remove(blob);
    return synced;
  }
  return upload;
}

absl::Status ClipUpload::ReadBack(BlobStore& blobs, int index) {
  const v1::ClipObject& described = manifest_.objects(index);
  Object& object = objects_[static_cast<size_t>(index)];
  std::string block;
  for (const uint64_t expected : described.block_xxh3()) {
    const uint64_t size = std::min<uint64_t>(kBlockBytes, described.size_bytes() - object.received);
    const absl::Status read = blobs.Read(object.writer->id(), object.received, size, &block);
    if (absl::IsOutOfRange(read)) break;  // the cut was before the room was reserved
    RETURN_IF_ERROR(read);
    if (Xxh3(block) != expected) break;
    object.sha256.Update(block);
    object.received += size;
  }
  unsynced_bytes_ += object.received;
  if (object.received == described.size_bytes()) {
    // Blocks that match and a digest that doesn't: the device must send it all again.
    if (const absl::Status verified = Verify(index); !absl::IsDataLoss(verified)) return verified;
  }
  return absl::OkStatus();
}

std::vector<uint64_t> ClipUpload::durable_offsets() const {
  std::vector<uint64_t> offsets;
  for (const Object& object : objects_) offsets.push_back(object.durable);
  return offsets;
}

bool ClipUpload::complete() const {
  return std::all_of(objects_.begin(), objects_.end(),
                     [](const Object& object) { return object.verified; });
}

uint64_t ClipUpload::Xxh3Of(const std::vector<iovec>& parts) {
  if (parts.size() == 1) return Xxh3(parts[0].iov_base, parts[0].iov_len);
  XXH3_64bits_reset(xxh3_.get());
  for (const iovec& part : parts) XXH3_64bits_update(xxh3_.get(), part.iov_base, part.iov_len);
  return XXH3_64bits_digest(xxh3_.get());
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
  const uint64_t sum = Xxh3Of(chunk.data);
  const auto block = static_cast<int>(chunk.offset / kBlockBytes);
  if (sum != chunk.xxh3 || sum != described.block_xxh3(block)) {
    return absl::DataLossError(fmt::format("block {} of object {} differs from {} checksum", block,
                                           chunk.object,
                                           sum != chunk.xxh3 ? "its own" : "the manifest's"));
  }
  if (chunk.offset < object.received) return absl::OkStatus();
  RETURN_IF_ERROR(
      object.writer->WriteAt(chunk.offset, chunk.data.data(), static_cast<int>(chunk.data.size())));
  for (const iovec& part : chunk.data) object.sha256.Update(part.iov_base, part.iov_len);
  object.received += size;
  unsynced_bytes_ += size;
  return object.received == described.size_bytes() ? Verify(static_cast<int>(chunk.object))
                                                   : absl::OkStatus();
}

absl::Status ClipUpload::Verify(int index) {
  Object& object = objects_[static_cast<size_t>(index)];
  if (AsBytes(object.sha256.Finish()) == manifest_.objects(index).sha256()) {
    object.verified = true;
    return absl::OkStatus();
  }
  object.received = object.durable = 0;
  return absl::DataLossError(fmt::format(
      "object {} differs from the manifest's SHA-256, though each block matches", index));
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

}  // namespace gleaner::cloud
