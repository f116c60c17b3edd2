#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "cli/clip_id.h"
#include "cli/commands.h"
#include "cli/download.h"
#include "cli/filter.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "common/clip_id.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/limits.h"
#include "common/message_json.h"
#include "common/name.h"
#include "common/status.h"
#include "common/text.h"
#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cli {
namespace {

struct File {
  std::string name;
  uint64_t size_bytes;
  std::string sha256;  // 32 bytes
  std::string path;    // on the server
};

// A camera's video is called after it, another one of the same camera `front-2.mp4`. The manifest's
// text becomes the name of a file only where it is a camera's name.
std::string VideoName(const v1::ClipManifest& manifest, int video, std::set<std::string>& taken) {
  std::string camera = video < manifest.video_size() ? manifest.video(video).camera() : "";
  if (!IsName(camera)) camera = "video";
  std::string name = camera + ".mp4";
  for (int n = 2; !taken.insert(name).second; ++n) name = fmt::format("{}-{}.mp4", camera, n);
  return name;
}

std::vector<File> FilesOf(const std::string& id, const v1::ClipManifest& manifest) {
  std::vector<File> files;
  std::set<std::string> taken;
  int videos = 0;
  for (const v1::ClipObject& object : manifest.objects()) {
    File file{"", object.size_bytes(), object.sha256(), ""};
    switch (object.kind()) {
      case v1::ClipObject::KIND_PREVIEW:
        file.path = "preview";
        file.name = "preview.jpg";
        break;
      case v1::ClipObject::KIND_SAMPLES:
        file.path = "samples";
        file.name = "samples.pb";
        break;
      case v1::ClipObject::KIND_VIDEO:
        file.path = fmt::format("video/{}", videos);
        file.name = VideoName(manifest, videos, taken);
        ++videos;
        break;
      default:
        continue;
    }
    file.path = fmt::format("/media/{}/{}", id, file.path);
    files.push_back(std::move(file));
  }
  return files;
}

// Says what is here already: lines on standard output, JSON at the end, and, on a terminal, the
// progress of the file under way.
class Report {
 public:
  Report(const GetClipsOptions& options, size_t clips) : options_(options), clips_(clips) {}

  void Begin(const std::string& id, const std::string& folder) {
    ++clip_;
    folder_ = folder;
    json_.push_back({{"id", id}, {"folder", folder}, {"files", nlohmann::ordered_json::array()}});
  }
  void Progress(const File& file, uint64_t done) {
    if (!options_.progress) return;
    const int percent = file.size_bytes == 0 ? 100 : static_cast<int>(done * 100 / file.size_bytes);
    if (std::exchange(percent_, percent) == percent) return;
    fmt::print(stderr, "\r\033[K{}{} {:>3} % of {}",
               clips_ > 1 ? fmt::format("clip {} of {}: ", clip_, clips_) : "", file.name, percent,
               HumanBytes(file.size_bytes));
    std::fflush(stderr);
  }
  void Done(const std::string& name, uint64_t size_bytes, const std::string& sha256,
            Outcome outcome) {
    ClearProgress();
    ++files_;
    bytes_ += size_bytes;
    if (!options_.json) {
      fmt::print("{}/{}  {}{}\n", folder_, name, HumanBytes(size_bytes),
                 outcome == Outcome::kWasThere ? ", was there already" : "");
      std::fflush(stdout);
    }
    std::string digest;
    absl::Base64Escape(sha256, &digest);
    json_.back()["files"].push_back(
        {{"name", name}, {"sizeBytes", std::to_string(size_bytes)}, {"sha256", digest}});
  }
  void Failed(const std::string& id, const absl::Status& why) {
    ClearProgress();
    ++failed_;
    if (!options_.json) fmt::print(stderr, "gleaner: clip {}: {}\n", id, Message(why));
    json_.back()["error"] = nlohmann::ordered_json::parse(ErrorJson(why));
  }
  void Sum() {
    ClearProgress();
    if (options_.json) {
      PrintJson(nlohmann::ordered_json{{"clips", json_}});
    } else if (clips_ > 1) {
      fmt::print("{}, {}, {} in {}\n", Count(clip_ - failed_, "clip"), Count(files_, "file"),
                 HumanBytes(bytes_), options_.directory);
    }
  }
  size_t failed() const { return failed_; }

 private:
  void ClearProgress() {
    if (std::exchange(percent_, -1) >= 0) fmt::print(stderr, "\r\033[K");
  }

  const GetClipsOptions& options_;
  const size_t clips_;
  size_t clip_ = 0;  // the one under way, from 1
  size_t failed_ = 0;
  size_t files_ = 0;
  uint64_t bytes_ = 0;
  int percent_ = -1;  // as drawn; -1: nothing is
  std::string folder_;
  nlohmann::ordered_json json_ = nlohmann::ordered_json::array();
};

// The manifest's own bytes are what its digest and every other digest hang on: they are parsed, not
// taken from GetClip's answer.
absl::StatusOr<std::string> FetchManifest(Client& client, const std::string& id,
                                          const std::string& sha256) {
  std::string bytes;
  absl::Status got =
      client.Get(fmt::format("/media/{}/manifest", id), 0, [&](const char* data, size_t size) {
        bytes.append(data, size);
        return bytes.size() <= kMaxManifestBytes;
      });
  if (absl::IsCancelled(got)) got = absl::DataLossError("the manifest is longer than one may be");
  RETURN_IF_ERROR(got);
  if (AsBytes(Sha256::Of(bytes)) != sha256) {
    return absl::DataLossError("the manifest has another SHA-256 than the catalog says");
  }
  return bytes;
}

absl::Status GetClip(Client& client, const std::string& id, const GetClipsOptions& options,
                     Report& report) {
  const std::string folder = (std::filesystem::path(options.directory) / id).string();
  report.Begin(id, folder);
  v1::GetClipRequest request;
  request.set_id(id);
  v1::GetClipResponse clip;
  RETURN_IF_ERROR(client.Call("CatalogService/GetClip", request, &clip));
  ASSIGN_OR_RETURN(const std::string bytes, FetchManifest(client, id, clip.manifest_sha256()));
  v1::ClipManifest manifest;
  if (!manifest.ParseFromString(bytes)) return absl::DataLossError("the manifest can't be parsed");
  const std::string json = ToJson(manifest, /*zeros=*/false) + "\n";

  RETURN_IF_ERROR(MakeDirectories(folder, 0755));
  for (const auto& [name, content] : {std::pair("manifest.pb", &bytes), {"manifest.json", &json}}) {
    ASSIGN_OR_RETURN(const Outcome outcome, Put(folder + "/" + name, *content, options.overwrite));
    report.Done(name, content->size(), std::string(AsBytes(Sha256::Of(*content))), outcome);
  }
  for (const File& file : FilesOf(id, manifest)) {
    const Download download{file.path, folder + "/" + file.name, file.size_bytes, file.sha256};
    ASSIGN_OR_RETURN(const Outcome outcome,
                     Fetch(client, download, options.overwrite,
                           [&](uint64_t done) { report.Progress(file, done); }));
    report.Done(file.name, file.size_bytes, file.sha256, outcome);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> Wanted(Client& client, const GetClipsOptions& options) {
  std::vector<std::string> ids;
  const auto add = [&](const std::string& id) -> absl::Status {
    // It becomes the name of a folder.
    if (!IsClipId(id)) return absl::UnavailableError("the server's answer names no clip");
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
    return absl::OkStatus();
  };
  for (const std::string& text : options.ids) {
    ASSIGN_OR_RETURN(const std::string id, FindClipId(client, text));
    RETURN_IF_ERROR(add(id));
  }
  if (!options.ids.empty()) return ids;
  v1::ListClipsRequest request;
  request.set_filter(options.filter);
  do {
    request.set_page_size(kPageSize);
    v1::ListClipsResponse page;
    if (absl::Status status = client.Call("CatalogService/ListClips", request, &page);
        !status.ok()) {
      return PointAt(options.filter, status);
    }
    for (const v1::ClipSummary& clip : page.clips()) {
      if (options.limit > 0 && ids.size() == options.limit) return ids;
      RETURN_IF_ERROR(add(clip.id()));
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  if (ids.empty()) return absl::NotFoundError("no clip matches this filter");
  return ids;
}

// Whether it is of this one clip, so that the others may be had all the same.
bool IsOfOneClip(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsDataLoss(status) || absl::IsAlreadyExists(status);
}

}  // namespace

absl::Status GetClips(Client& client, const GetClipsOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, Wanted(client, options));
  Report report(options, ids.size());
  for (const std::string& id : ids) {
    const absl::Status got = GetClip(client, id, options, report);
    if (got.ok()) continue;
    if (ids.size() == 1 || !IsOfOneClip(got)) return Annotate(got, "clip " + id);
    report.Failed(id, got);
  }
  report.Sum();
  if (report.failed() == 0) return absl::OkStatus();
  return absl::DataLossError(
      fmt::format("{} of {} could not be fetched", report.failed(), Count(ids.size(), "clip")));
}

}  // namespace gleaner::cli
