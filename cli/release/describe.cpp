#include "cli/release/describe.h"

#include <fmt/format.h>

#include "cli/json.h"
#include "common/clock.h"
#include "common/status.h"
#include "common/table.h"
#include "common/text.h"

namespace gleaner::cli {
namespace {

// "1 of 2", and for a root with other keys than before "1 of 2, and 0 of 2 of the root before".
std::string SignaturesText(const tuf::Repository::Waiting& draft) {
  std::string text = fmt::format("{} of {}", draft.signatures, draft.wanted);
  if (draft.wanted_of_before > 0) {
    text += fmt::format(", {} of {} of the root before", draft.signatures_of_before,
                        draft.wanted_of_before);
  }
  return text;
}

}  // namespace

std::string ExpiryText(int64_t unix_s) { return LocalTime(unix_s * kNanosPerSecond); }

absl::Status CheckSpan(const char* option, uint32_t value, uint32_t most) {
  if (value >= 1 && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} can't be {}: it is from 1 to {}", option, value, most));
}

absl::Status PrintDrafts(const tuf::Repository& repository, bool json) {
  ASSIGN_OR_RETURN(const auto drafts, repository.Drafts());
  if (json) {
    nlohmann::ordered_json all{{"drafts", nlohmann::ordered_json::array()}};
    for (const auto& draft : drafts) {
      all["drafts"].push_back({{"role", NameOf(draft.role)},
                               {"version", draft.version},
                               {"signatures", draft.signatures},
                               {"threshold", draft.wanted},
                               {"signaturesOfRootBefore", draft.signatures_of_before},
                               {"thresholdOfRootBefore", draft.wanted_of_before},
                               {"complete", draft.complete()}});
    }
    PrintJson(all);
    return absl::OkStatus();
  }
  Table table({{"DRAFT"}, {"VERSION", true}, {"SIGNATURES"}, {"NEXT"}});
  for (const auto& draft : drafts) {
    table.Add({std::string(NameOf(draft.role)), std::to_string(draft.version),
               SignaturesText(draft),
               draft.complete() ? "gleaner release refresh" : "gleaner release sign"});
  }
  fmt::print("{}", table.empty() ? "No drafts.\n" : table.Render());
  return absl::OkStatus();
}

}  // namespace gleaner::cli
