// The filter language of the page, the command and the API: terms of the form key:value that must
// all hold.
//
//     device:cart-1,cart-2 -rule:motion after:2026-11-22T08:00:00Z
//
//   filter = [ term { space term } ]
//   term   = [ "-" ] ( key ":" value { "," value } | key comparison number )
//                                                       "-" negates, "," means "or"
//   comparison = "<" | "<=" | ">" | ">="
//   value  = bare | '"' any character but '"' '"'       bare has no space, comma or quote
//
//   device site rule camera      names: 1 to 63 of [a-z0-9-]; site:"" finds clips without a site
//   codec                        as FFmpeg names it: h264, hevc, mjpeg
//   after before                 when the clip fired: RFC 3339 (2026-11-22T08:00:00Z), a day
//                                (2026-11-22, from its start in UTC), or a span back from now: a
//                                whole number and s, m, h, d or w. `after` includes the moment.
//   media                        ok, failed, pending, or why: damaged-frames, undecodable, …
//                                (media_word.h); ok and failed have those in them
//   id                           20 hex digits, or the first few: every clip whose id begins so
//
// Where frames are looked for, terms about clips find the frames of those clips (camera: of that
// camera alone), and there are terms about frames:
//
//   background                   yes, no, unknown: whether a frame is what the camera sees when
//                                nothing is there
//   reason                       firing, peak, keyframe, evenly: why a frame was chosen
//   sharpness exposure clipped blocked motion
//                                compared with a number from 0 to 1: sharpness<0.2
//
// A clip with several cameras is found by each of them; -camera:x finds clips none of whose cameras
// is x. Parsing is pure; cloud/clips turns the result into SQL with bound parameters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace gleaner::cloud {

struct FilterTerm {
  enum class Key {
    kDevice,
    kSite,
    kRule,
    kCamera,
    kCodec,
    kAfter,
    kBefore,
    kMedia,
    kId,
    // Of frames.
    kBackground,
    kReason,
    kSharpness,
    kExposure,
    kClipped,
    kBlocked,
    kMotion
  };
  enum class Comparison { kNone, kLess, kLessOrEqual, kMore, kMoreOrEqual };
  Key key;
  bool negated = false;
  std::vector<std::string> values;  // any of them; after, before and what is compared have none
  int64_t unix_ns = 0;              // after and before
  Comparison comparison = Comparison::kNone;
  double number = 0;  // what is compared
};

// What is looked for.
enum class FilterOf { kClips, kFrames };

struct Filter {
  std::vector<FilterTerm> terms;
};

inline constexpr size_t kMaxFilterBytes = 4096;
inline constexpr size_t kMaxFilterTerms = 32;
inline constexpr size_t kMaxFilterValues = 64;  // a term

// `now_unix_ns` resolves spans such as after:2h. INVALID_ARGUMENT with the column (from 1, in
// bytes) and what would be right.
absl::StatusOr<Filter> ParseFilter(std::string_view text, int64_t now_unix_ns,
                                   FilterOf of = FilterOf::kClips);

}  // namespace gleaner::cloud
