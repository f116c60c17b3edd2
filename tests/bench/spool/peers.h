// Other ways to make 1 MiB durable, as short as each of them can honestly be.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace gleaner::bench {

// Several threads may store at once.
class Peer {
 public:
  virtual ~Peer() = default;
  // The bytes are on stable storage on return. Timed. `slot`: which clip of the round it is.
  virtual void Store(size_t slot, std::span<const uint8_t> clip) = 0;
  // Forgets a round's clips. Not timed, as our own Release isn't.
  virtual void Recycle() = 0;
};

// A file of `rounds` × `clips`, fallocated at the start and written in place, fdatasync after each
// clip. Every round writes a part of it that has not been written before; with one round's room,
// all rounds overwrite the same blocks.
std::unique_ptr<Peer> InPlace(const std::string& path, size_t rounds, size_t clips,
                              size_t clip_bytes);
// A row with a blob: SQLite, WAL, synchronous=FULL.
std::unique_ptr<Peer> SqliteBlob(const std::string& directory);
// A file a clip: write, fsync, rename, fsync of the directory.
std::unique_ptr<Peer> FileRenameFsync(const std::string& directory);

}  // namespace gleaner::bench
