#include "cloud/store/store_mark.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <string_view>
#include <vector>

#include "absl/strings/str_split.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr std::string_view kTitle = "gleaner blob store ";
constexpr size_t kMaxBytes = 4096;
constexpr int64_t kSyncEveryNs = kNanosPerSecond;

std::string Format(const StoreIdentity& identity) {
  return fmt::format("{}{}\nid {}\nhistory {}\nnamed {:020}\n", kTitle, kBlobLayout, identity.id,
                     identity.history, identity.named);
}

// Where the number begins: what comes before it has always the same length.
uint64_t NamedAt() {
  return Format({.id = std::string(32, '0'), .history = std::string(32, '0')}).size() - 21;
}

// The rest of `line` if it begins with `prefix`.
std::optional<std::string_view> After(std::string_view line, std::string_view prefix) {
  if (!line.starts_with(prefix)) return std::nullopt;
  return line.substr(prefix.size());
}

std::optional<uint64_t> Number(std::optional<std::string_view> text) {
  uint64_t number = 0;
  if (!text) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return number;
}

bool IsId(std::optional<std::string_view> text) {
  return text && text->size() == 32 &&
         text->find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string StoreMarkPath(const std::string& blobs) { return blobs + "/store"; }

absl::StatusOr<std::optional<StoreIdentity>> ReadStoreMark(const std::string& blobs) {
  const std::string path = StoreMarkPath(blobs);
  const auto text = ReadFile(path, kMaxBytes);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  RETURN_IF_ERROR(text.status());
  const std::vector<std::string> lines = absl::StrSplit(*text, '\n');
  const auto layout = Number(After(lines[0], kTitle));
  if (layout && *layout > kBlobLayout) {
    return absl::FailedPreconditionError(
        fmt::format("{} has layout {}, this program knows up to {}: a newer gleaner-cloud wrote "
                    "it; run that one",
                    blobs, *layout, kBlobLayout));
  }
  if (layout == kBlobLayout && lines.size() == 5) {
    const auto id = After(lines[1], "id "), history = After(lines[2], "history ");
    const auto named = Number(After(lines[3], "named "));
    if (IsId(id) && IsId(history) && named) {
      return StoreIdentity{
          .id = std::string(*id), .history = std::string(*history), .named = *named};
    }
  }
  return absl::DataLossError(fmt::format(
      "{} is damaged: it says which store the blobs beside it belong to. Bring a backup "
      "back: gleaner-cloud restore --help",
      path));
}

absl::Status WriteStoreMark(const std::string& blobs, const StoreIdentity& identity) {
  return WriteFileDurably(StoreMarkPath(blobs), Format(identity));
}

absl::StatusOr<std::unique_ptr<StoreWitness>> StoreWitness::Open(const std::string& blobs,
                                                                 Clock& clock) {
  const std::string path = StoreMarkPath(blobs);
  ASSIGN_OR_RETURN(Fd file, OpenFile(path, O_RDWR));
  return std::unique_ptr<StoreWitness>(new StoreWitness(path, std::move(file), clock));
}

StoreWitness::StoreWitness(std::string path, Fd file, Clock& clock)
    : path_(std::move(path)), file_(std::move(file)), clock_(clock) {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    do {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, stop, [this] { return dirty_; });
        dirty_ = false;
      }
      Sync();
    } while (clock_.Sleep(stop, kSyncEveryNs));
  });
}

StoreWitness::~StoreWitness() {
  thread_.request_stop();
  thread_.join();
  Sync();
}

void StoreWitness::Note(uint64_t named) {
  const std::string digits = fmt::format("{:020}", named);
  const absl::Status written = WriteAt(file_.get(), digits.data(), digits.size(), NamedAt());
  if (!written.ok()) LOG_ERROR("{}: {}", path_, Message(written));
  {
    std::lock_guard lock(mutex_);
    dirty_ = true;
  }
  changed_.notify_one();
}

void StoreWitness::Sync() {
  if (::fdatasync(file_.get()) != 0) {
    LOG_ERROR("{}", Message(ErrnoStatus(errno, fmt::format("fdatasync {}", path_))));
  }
}

}  // namespace gleaner::cloud
