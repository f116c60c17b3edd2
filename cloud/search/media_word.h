// What a media check found, in one word: the same in the filter language, in metrics and in logs.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cloud {

// "damaged-frames" for REASON_DAMAGED_FRAMES and so on; empty for REASON_UNSPECIFIED and for one
// that this program doesn't know.
std::string ReasonWord(v1::MediaCheck::Reason reason);
// The other way round; nullopt if no reason has that word.
std::optional<v1::MediaCheck::Reason> ReasonOf(std::string_view word);

// Of the whole check: its reason, else "ok", "failed" or "pending".
std::string MediaWord(const v1::MediaCheck& check);

}  // namespace gleaner::cloud
