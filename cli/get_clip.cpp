#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <functional>

#include "cli/commands.h"
#include "cli/text.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/limits.h"
#include "common/status.h"
#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cli {
namespace {

struct Wanted {
  std::string path;  // on the server
  std::string name;  // here
  uint64_t size_bytes;
  std::string sha256;
};

// Names come from what a file is, never from the manifest's text.
std::vector<Wanted> ObjectsOf(const std::string& id, const v1::ClipManifest& manifest) {
  std::vector<Wanted> wanted;
  int videos = 0;
  for (const v1::ClipObject& object : manifest.objects()) {
    std::string path, name;
    switch (object.kind()) {
      case v1::ClipObject::KIND_PREVIEW:
        path = "preview";
        name = "preview.jpg";
        break;
      case v1::ClipObject::KIND_SAMPLES:
        path = "samples";
        name = "samples.pb";
        break;
      case v1::ClipObject::KIND_VIDEO:
        path = fmt::format("video/{}", videos);
        name = videos == 0 ? "video.mp4" : fmt::format("video-{}.mp4", videos);
        ++videos;
        break;
      default:
        continue;
    }
    wanted.push_back(
        {fmt::format("/media/{}/{}", id, path), name, object.size_bytes(), object.sha256()});
  }
  return wanted;
}

void Draw(const std::string& name, uint64_t done, uint64_t total) {
  const int percent = total == 0 ? 100 : static_cast<int>(done * 100 / total);
  fmt::print(stderr, "\r\033[K{:<14} {:>3} %  {} of {}", name, percent, HumanBytes(done),
             HumanBytes(total));
  std::fflush(stderr);
}

// Into `path`.part first, so that a file with its name is always whole and right.
absl::Status Download(Client& client, const Wanted& file, const std::string& path, bool progress) {
  const std::string partial = path + ".part";
  ASSIGN_OR_RETURN(const Fd out, OpenFile(partial, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  Sha256 hash;
  uint64_t done = 0;
  int drawn_percent = -1;
  absl::Status written;
  const absl::Status got = client.Get(file.path, [&](const char* data, size_t size) {
    if (done + size > file.size_bytes) {
      written = absl::DataLossError(fmt::format("{} is longer than its manifest says", file.name));
      return false;
    }
    hash.Update(data, size);
    written = WriteAt(out.get(), data, size, done);
    done += size;
    const int percent = static_cast<int>(done * 100 / file.size_bytes);
    if (progress && percent != drawn_percent) Draw(file.name, done, file.size_bytes);
    drawn_percent = percent;
    return written.ok();
  });
  if (progress) fmt::print(stderr, "\r\033[K");
  absl::Status status = written.ok() ? got : written;
  if (status.ok() && AsBytes(hash.Finish()) != file.sha256) {
    status = absl::DataLossError(fmt::format(
        "{} has another SHA-256 than its manifest says: it was changed on the way or in the store",
        file.name));
  }
  if (status.ok() && ::rename(partial.c_str(), path.c_str()) != 0) {
    status = ErrnoStatus(errno, fmt::format("rename {}", partial));
  }
  if (!status.ok()) {
    ::unlink(partial.c_str());
    return status;
  }
  fmt::print("{:<14} {:>10}  sha256 {}  ok\n", file.name, HumanBytes(done), Hex(file.sha256));
  return absl::OkStatus();
}

}  // namespace

absl::Status GetClip(Client& client, const std::string& id, const std::string& directory,
                     bool progress) {
  v1::GetClipRequest request;
  request.set_id(id);
  v1::GetClipResponse clip;
  RETURN_IF_ERROR(client.Call("GetClip", request, &clip));
  // The id as the server knows it; it becomes a folder's name.
  if (clip.summary().id() != id || id.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is not a clip's id; `gleaner clips list` shows them", Printable(id)));
  }
  const std::string folder = directory + "/" + id;
  RETURN_IF_ERROR(MakeDirectories(folder, 0755));

  // The manifest's own bytes are what its digest and every other digest hang on: they are parsed
  // here, not taken from the answer above.
  std::string bytes;
  RETURN_IF_ERROR(
      client.Get(fmt::format("/media/{}/manifest", id), [&](const char* data, size_t size) {
        bytes.append(data, size);
        return bytes.size() <= kMaxManifestBytes;
      }));
  if (AsBytes(Sha256::Of(bytes)) != clip.manifest_sha256()) {
    return absl::DataLossError("the manifest has another SHA-256 than the catalogue says");
  }
  v1::ClipManifest manifest;
  if (!manifest.ParseFromString(bytes)) {
    return absl::DataLossError("the manifest can't be parsed");
  }
  RETURN_IF_ERROR(WriteFileDurably(folder + "/manifest.pb", bytes, 0644));
  fmt::print("{:<14} {:>10}  sha256 {}  ok\n", "manifest.pb", HumanBytes(bytes.size()),
             Hex(clip.manifest_sha256()));
  for (const Wanted& file : ObjectsOf(id, manifest)) {
    RETURN_IF_ERROR(Download(client, file, folder + "/" + file.name, progress));
  }
  fmt::print("{}\n", folder);
  return absl::OkStatus();
}

}  // namespace gleaner::cli
