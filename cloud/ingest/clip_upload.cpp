#include "cloud/ingest/clip_upload.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "cloud/store/clip_description.h"
#include "common/crash_point.h"
#include "common/limits.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr const char* kDescriptionPart = "manifest";
constexpr std::string_view kDescriptionType = "application/octet-stream";

struct ObjectKind {
  std::string_view name, content_type;
};

// What a file of a clip is, whatever its device says.
ObjectKind KindOf(v1::ClipObject::Kind kind) {
  switch (kind) {
    case v1::ClipObject::KIND_VIDEO:
      return {"video", "video/mp4"};
    case v1::ClipObject::KIND_PREVIEW:
      return {"preview", "image/jpeg"};
    default:
      return {"samples", "application/x-protobuf"};
  }
}

}  // namespace

ClipUpload::ClipUpload(UploadStaging& staging, ObjectStore& objects, UploadRow row,
                       v1::ClipManifest manifest)
    : staging_(staging),
      store_(objects),
      row_(std::move(row)),
      manifest_(std::move(manifest)),
      objects_(static_cast<size_t>(manifest_.objects_size())) {}

ClipUpload::~ClipUpload() {
  objects_.clear();  // nobody writes there any more
  description_.reset();
  if (told_) return;
  for (const BlobId& blob : row_.blobs) {
    if (!staging_.Remove(blob).ok()) hold_.Abandon();
  }
}

absl::StatusOr<std::unique_ptr<ClipUpload>> ClipUpload::Create(UploadStaging& staging,
                                                               ObjectStore& objects, UploadRow row,
                                                               v1::ClipManifest manifest,
                                                               Space::Hold hold,
                                                               uint64_t leave_free) {
  auto upload = std::unique_ptr<ClipUpload>(
      new ClipUpload(staging, objects, std::move(row), std::move(manifest)));
  upload->hold_ = std::move(hold);
  upload->row_.blobs.clear();
  for (int i = 0; i < upload->manifest_.objects_size(); ++i) {
    auto writer = staging.Create(upload->manifest_.objects(i).size_bytes(), leave_free);
    RETURN_IF_ERROR(writer.status());
    upload->row_.blobs.push_back((*writer)->id());
    upload->objects_[static_cast<size_t>(i)].writer = *std::move(writer);
  }
  auto description = staging.Create(upload->DescriptionBytes(), leave_free);
  RETURN_IF_ERROR(description.status());
  upload->row_.blobs.push_back((*description)->id());
  upload->description_ = *std::move(description);
  upload->ChooseKeys();
  return upload;
}

absl::StatusOr<std::unique_ptr<ClipUpload>> ClipUpload::Resume(UploadStaging& staging,
                                                               ObjectStore& objects, UploadRow row,
                                                               v1::ClipManifest manifest) {
  const auto objects_count = static_cast<size_t>(manifest.objects_size());
  // Versions before this one kept no description.
  if (row.blobs.size() == objects_count) row.blobs.emplace_back();
  if (row.blobs.size() != objects_count + 1) {
    return absl::InternalError(
        fmt::format("the catalog names {} blobs for {} objects", row.blobs.size(), objects_count));
  }
  auto upload = std::unique_ptr<ClipUpload>(
      new ClipUpload(staging, objects, std::move(row), std::move(manifest)));
  upload->told_ = true;
  for (size_t i = 0; i < objects_count; ++i) {
    const auto index = static_cast<int>(i);
    ASSIGN_OR_RETURN(upload->objects_[i].writer,
                     upload->Reopen(i, upload->manifest_.objects(index).size_bytes()));
    RETURN_IF_ERROR(upload->ReadBack(index));
  }
  ASSIGN_OR_RETURN(upload->description_, upload->Reopen(objects_count, upload->DescriptionBytes()));
  if (!upload->row_.begun) upload->ChooseKeys();
  // What was read may so far be in the kernel's memory alone. If it can't be made durable, the
  // blobs go: the kernel tells of a failed write once, and the next attempt would believe it.
  if (const absl::Status synced = upload->Sync(nullptr); !synced.ok()) {
    upload->objects_.clear();
    upload->description_.reset();
    for (const BlobId& blob : upload->row_.blobs) (void)staging.Remove(blob);
    return synced;
  }
  return upload;
}

absl::StatusOr<std::unique_ptr<BlobWriter>> ClipUpload::Reopen(size_t position, uint64_t size) {
  BlobId& blob = row_.blobs[position];
  auto writer = blob.empty() ? absl::NotFoundError("") : staging_.Resume(blob);
  if (!absl::IsNotFound(writer.status())) return writer;
  writer = staging_.Create(size);
  if (writer.ok()) blob = (*writer)->id();
  row_.begun = false;
  return writer;
}

absl::Status ClipUpload::ReadBack(int index) {
  const v1::ClipObject& described = manifest_.objects(index);
  Object& object = objects_[static_cast<size_t>(index)];
  std::string block;
  for (const uint64_t expected : described.block_xxh3()) {
    const uint64_t size = std::min<uint64_t>(kBlockBytes, described.size_bytes() - object.received);
    const absl::Status read = staging_.Read(object.writer->id(), object.received, size, &block);
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

absl::Status ClipUpload::Describe(std::string_view store_id, int64_t committed_unix_ns) {
  std::vector<ObjectKey> objects = row_.keys.empty() ? row_.blobs : row_.keys;
  objects.pop_back();  // its own
  std::string bytes = Seal({.manifest = row_.manifest,
                            .committed_unix_ns = committed_unix_ns,
                            .objects = std::move(objects)},
                           store_id);
  description_sha256_ = Sha256::Of(bytes);
  described_ = true;
  const iovec part{bytes.data(), bytes.size()};
  return description_->WriteAt(0, &part, 1);
}

absl::Status ClipUpload::Sync(std::vector<Advance>* advances) {
  std::vector<BlobWriter*> writers;
  for (const Object& object : objects_) {
    if (object.received != object.durable) writers.push_back(object.writer.get());
  }
  if (described_) writers.push_back(description_.get());
  // They lie in one segment, mostly, and the first sync is then all of theirs.
  for (BlobWriter* writer : writers) RETURN_IF_ERROR(writer->Flush());
  for (BlobWriter* writer : writers) RETURN_IF_ERROR(writer->Sync());
  for (size_t i = 0; i < objects_.size(); ++i) {
    Object& object = objects_[i];
    if (object.received == object.durable) continue;
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
  if (!row_.keys.empty()) {
    // The catalog knows of an object before there is one, or a crash could leave it to nobody.
    RETURN_IF_ERROR(Begin(uploads));
    // Whatever is wrong with the store: it says nothing of the upload, which can go on later.
    if (const absl::Status made = MakeObjects(); !made.ok()) {
      return absl::UnavailableError(made.message());
    }
    GLEANER_CRASH_POINT("ingest.objects_made");
  }
  RETURN_IF_ERROR(Tell([&] { return uploads.Commit(row_, manifest_, unix_ns); }));
  if (!row_.keys.empty()) {
    objects_.clear();  // nobody writes there any more
    description_.reset();
    // What stays, the sweep finds: nothing names it.
    for (const BlobId& blob : row_.blobs) (void)staging_.Remove(blob);
  }
  return absl::OkStatus();
}

ObjectKey ClipUpload::KeyOf(size_t position) const {
  ObjectName name{.device = row_.device, .clip = row_.key};
  if (position == objects_.size()) {
    name.part = kDescriptionPart;
    name.content_type = kDescriptionType;
  } else {
    const auto kind = manifest_.objects(static_cast<int>(position)).kind();
    int of_kind = 0;
    for (size_t i = 0; i < position; ++i) {
      of_kind += manifest_.objects(static_cast<int>(i)).kind() == kind ? 1 : 0;
    }
    name.part = fmt::format("{}-{}", KindOf(kind).name, of_kind);
    name.content_type = KindOf(kind).content_type;
  }
  return store_.KeyFor(name, row_.blobs[position]);
}

void ClipUpload::ChooseKeys() {
  row_.keys.clear();
  for (size_t i = 0; i < row_.blobs.size(); ++i) row_.keys.push_back(KeyOf(i));
  if (row_.keys == row_.blobs) row_.keys.clear();
}

uint64_t ClipUpload::DescriptionBytes() const {
  std::vector<ObjectKey> objects;
  for (size_t i = 0; i < objects_.size(); ++i) objects.push_back(KeyOf(i));
  return Seal({.manifest = row_.manifest, .objects = std::move(objects)}, "").size();
}

absl::Status ClipUpload::MakeObjects() {
  for (size_t i = 0; i < objects_.size(); ++i) {
    const v1::ClipObject& described = manifest_.objects(static_cast<int>(i));
    StagedObject staged{.blob = row_.blobs[i],
                        .size_bytes = described.size_bytes(),
                        .content_type = KindOf(described.kind()).content_type};
    std::copy_n(described.sha256().begin(), staged.sha256.size(), staged.sha256.begin());
    RETURN_IF_ERROR(store_.TakeOver(staged, row_.keys[i]));
  }
  // Last: what is described is there.
  return store_.TakeOver({.blob = row_.blobs.back(),
                          .size_bytes = DescriptionBytes(),
                          .sha256 = description_sha256_,
                          .content_type = kDescriptionType},
                         row_.keys.back());
}

absl::Status ClipUpload::Tell(const std::function<absl::Status()>& write) {
  const bool before = std::exchange(told_, true);
  const absl::Status status = write();
  if (status.ok()) hold_.GiveBack();
  // What an I/O error broke off, or the loss of the connection, may be found committed later; all
  // else was refused.
  if (!status.ok() && !absl::IsInternal(status) && !absl::IsDataLoss(status) &&
      !absl::IsUnknown(status) && !absl::IsUnavailable(status)) {
    told_ = before;
  }
  return status;
}

}  // namespace gleaner::cloud
