#include "cli/clip_id.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/clip_key.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/text.h"
#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cli {
namespace {

constexpr uint32_t kMaxCandidates = 10;

bool BeginsAnId(const std::string& text) {
  return !text.empty() && text.size() <= kClipIdDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

absl::StatusOr<std::string> FindClipId(Client& client, const std::string& text) {
  std::string id = text;
  std::transform(id.begin(), id.end(), id.begin(), [](unsigned char c) { return std::tolower(c); });
  if (!BeginsAnId(id)) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is not a clip's id, nor how one begins: an id has {} hex digits. "
                    "`gleaner clips list` shows them",
                    Printable(text), kClipIdDigits));
  }
  if (id.size() == kClipIdDigits) return id;
  v1::ListClipsRequest request;
  request.set_filter("id:" + id);
  request.set_page_size(kMaxCandidates);
  v1::ListClipsResponse found;
  RETURN_IF_ERROR(client.Call("CatalogService/ListClips", request, &found));
  if (found.clips().empty()) {
    return absl::NotFoundError(fmt::format(
        "there is no clip whose id begins with {}; `gleaner clips list` shows those there are",
        id));
  }
  if (found.clips_size() == 1) return found.clips(0).id();
  std::string candidates;
  for (const v1::ClipSummary& clip : found.clips()) {
    candidates +=
        fmt::format("\n  {}  {}  {}  {}", Printable(clip.id()), LocalTime(clip.fired_unix_ns()),
                    Printable(clip.device()), Printable(clip.rule()));
  }
  const uint32_t all = std::max<uint32_t>(found.total(), static_cast<uint32_t>(found.clips_size()));
  if (all > kMaxCandidates) candidates += fmt::format("\n  and {} more", all - kMaxCandidates);
  return absl::FailedPreconditionError(fmt::format(
      "the ids of {} begin with {}; write more of it:{}", Count(all, "clip"), id, candidates));
}

}  // namespace gleaner::cli
