// Whether a text can be a clip's id (clip_key.h says how one is made).
#pragma once

#include <string_view>

#include "common/clip_key.h"

namespace gleaner {

inline bool IsClipId(std::string_view text) {
  return text.size() == kClipIdDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace gleaner
