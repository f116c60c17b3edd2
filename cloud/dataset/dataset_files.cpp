#include "cloud/dataset/dataset_files.h"

#include <charconv>
#include <memory>

#include "absl/strings/str_split.h"
#include "cloud/dataset/signed_url.h"
#include "cloud/http/file_response.h"
#include "cloud/http/respond.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

void RespondStatus(const HttpRequest& request, HttpResponse& response, const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:  // to whom it isn't open, it isn't there
      return RespondError(request, response, 404, "not_found", Message(status));
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
      LOG_DEBUG("{}: {}", request.path, Message(status));
      response.headers.Set("Retry-After", "2");
      return RespondError(request, response, 503, "unavailable",
                          "the dataset can't be read now: ask again in a moment");
    default:
      LOG_ERROR("{}: {}", request.path, Message(status));
      return RespondError(request, response, 500, "internal",
                          "the dataset can't be read; the server's log says why");
  }
}

void RespondStored(const HttpRequest& request, HttpResponse& response, StoredFile stored) {
  FileToSend file;
  file.content_type = stored.content_type;
  file.file_name = stored.name;
  file.size = stored.parts.size();
  file.sha256 = stored.sha256;
  file.read = [parts = std::make_shared<const PartReader>(std::move(stored.parts))](
                  uint64_t offset, size_t size, std::string* piece) {
    return parts->Read(offset, size, piece);
  };
  if (!IsUnchanged(request, response, file)) RespondFile(request, response, std::move(file));
}

}  // namespace

std::vector<Route> DatasetFiles::Routes() {
  return {{"GET", "/datasets/", v1::ROLE_VIEWER,
           [this](const auto& request, const auto&, auto& response) { Serve(request, response); }},
          {"GET", "/signed/datasets/", kAnybody,
           [this](const auto& request, const auto&, auto& response) {
             ServeSigned(request, response);
           }}};
}

void DatasetFiles::Serve(const HttpRequest& request, HttpResponse& response) {
  const std::vector<std::string> parts = absl::StrSplit(request.path, '/');  // "", datasets, …
  if (parts.size() == 6) return ServeExported(request, response, request.path);
  const std::string what = parts.size() == 4 ? parts[3] : "";
  if (what == "list.jsonl") {
    auto list = datasets_.FindList(parts[2]);
    if (!list.ok()) return RespondStatus(request, response, list.status());
    return RespondStored(request, response, *std::move(list));
  }
  if (what == "card.json" || what == "card.txt") {
    const auto dataset = datasets_.Get(parts[2]);
    if (!dataset.ok()) return RespondStatus(request, response, dataset.status());
    const bool json = what == "card.json";
    return Respond(request, response, 200, json ? dataset->card_json() : dataset->card_text(),
                   json ? "application/json" : "text/plain; charset=utf-8");
  }
  RespondError(request, response, 404, "not_found",
               "of a dataset there is /datasets/{name}/card.json, card.txt, list.jsonl and "
               "exports/{number}/{file}");
}

void DatasetFiles::ServeSigned(const HttpRequest& request, HttpResponse& response) {
  const auto key = datasets_.UrlKey();
  // Without a key nothing was ever signed.
  if (!key.ok() && !absl::IsNotFound(key.status())) {
    return RespondStatus(request, response, key.status());
  }
  std::string path;
  const absl::Status may =
      key.ok() ? UrlSigner(*key, clock_.WallNs()).Check(request, &path)
               : absl::PermissionDeniedError("this URL is not one that this server signed");
  if (!may.ok()) return RespondStatus(request, response, may);
  ServeExported(request, response, path);
}

void DatasetFiles::ServeExported(const HttpRequest& request, HttpResponse& response,
                                 const std::string& path) {
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  uint64_t number = 0;
  if (parts.size() != 6 || parts[3] != "exports" ||
      std::from_chars(parts[4].data(), parts[4].data() + parts[4].size(), number).ec !=
          std::errc() ||
      std::to_string(number) != parts[4]) {
    return RespondStatus(request, response,
                         absl::NotFoundError("a file of an export is "
                                             "/datasets/{name}/exports/{number}/{file}"));
  }
  auto file = datasets_.FindExported(parts[2], number, parts[5]);
  if (!file.ok()) return RespondStatus(request, response, file.status());
  RespondStored(request, response, *std::move(file));
}

}  // namespace gleaner::cloud
