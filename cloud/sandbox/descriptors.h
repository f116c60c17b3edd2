// What the two ends of a sandboxed run say to each other with: descriptors, and the pieces of an
// answer. Numbers are in the machine's byte order: both ends are the same machine.
#pragma once

#include <cstdint>

namespace gleaner::cloud::sandbox {

inline constexpr int kInputFd = 0;    // read-only, allows seeking
inline constexpr int kAnswerFd = 1;   // any number of pieces, then the end
inline constexpr int kRequestFd = 3;  // closed before anything that isn't the server's is read

// Each piece is one of these and its payload. What the kinds are is said by the programs.
struct PieceHead {
  uint32_t kind;
  uint32_t bytes;
};

}  // namespace gleaner::cloud::sandbox
