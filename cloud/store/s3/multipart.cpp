#include "cloud/store/s3/multipart.h"

#include <fmt/format.h>

#include <algorithm>

#include "cloud/store/s3/answers.h"
#include "common/status.h"

namespace gleaner::cloud::s3 {
namespace {

// Of all but the last; a store takes 10,000 parts at most.
constexpr uint64_t kPartBytes = 16 << 20;
constexpr uint64_t kMaxParts = 10'000;
constexpr uint64_t kPieceBytes = 256 << 10;

class PartsUpload {
 public:
  PartsUpload(Client& client, const std::string& key, const Body& body)
      : client_(client), key_(key), body_(body) {}

  absl::Status Begin(std::string_view content_type) {
    const Body none = Body::Of("");
    ASSIGN_OR_RETURN(const HttpAnswer answer,
                     client_.Send({.method = "POST",
                                   .key = key_,
                                   .query = {{"uploads", ""}},
                                   .headers = {{"content-type", std::string(content_type)}},
                                   .body = &none}));
    ASSIGN_OR_RETURN(id_, ParseUploadId(answer.body));
    return absl::OkStatus();
  }

  absl::Status SendParts(const Sha256Digest& sha256) {
    const uint64_t part_bytes = std::max(kPartBytes, body_.size / kMaxParts + 1);
    Sha256 whole;
    for (uint64_t at = 0; at < body_.size; at += part_bytes) {
      RETURN_IF_ERROR(SendPart(at, std::min(part_bytes, body_.size - at), whole));
    }
    if (whole.Finish() == sha256) return absl::OkStatus();
    return absl::DataLossError(
        fmt::format("{}: what is staged has another SHA-256 than when it came", key_));
  }

  absl::Status Complete() {
    const std::string xml =
        fmt::format("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts_);
    const Body body = Body::Of(xml);
    const auto answer = client_.Send({.method = "POST",
                                      .key = key_,
                                      .query = {{"uploadId", id_}},
                                      .headers = {{"content-type", "application/xml"}},
                                      .body = &body,
                                      .body_sha256 = Hex(AsBytes(Sha256::Of(xml)))});
    // Asked a second time, because the first answer was lost, the store knows no such upload any
    // more; and an answer of 200 may be an error that came late. What counts is what is there.
    if (!answer.ok() && !absl::IsNotFound(answer.status())) return answer.status();
    const auto there = client_.Send({.method = "HEAD", .key = key_});
    if (there.ok()) {
      const auto size = there->headers.find("content-length");
      if (size != there->headers.end() && size->second == std::to_string(body_.size)) {
        return absl::OkStatus();
      }
    }
    RETURN_IF_ERROR(answer.status());
    const ErrorAnswer error = ParseError(answer->body);
    return absl::UnavailableError(fmt::format("{} in {}: its parts were not put together: {} {}",
                                              key_, client_.name(), error.code, error.message));
  }

  void Abort() {
    (void)client_.Send({.method = "DELETE", .key = key_, .query = {{"uploadId", id_}}});
  }

 private:
  absl::Status SendPart(uint64_t begin, uint64_t size, Sha256& whole) {
    Sha256 digest;
    std::string piece;
    for (uint64_t at = 0; at < size; at += piece.size()) {
      RETURN_IF_ERROR(body_.read(begin + at, std::min(kPieceBytes, size - at), &piece));
      digest.Update(piece);
      whole.Update(piece);
    }
    const Body part{.size = size, .read = [&](uint64_t offset, uint64_t bytes, std::string* out) {
                      return body_.read(begin + offset, bytes, out);
                    }};
    ++number_;
    ASSIGN_OR_RETURN(
        HttpAnswer answer,
        client_.Send({.method = "PUT",
                      .key = key_,
                      .query = {{"partNumber", std::to_string(number_)}, {"uploadId", id_}},
                      .body = &part,
                      .body_sha256 = Hex(AsBytes(digest.Finish()))}));
    parts_ += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", number_,
                          answer.headers["etag"]);
    return absl::OkStatus();
  }

  Client& client_;
  const std::string& key_;
  const Body& body_;
  std::string id_;
  int number_ = 0;
  std::string parts_;  // XML
};

}  // namespace

absl::Status PutInParts(Client& client, const std::string& key, std::string_view content_type,
                        const Body& body, const Sha256Digest& sha256) {
  PartsUpload upload(client, key, body);
  RETURN_IF_ERROR(upload.Begin(content_type));
  absl::Status status = upload.SendParts(sha256);
  if (status.ok()) status = upload.Complete();
  if (!status.ok()) upload.Abort();
  return status;
}

}  // namespace gleaner::cloud::s3
