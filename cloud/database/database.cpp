#include "cloud/database/database.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "absl/strings/str_split.h"
#include "cloud/database/postgres.h"
#include "cloud/database/read_bound.h"
#include "cloud/database/sqlite.h"
#include "cloud/database/tally.h"
#include "common/clock.h"
#include "common/crash_point.h"
#include "common/file.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr uint64_t kWholeCheckBytes = 1ull << 30;
constexpr size_t kMaxIdleReaders = 4;
constexpr size_t kMaxReaders = 32;
// Of those, for what reads under a ReadBound.
constexpr size_t kMaxBoundReaders = 20;
// Longer than any read takes that is bounded as it should be.
constexpr std::chrono::seconds kReaderWait{10};
constexpr size_t kMaxBatch = 256;
// Tries of a change that another server's transaction was in the way of.
constexpr int kTries = 3;
constexpr size_t kMaxPieceBytes = 7'900;
constexpr int64_t kHearAgainNs = 2 * kNanosPerSecond;

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
  return first == "ok" ? absl::OkStatus() : DamagedDatabase(path, first);
}

// What is told by one transaction, "topic text" a line, in as few pieces as PostgreSQL's 8,000
// bytes allow.
std::vector<std::string> InLines(const std::vector<Announcement>& announced) {
  std::vector<std::string> pieces;
  std::set<std::string> known;  // said twice is heard once
  for (const Announcement& one : announced) {
    const std::string line = one.topic + " " + one.text;
    if (!known.insert(line).second) continue;
    if (pieces.empty() || pieces.back().size() + line.size() + 1 > kMaxPieceBytes) {
      pieces.push_back(line);
    } else {
      pieces.back() += "\n" + line;
    }
  }
  return pieces;
}

}  // namespace

absl::Status DamagedDatabase(const std::string& path, std::string_view what) {
  return absl::DataLossError(
      fmt::format("{} is damaged or no catalog: {}. It is not replaced, since it alone knows "
                  "which clips were taken in. Bring a backup back: gleaner-cloud restore --help",
                  path, what));
}

Database::Database(const std::string& name, std::span<const RoomTables> rooms, CommitHook hook)
    : name_(name),
      shown_(IsPostgres(name) ? WithoutPassword(name) : name),
      postgres_(IsPostgres(name)),
      rooms_(rooms.begin(), rooms.end()),
      hook_(std::move(hook)) {}

Database::~Database() = default;

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& name,
                                                         std::span<const RoomTables> rooms,
                                                         CommitHook hook) {
  auto database = std::unique_ptr<Database>(new Database(name, rooms, std::move(hook)));
  const auto parent = std::filesystem::path(name).parent_path();
  if (!database->postgres_ && !parent.empty()) RETURN_IF_ERROR(MakeDirectories(parent.string()));
  try {
    database->writer_ = database->Connect(/*writes=*/true);
    if (!database->postgres_) RETURN_IF_ERROR(CheckWhole(*database->writer_, name));
    RETURN_IF_ERROR(Annotate(Migrate(*database->writer_, rooms), database->shown_));
  } catch (const SqlError& error) {
    if (error.kind() == SqlError::Kind::kDamaged) return DamagedDatabase(name, error.what());
    return Annotate(ToStatus(error), database->shown_);
  }
  if (!database->postgres_) {
    // A new file's name must outlive a power cut as surely as what is in it.
    RETURN_IF_ERROR(SyncDirectory(parent.empty() ? "." : parent.string()));
  }
  return database;
}

std::unique_ptr<Sql> Database::Connect(bool writes) const {
  return std::make_unique<Sql>(
      postgres_ ? ConnectPostgres(name_)
                : ConnectSqlite(name_, writes ? SqliteMode::kWrite : SqliteMode::kRead));
}

// The first caller who finds nobody committing does so for all who wait by then.
absl::Status Database::Write(const Operation& operation) {
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

void Database::CommitTogether(const std::vector<Waiting*>& batch) {
  for (int tries = 1;; ++tries) {
    if (!broken_.ok()) {
      for (Waiting* one : batch) one->result = broken_;
      return;
    }
    try {
      if (writer_ == nullptr) writer_ = Connect(/*writes=*/true);
      CommitOnce(batch);
      return;
    } catch (const SqlError& error) {
      for (Waiting* one : batch) one->result = ToStatus(error);
      NoteFailure(error);
      if (writer_ == nullptr) return;
      if (error.kind() != SqlError::Kind::kConflict || tries == kTries) break;
    }
  }
  // One bad change must not fail the others: each for itself, then.
  if (batch.size() == 1) return;
  for (Waiting* one : batch) CommitTogether({one});
}

void Database::CommitOnce(const std::vector<Waiting*>& batch) {
  writer_->connection().BeginWriting();
  for (Waiting* one : batch) one->result = (*one->operation)(*writer_);
  GLEANER_CRASH_POINT("catalog.before_commit");
  const uint64_t answer = hook_.before ? hook_.before(*writer_) : 0;
  const std::vector<std::string> announced = InLines(writer_->TakeAnnounced());
  bool heard = true;  // by way of the database
  for (const std::string& lines : announced) heard = writer_->connection().Notify(lines);
  writer_->connection().Commit();
  GLEANER_CRASH_POINT("catalog.after_commit");
  if (hook_.after) hook_.after(answer);
  if (heard) return;
  for (const std::string& lines : announced) Tell(lines);
}

void Database::NoteFailure(const SqlError& error) {
  if (error.kind() == SqlError::Kind::kDisk) {
    broken_ = absl::InternalError(fmt::format(
        "{} had an I/O error and takes no more changes until a restart: {}", shown_, error.what()));
    LOG_ERROR("{}", Message(broken_));
  }
  if (writer_ != nullptr) {
    writer_->connection().Rollback();
    writer_->TakeAnnounced();
  }
  if (error.kind() == SqlError::Kind::kLost) writer_.reset();
}

void Database::Listen(const std::string& topic, Heard heard) {
  std::lock_guard lock(listeners_mutex_);
  listeners_.emplace_back(topic, std::move(heard));
  if (postgres_ && !ear_.joinable()) {
    ear_ = std::jthread([this](const std::stop_token& stop) { HearOthers(stop); });
  }
}

void Database::Tell(std::string_view lines) {
  std::vector<std::pair<std::string, Heard>> listeners;
  {
    std::lock_guard lock(listeners_mutex_);
    listeners = listeners_;
  }
  for (const auto line : absl::StrSplit(absl::string_view(lines.data(), lines.size()), '\n')) {
    const auto [topic, text] =
        std::pair<std::string, std::string>(absl::StrSplit(line, absl::MaxSplits(' ', 1)));
    for (const auto& [wanted, heard] : listeners) {
      if (topic.empty() || topic == wanted) heard(text);
    }
  }
}

// PostgreSQL tells us of what we announce ourselves as well.
void Database::HearOthers(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    try {
      ListenOnPostgres(
          name_, stop, [this] { Tell(""); }, [this](const std::string& lines) { Tell(lines); });
    } catch (const SqlError& error) {
      LOG_WARN("{}: what other servers do is not heard of: {}", shown_, error.what());
      RealClock().Sleep(stop, kHearAgainNs);
    }
  }
}

std::unique_ptr<Sql> Database::TakeReader() {
  const ReadBound* bound = ReadBound::Current();
  {
    std::unique_lock lock(readers_mutex_);
    const auto until =
        std::min(ReadBound::Clock::now() + kReaderWait,
                 bound != nullptr ? bound->until() : ReadBound::Clock::time_point::max());
    const size_t most = bound != nullptr ? kMaxBoundReaders : kMaxReaders;
    if (!reader_back_.wait_until(lock, until, [&] { return readers_out_ < most; })) {
      throw SqlError(SqlError::Kind::kBusy, "everybody who reads is still at it");
    }
    ++readers_out_;
    if (!readers_.empty()) {
      std::unique_ptr<Sql> reader = std::move(readers_.back());
      readers_.pop_back();
      return reader;
    }
  }
  try {
    return Connect(/*writes=*/false);
  } catch (const SqlError&) {
    DropReader();
    throw;
  }
}

void Database::GiveReader(std::unique_ptr<Sql> reader) {
  std::lock_guard lock(readers_mutex_);
  --readers_out_;
  if (readers_.size() < kMaxIdleReaders) readers_.push_back(std::move(reader));
  reader_back_.notify_all();  // not everybody who waits may have it
}

void Database::DropReader() {
  std::lock_guard lock(readers_mutex_);
  --readers_out_;
  // What broke one may have broken those that idle: a server that was restarted.
  readers_.clear();
  reader_back_.notify_all();
}

absl::Status Database::Check() {
  RETURN_IF_ERROR(Write([&](Sql& sql) {
    CountUp(sql, "check", 1);
    return absl::OkStatus();
  }));
  return Read([](Sql&) { return absl::OkStatus(); });
}

}  // namespace gleaner::cloud
