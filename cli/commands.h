// What `gleaner` can do. Each command prints to standard output and returns an error that is a
// sentence for people: INVALID_ARGUMENT if what was asked can't be right.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/client.h"

namespace gleaner::cli {

absl::Status ShowSummary(Client& client, bool json);

// Every device in a line, and what is wrong with it, each fault once.
absl::Status ListDevices(Client& client, bool json);
// One device whole. NOT_FOUND for an unknown name.
absl::Status ShowDevice(Client& client, const std::string& name, bool json);

struct ListClipsOptions {
  std::string filter;
  uint32_t limit = 20;  // 0 = all
  bool json = false;
};
absl::Status ListClips(Client& client, const ListClipsOptions& options);

// `id` may be the beginning of one, as in GetClips.
absl::Status ShowClip(Client& client, const std::string& id, bool json);

struct GetClipsOptions {
  std::vector<std::string> ids;  // or their beginnings
  std::string filter;            // without ids: all clips that match it
  uint32_t limit = 0;            // of those, the newest so many; 0 = all
  std::string directory = ".";
  bool overwrite = false;  // files that are there and are something else
  bool progress = false;   // draw it on standard error
  bool json = false;
};
// Fetches clips into `directory`/<clip id>/: each camera's video under the camera's name, preview
// and samples, and the manifest, as it came (manifest.pb) and as JSON. Each SHA-256 is checked, and
// a file gets its name only once it is right. What an earlier call has fetched is not fetched
// again. A clip that can't be had whole doesn't keep the others from being fetched.
absl::Status GetClips(Client& client, const GetClipsOptions& options);

struct ListFramesOptions {
  std::string clip;    // its id, or the beginning of it; empty: of all clips
  std::string filter;  // of frames
  uint32_t limit = 0;  // 0 = all
  bool json = false;
};
// A clip's frames in the order of their times, or all clips', newest first.
absl::Status ListFrames(Client& client, const ListFramesOptions& options);

struct GetFramesOptions {
  ListFramesOptions which;
  std::string directory = ".";
  bool thumbnails = false;  // instead of pictures at full size
  bool overwrite = false;   // files that are there and are something else
};
// Fetches pictures into `directory`/<clip id>/<camera>-<pts>.jpg. One that can't be had doesn't
// keep the others from being fetched.
absl::Status GetFrames(Client& client, const GetFramesOptions& options);

// Every word that filters know, with an example of each.
absl::Status ListFilterWords(Client& client, bool json);

struct CountFramesOptions {
  std::string filter;             // of frames
  std::vector<std::string> keys;  // only by these words; empty: by all
  bool json = false;
};
// How many of the frames that the filter finds have each value of each word.
absl::Status CountFrames(Client& client, const CountFramesOptions& options);

struct SimilarOptions {
  std::string frame;   // CLIP/CAMERA/PTS; of the clip's id its beginning is enough
  std::string model;   // empty: the one that has seen most frames
  std::string filter;  // of frames
  uint32_t limit = 20;
  bool distinct = false;  // one frame of each cluster of near-duplicates
  bool json = false;
};
// The frames that are most like a frame, the most similar first.
absl::Status ShowSimilar(Client& client, const SimilarOptions& options);

struct ListJobsOptions {
  std::vector<std::string> kinds;
  std::vector<std::string> states;  // waiting, running, done, failed, cancelled
  std::string subject;
  uint32_t limit = 20;  // 0 = all
  bool json = false;
};
// Background work, newest first.
absl::Status ListJobs(Client& client, const ListJobsOptions& options);
absl::Status ShowJob(Client& client, uint64_t number, bool json);
// One that waits is cancelled at once, one that runs when it has ended.
absl::Status CancelJob(Client& client, uint64_t number, bool json);
// What failed or was cancelled waits again.
absl::Status RetryJob(Client& client, uint64_t number, bool json);

// Every token, newest first, also those that were revoked.
absl::Status ListTokens(Client& client, bool json);
// Makes one and prints its secret, alone on its line. `role`: viewer, annotator, operator or admin.
absl::Status CreateToken(Client& client, const std::string& name, const std::string& role,
                         bool json);
absl::Status RevokeToken(Client& client, const std::string& name, bool json);

// Who changed what, newest first; `limit`: how many at most, 0 for all.
absl::Status ShowAudit(Client& client, uint32_t limit, bool json);

}  // namespace gleaner::cli
