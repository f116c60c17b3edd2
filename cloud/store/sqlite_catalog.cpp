#include "cloud/store/sqlite_catalog.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "absl/strings/escaping.h"
#include "cloud/store/schema.h"
#include "common/crash_point.h"
#include "common/file.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr uint64_t kWholeCheckBytes = 1ull << 30;
constexpr size_t kMaxIdleReaders = 4;
constexpr size_t kMaxBatch = 256;
constexpr uint64_t kLeaseBlock = 10'000;  // reserved with one commit

absl::Status CheckWhole(Sql& sql, const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0 && static_cast<uint64_t>(info.st_size) > kWholeCheckBytes) {
    LOG_INFO("{} is larger than {} bytes: not checked whole", path, kWholeCheckBytes);
    return absl::OkStatus();
  }
  std::string result, first;
  sql.Query("PRAGMA quick_check(1)", In(), Out(result), [&] {
    if (first.empty()) first = result;
  });
  return first == "ok" ? absl::OkStatus() : DamagedCatalog(path, first);
}

uint64_t ReadNamed(Sql& sql) {
  uint64_t named = 0;
  sql.Query("SELECT named FROM store", In(), Out(named), [] {});
  return named;
}

}  // namespace

absl::Status DamagedCatalog(const std::string& path, std::string_view what) {
  return absl::DataLossError(
      fmt::format("{} is damaged or no catalogue: {}. It is not replaced, since it alone knows "
                  "which clips were taken in. Bring a backup back: gleaner-cloud restore --help",
                  path, what));
}

SqliteCatalog::SqliteCatalog(std::string path, Clock& clock, const CatalogOptions& options)
    : path_(std::move(path)), clock_(clock), options_(options) {}

absl::StatusOr<std::unique_ptr<Catalog>> SqliteCatalog::Open(const std::string& path, Clock& clock,
                                                             const CatalogOptions& options) {
  auto catalog = std::unique_ptr<SqliteCatalog>(new SqliteCatalog(path, clock, options));
  const auto parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) RETURN_IF_ERROR(MakeDirectories(parent.string()));
  try {
    catalog->writer_ = std::make_unique<Sql>(path, Sql::Mode::kWrite);
    RETURN_IF_ERROR(CheckWhole(*catalog->writer_, path));
    RETURN_IF_ERROR(Annotate(Migrate(*catalog->writer_), path));
    catalog->writer_->Query("SELECT value FROM counter WHERE name = 'lease'", In(),
                            Out(catalog->next_lease_), [] {});
    catalog->lease_end_ = catalog->next_lease_;
    catalog->named_ = ReadNamed(*catalog->writer_);
  } catch (const soci::soci_error& error) {
    const absl::Status status = ToStatus(error);
    if (absl::IsDataLoss(status)) return DamagedCatalog(path, error.what());
    return Annotate(status, path);
  }
  // A new file's name must outlive a power cut as surely as what is in it.
  RETURN_IF_ERROR(SyncDirectory(parent.empty() ? "." : parent.string()));
  return catalog;
}

absl::Status SqliteCatalog::Write(const Operation& operation) {
  Waiting mine{.operation = &operation};
  std::unique_lock lock(write_mutex_);
  waiting_.push_back(&mine);
  while (!mine.done) {
    if (committing_) {
      written_.wait(lock);
      continue;
    }
    committing_ = true;
    std::vector<Waiting*> batch;
    if (waiting_.size() <= kMaxBatch) {
      batch.swap(waiting_);
    } else {
      batch.assign(waiting_.begin(), waiting_.begin() + kMaxBatch);
      waiting_.erase(waiting_.begin(), waiting_.begin() + kMaxBatch);
    }
    lock.unlock();
    CommitTogether(batch);
    lock.lock();
    for (Waiting* one : batch) one->done = true;
    committing_ = false;
    written_.notify_all();
  }
  return mine.result;
}

void SqliteCatalog::CommitTogether(const std::vector<Waiting*>& batch) {
  if (!broken_.ok()) {
    for (Waiting* one : batch) one->result = broken_;
    return;
  }
  try {
    writer_->Begin();
    for (Waiting* one : batch) one->result = (*one->operation)(*writer_);
    GLEANER_CRASH_POINT("catalog.before_commit");
    const uint64_t named = options_.on_named ? ReadNamed(*writer_) : 0;
    writer_->Commit();
    GLEANER_CRASH_POINT("catalog.after_commit");
    if (named > named_) options_.on_named(named_ = named);
    return;
  } catch (const soci::soci_error& error) {
    for (Waiting* one : batch) one->result = ToStatus(error);
    if (IsIoError(error)) {
      broken_ = absl::InternalError(
          fmt::format("{} had an I/O error and takes no more changes until a restart: {}", path_,
                      error.what()));
      is_broken_ = true;
      LOG_ERROR("{}", Message(broken_));
    }
  }
  try {
    writer_->Rollback();
  } catch (const soci::soci_error&) {
    // SQLite has rolled back by itself where the error was grave enough.
  }
  // One bad change must not fail the others: each for itself, then.
  if (batch.size() == 1 || !broken_.ok()) return;
  for (Waiting* one : batch) CommitTogether({one});
}

std::unique_ptr<Sql> SqliteCatalog::TakeReader() {
  {
    std::lock_guard lock(readers_mutex_);
    if (!readers_.empty()) {
      std::unique_ptr<Sql> reader = std::move(readers_.back());
      readers_.pop_back();
      return reader;
    }
  }
  return std::make_unique<Sql>(path_, Sql::Mode::kRead);
}

void SqliteCatalog::GiveReader(std::unique_ptr<Sql> reader) {
  std::lock_guard lock(readers_mutex_);
  if (readers_.size() < kMaxIdleReaders) readers_.push_back(std::move(reader));
}

absl::StatusOr<uint64_t> SqliteCatalog::NextLease() {
  // No lease for an upload that could never begin.
  if (is_broken_) return absl::InternalError("the catalogue takes no changes until a restart");
  std::lock_guard lock(lease_mutex_);
  if (next_lease_ == lease_end_) {
    const uint64_t end = lease_end_ + kLeaseBlock;
    RETURN_IF_ERROR(Write([&](Sql& sql) {
      sql.Run(
          "INSERT INTO counter (name, value) VALUES ('lease', :value) "
          "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
          In(end));
      return absl::OkStatus();
    }));
    lease_end_ = end;
  }
  return next_lease_++;
}

absl::Status SqliteCatalog::Check() {
  const int64_t now = clock_.WallNs();
  return Write([&](Sql& sql) {
    sql.Run(
        "INSERT INTO counter (name, value) VALUES ('check', :value) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        In(now));
    return absl::OkStatus();
  });
}

void SqliteCatalog::OnClip(std::function<void(const std::string& device)> callback) {
  std::lock_guard lock(callbacks_mutex_);
  callbacks_.push_back(std::move(callback));
}

std::string Unhex(std::string_view hex) { return absl::HexStringToBytes({hex.data(), hex.size()}); }

Sha256Digest DigestFromHex(std::string_view hex) {
  const std::string bytes = Unhex(hex);
  Sha256Digest digest{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), digest.size()), digest.begin());
  return digest;
}

void Tally(Sql& sql, std::string_view dimension, std::string_view value, int64_t clips,
           int64_t bytes) {
  sql.Run(
      "INSERT INTO tally (dimension, value, clips, bytes) VALUES (:dimension, :value, :clips, "
      ":bytes) ON CONFLICT (dimension, value) DO UPDATE SET clips = tally.clips + excluded.clips, "
      "bytes = tally.bytes + excluded.bytes",
      In(dimension, value, clips, bytes));
}

uint64_t ReadTally(Sql& sql, std::string_view dimension, std::string_view value, uint64_t* bytes) {
  uint64_t count = 0, size = 0;
  sql.Query("SELECT clips, bytes FROM tally WHERE dimension = :dimension AND value = :value",
            In(dimension, value), Out(count, size), [] {});
  if (bytes != nullptr) *bytes = size;
  return count;
}

absl::StatusOr<std::unique_ptr<Catalog>> OpenSqliteCatalog(const std::string& path, Clock& clock,
                                                           const CatalogOptions& options) {
  return SqliteCatalog::Open(path, clock, options);
}

}  // namespace gleaner::cloud
