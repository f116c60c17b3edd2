// How large signed metadata may be. Both ends keep to these: what a repository here publishes, a
// device reads, and what is larger is refused before it is parsed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gleaner::tuf {

inline constexpr size_t kMaxRootBytes = 512'000;
inline constexpr size_t kMaxTimestampBytes = 16'384;
inline constexpr size_t kMaxSnapshotBytes = 64 * 1024;
inline constexpr size_t kMaxTargetsBytes = 1 << 20;

// Of a document, whichever it is: what parsing it may cost in memory follows from these.
inline constexpr size_t kMaxDepth = 32;
inline constexpr size_t kMaxValues = 100'000;
// Whole numbers up to here are the same in every reader; JavaScript's would round larger ones.
inline constexpr int64_t kMaxNumber = (int64_t{1} << 53) - 1;

inline constexpr size_t kMaxKeys = 64;
inline constexpr size_t kMaxSignatures = 64;
inline constexpr size_t kMaxMetaFiles = 1'024;  // that a snapshot speaks of
inline constexpr size_t kMaxTargets = 4'096;
inline constexpr size_t kMaxTargetPathBytes = 512;
inline constexpr size_t kMaxCustomBytes = 64 * 1024;  // what a target says of itself
inline constexpr uint64_t kMaxTargetBytes = 4ull << 30;

// Roots that one refresh walks through; the next goes on.
inline constexpr int kMaxRootRotations = 256;

}  // namespace gleaner::tuf
