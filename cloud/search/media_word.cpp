#include "cloud/search/media_word.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace gleaner::cloud {

using v1::MediaCheck;

std::string ReasonWord(MediaCheck::Reason reason) {
  if (reason == MediaCheck::REASON_UNSPECIFIED) return "";
  const std::string& name = MediaCheck::Reason_Name(reason);
  return absl::StrReplaceAll(absl::AsciiStrToLower(absl::StripPrefix(name, "REASON_")),
                             {{"_", "-"}});
}

std::optional<MediaCheck::Reason> ReasonOf(std::string_view word) {
  for (int i = MediaCheck::Reason_MIN; i <= MediaCheck::Reason_MAX; ++i) {
    const auto reason = static_cast<MediaCheck::Reason>(i);
    if (!word.empty() && ReasonWord(reason) == word) return reason;
  }
  return std::nullopt;
}

std::string MediaWord(const MediaCheck& check) {
  if (std::string word = ReasonWord(check.reason()); !word.empty()) return word;
  switch (check.state()) {
    case MediaCheck::STATE_OK:
      return "ok";
    case MediaCheck::STATE_FAILED:
      return "failed";
    default:
      return "pending";
  }
}

}  // namespace gleaner::cloud
