// Train, validation and test, sealed when a frame arrives.
//
// Frames that show the same moment belong together: those of clips that one device took at one site
// within ten minutes are a group, and a group is in one split, for each schema in one of its own.
// Which one is said by HMAC-SHA256 over schema and group with a key that the catalog keeps: so no
// filter, label, seed or person decides it, and nothing that is done later can move a frame. The
// key is made once, of the identity of the catalog's store, which lies beside the objects: so a
// catalog that is recovered from those has the same splits.
//
// What a camera sees goes on across the ten minutes. A frame that looks like one of the same camera
// in a neighbouring group (their perceptual hashes differ in few bits) is tied to that group as it
// arrives; where the two groups are in different splits of a schema, the frame that came later is
// left out of datasets of that schema, and counted. The one that was there stays where it was.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/database/sql.h"
#include "cloud/frames/frame_facts.h"

namespace gleaner::cloud {

enum class Split { kTrain, kValidation, kTest };
inline constexpr std::array<std::string_view, 3> kSplitWords = {"train", "validation", "test"};
inline std::string_view SplitWord(Split split) { return kSplitWords[static_cast<size_t>(split)]; }

inline constexpr int64_t kSplitBlockNs = 600'000'000'000;
// So many of the hash's 64 bits may differ where two frames look alike.
inline constexpr int kAlikeBits = 8;
// 8 of 10 groups are for training, one each for validation and test.
inline constexpr double kTrainShare = 0.8, kValidationShare = 0.1;

// "cart-1/store-7/2833333": the device, the site, and which ten minutes since 1970 the clip fired
// in.
std::string GroupOf(std::string_view device, std::string_view site, int64_t fired_ns);
// In front of what HMAC is made of.
inline constexpr std::string_view kSplitLabel = "gleaner.split.v1";
Split SplitOf(std::string_view key, std::string_view schema, std::string_view group);

// --- within a transaction; may throw SqlError

// The catalog's key, 32 bytes; made by the first writing transaction that asks. Empty where a
// reading one asks before that.
std::string ReadSplitKey(Sql& sql);
std::string MakeSplitKey(Sql& sql);
// What signs URLs, which nothing else knows; empty where nothing was ever signed. Make: makes it
// where there is none.
std::string ReadUrlSecret(Sql& sql);
std::string MakeUrlSecret(Sql& sql);

// Frames that were sealed before stay as they are.
void SealFrames(Sql& sql, const std::vector<FrameFacts>& frames);

struct Seal {
  std::string group;              // empty where it isn't sealed
  std::vector<std::string> ties;  // other groups with a frame that looks like it
};
Seal ReadSeal(Sql& sql, const FrameName& frame);

}  // namespace gleaner::cloud
