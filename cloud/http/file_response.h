// A file that never changes as an answer: with Range (206, 416), HEAD, If-None-Match and If-Range.
// The ETag is the SHA-256.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "cloud/http/http_message.h"
#include "common/digest.h"

namespace gleaner::cloud {

struct FileToSend {
  std::string content_type;  // follows from what the file is, never from what a device said
  std::string file_name;     // with ?download
  uint64_t size = 0;
  Sha256Digest sha256{};
  // Where the bytes are: in hand, or to be read (as HttpBodySource::read).
  std::optional<std::string> bytes;
  std::function<absl::Status(uint64_t offset, size_t size, std::string* piece)> read;
};

FileToSend InHand(std::string bytes);

// Sets the headers of a file. True if the client has it already: then that is answered (304).
bool IsUnchanged(const HttpRequest& request, HttpResponse& response, const FileToSend& file);
// Answers with the file, or the part of it that was asked for. After IsUnchanged.
void RespondFile(const HttpRequest& request, HttpResponse& response, FileToSend file);

}  // namespace gleaner::cloud
