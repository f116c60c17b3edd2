#include "tests/bench/spool/peers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <stdexcept>

#include "SQLiteCpp/SQLiteCpp.h"
#include "common/file.h"

namespace gleaner::bench {
namespace {

void Must(const absl::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

void Must(int result, const char* what) {
  if (result != 0) throw std::runtime_error(what);
}

class InPlaceFile : public Peer {
 public:
  InPlaceFile(const std::string& path, size_t rounds, size_t clips, size_t clip_bytes)
      : rounds_(rounds), clips_(clips), clip_bytes_(clip_bytes) {
    auto fd = OpenFile(path, O_RDWR | O_CREAT);
    Must(fd.status());
    fd_ = *std::move(fd);
    Must(::posix_fallocate(fd_.get(), 0, static_cast<off_t>(rounds * clips * clip_bytes)),
         "fallocate");
    Must(::fsync(fd_.get()), "fsync");
  }
  void Store(size_t slot, std::span<const uint8_t> clip) override {
    Must(WriteAt(fd_.get(), clip.data(), clip.size(), (round_ * clips_ + slot) * clip_bytes_));
    Must(::fdatasync(fd_.get()), "fdatasync");
  }
  void Recycle() override { round_ = (round_ + 1) % rounds_; }

 private:
  const size_t rounds_, clips_, clip_bytes_;
  size_t round_ = 0;
  Fd fd_;
};

class Blob : public Peer {
 public:
  explicit Blob(const std::string& directory)
      : db_(directory + "/blob.db", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {
    db_.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "CREATE TABLE clip(id INTEGER PRIMARY KEY, bytes BLOB)");
    insert_ = std::make_unique<SQLite::Statement>(db_, "INSERT INTO clip(bytes) VALUES(?)");
  }
  void Store(size_t, std::span<const uint8_t> clip) override {
    std::lock_guard lock(mutex_);
    insert_->reset();
    insert_->bindNoCopy(1, clip.data(), static_cast<int>(clip.size()));
    insert_->exec();
  }
  void Recycle() override { db_.exec("DELETE FROM clip"); }

 private:
  SQLite::Database db_;
  std::mutex mutex_;
  std::unique_ptr<SQLite::Statement> insert_;
};

class Files : public Peer {
 public:
  explicit Files(std::string directory) : directory_(std::move(directory)) {}
  void Store(size_t slot, std::span<const uint8_t> clip) override {
    Must(WriteFileDurably(Path(slot), {reinterpret_cast<const char*>(clip.data()), clip.size()}));
    most_ = std::max(most_.load(), slot + 1);
  }
  void Recycle() override {
    for (size_t slot = 0; slot < most_; ++slot) ::unlink(Path(slot).c_str());
  }

 private:
  std::string Path(size_t slot) const { return fmt::format("{}/clip-{}", directory_, slot); }
  const std::string directory_;
  std::atomic<size_t> most_ = 0;
};

}  // namespace

std::unique_ptr<Peer> InPlace(const std::string& path, size_t rounds, size_t clips,
                              size_t clip_bytes) {
  return std::make_unique<InPlaceFile>(path, rounds, clips, clip_bytes);
}
std::unique_ptr<Peer> SqliteBlob(const std::string& directory) {
  return std::make_unique<Blob>(directory);
}
std::unique_ptr<Peer> FileRenameFsync(const std::string& directory) {
  return std::make_unique<Files>(directory);
}

}  // namespace gleaner::bench
