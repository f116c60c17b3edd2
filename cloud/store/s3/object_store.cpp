#include "cloud/store/s3/object_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "cloud/store/clip_description.h"
#include "cloud/store/s3/answers.h"
#include "cloud/store/s3/multipart.h"
#include "common/digest.h"
#include "common/status.h"

namespace gleaner::cloud::s3 {
namespace {

constexpr uint64_t kCopyPieceBytes = 8 << 20;
constexpr size_t kMaxListBytes = 4 << 20;
constexpr uint64_t kMaxErrorBytes = 64 << 10;
constexpr size_t kNonceLetters = 20;
constexpr int64_t kUrlSeconds = 900;

ObjectKey KeyOf(const ObjectName& name, std::string_view nonce) {
  return fmt::format("clips/{}/{}/{}/{}.{}", name.device, Hex(AsBytes(name.clip.boot_id)),
                     name.clip.sequence, name.part, nonce);
}

// All of `text` as a number.
bool ParseNumber(std::string_view text, uint64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

ObjectKey S3ObjectStore::KeyFor(const ObjectName& name, const BlobId& staged) {
  // Where it is staged is a place that no other blob ever had: a segment's name is random.
  return KeyOf(name, std::string_view(staged).substr(0, kNonceLetters));
}

absl::Status S3ObjectStore::TakeOver(const StagedObject& staged, const ObjectKey& key) {
  const Body body{.size = staged.size_bytes,
                  .read = [&](uint64_t offset, uint64_t size, std::string* out) {
                    return staging_->Read(staged.blob, offset, size, out);
                  }};
  return PutBody(key, staged.content_type, body, staged.sha256);
}

absl::StatusOr<ObjectKey> S3ObjectStore::Put(const ObjectName& name, std::string_view bytes) {
  std::array<uint8_t, kNonceLetters / 2> random;
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    return absl::InternalError("no random numbers for a key");
  }
  ObjectKey key = KeyOf(name, Hex({reinterpret_cast<const char*>(random.data()), random.size()}));
  RETURN_IF_ERROR(PutAt(key, bytes, name.content_type));
  return key;
}

absl::Status S3ObjectStore::PutAt(const ObjectKey& key, std::string_view bytes,
                                  std::string_view content_type) {
  return PutBody(key, content_type, Body::Of(bytes), Sha256::Of(bytes));
}

absl::Status S3ObjectStore::PutBody(const ObjectKey& key, std::string_view content_type,
                                    const Body& body, const Sha256Digest& sha256) {
  if (body.size > kLargestSinglePut) return PutInParts(client_, key, content_type, body, sha256);
  return client_
      .Send({.method = "PUT",
             .key = key,
             .headers = {{"content-type", std::string(content_type)}},
             .body = &body,
             .body_sha256 = Hex(AsBytes(sha256))})
      .status();
}

absl::Status S3ObjectStore::Read(const ObjectKey& key, uint64_t offset, uint64_t size,
                                 std::string* out) {
  out->clear();
  if (size == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      HttpAnswer answer,
      client_.Send({.method = "GET",
                    .key = key,
                    .headers = {{"range", fmt::format("bytes={}-{}", offset, offset + size - 1)}},
                    .max_answer_bytes = std::max(size, kMaxErrorBytes)}));
  // "bytes 0-99/1234", cut where the object ends.
  const std::string said = answer.headers["content-range"];
  if (answer.body.size() == size && said.starts_with(fmt::format("bytes {}-", offset))) {
    *out = std::move(answer.body);
    return absl::OkStatus();
  }
  return absl::OutOfRangeError(
      fmt::format("{} in {}: asked for {} bytes from {}, there are {} ({})", key, client_.name(),
                  size, offset, answer.body.size(), said));
}

absl::StatusOr<uint64_t> S3ObjectStore::SizeOf(const ObjectKey& key) {
  ASSIGN_OR_RETURN(HttpAnswer answer, client_.Send({.method = "HEAD", .key = key}));
  uint64_t size = 0;
  if (ParseNumber(answer.headers["content-length"], &size)) return size;
  return absl::DataLossError(
      fmt::format("HEAD {} in {}: the store doesn't say how long it is", key, client_.name()));
}

absl::StatusOr<Fd> S3ObjectStore::OpenCopy(const ObjectKey& key) {
  ASSIGN_OR_RETURN(const uint64_t size, SizeOf(key));
  ASSIGN_OR_RETURN(const DiskSpace space, SpaceAt(options_.copies));
  if (space.free_bytes < size + options_.copy_floor_bytes) {
    return absl::ResourceExhaustedError(
        fmt::format("{} has {} bytes free: too few for a copy of {}, which has {}", options_.copies,
                    space.free_bytes, key, size));
  }
  ASSIGN_OR_RETURN(const Fd copy, OpenFile(options_.copies, O_RDWR | O_TMPFILE));
  std::string piece;
  for (uint64_t at = 0; at < size; at += piece.size()) {
    RETURN_IF_ERROR(Read(key, at, std::min(kCopyPieceBytes, size - at), &piece));
    RETURN_IF_ERROR(Annotate(WriteAt(copy.get(), piece.data(), piece.size(), at), options_.copies));
  }
  return OpenFile(fmt::format("/proc/self/fd/{}", copy.get()), O_RDONLY);
}

absl::Status S3ObjectStore::Remove(const ObjectKey& key) {
  const absl::Status removed = client_.Send({.method = "DELETE", .key = key}).status();
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

absl::Status S3ObjectStore::FindDescriptions(
    const std::function<absl::Status(const ObjectKey& at, std::string_view bytes)>& each) {
  std::string bytes;
  return List("clips/", [&](const ObjectKey& key, uint64_t size) -> absl::Status {
    if (key.find("/manifest.") == std::string::npos || size > kMaxDescriptionBytes) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(Read(key, 0, size, &bytes));
    return each(key, bytes);
  });
}

std::optional<std::string> S3ObjectStore::UrlOf(const ObjectKey& key, std::string_view content_type,
                                                std::string_view file_name) {
  if (!options_.presign) return std::nullopt;
  std::map<std::string, std::string> says = {{"response-content-type", std::string(content_type)}};
  if (!file_name.empty()) {
    says["response-content-disposition"] = fmt::format("attachment; filename=\"{}\"", file_name);
  }
  return client_.PresignedUrl(key, std::move(says), kUrlSeconds);
}

absl::Status S3ObjectStore::List(
    const std::string& prefix,
    const std::function<absl::Status(const ObjectKey& key, uint64_t size)>& each) {
  const std::string& outer = client_.options().prefix;
  const std::string above = outer.empty() ? "" : outer + "/";
  std::string next;
  do {
    Request request{.method = "GET",
                    .query = {{"list-type", "2"},
                              {"max-keys", std::to_string(options_.list_page)},
                              {"prefix", above + prefix}},
                    .max_answer_bytes = kMaxListBytes};
    if (!next.empty()) request.query["continuation-token"] = next;
    ASSIGN_OR_RETURN(const HttpAnswer answer, client_.Send(request));
    ASSIGN_OR_RETURN(const ListAnswer page, ParseList(answer.body));
    for (const ListAnswer::Object& object : page.objects) {
      std::string_view key = object.key;
      if (!key.starts_with(above)) continue;
      key.remove_prefix(above.size());
      RETURN_IF_ERROR(each(std::string(key), object.size));
    }
    next = page.next;
  } while (!next.empty());
  return absl::OkStatus();
}

}  // namespace gleaner::cloud::s3
