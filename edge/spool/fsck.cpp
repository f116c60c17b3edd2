#include "edge/spool/fsck.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "absl/cleanup/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/message_json.h"
#include "common/status.h"
#include "common/text.h"
#include "edge/spool/ledger_reader.h"
#include "edge/spool/spool_impl.h"
#include "gleaner/v1/clip.pb.h"
#include "gleaner/v1/status.pb.h"

namespace gleaner::edge {
namespace {

// What the manifest says of its objects and what the ledger does, or empty.
std::string ManifestProblem(const std::vector<PartRow>& parts) {
  if (Sha256::Of(parts[0].bytes) != parts[0].sha256) return "the manifest differs from its SHA-256";
  v1::ClipManifest manifest;
  if (!manifest.ParseFromString(parts[0].bytes)) return "the manifest is not a ClipManifest";
  const auto objects = static_cast<size_t>(manifest.objects_size());
  if (objects != parts.size() - 1) {
    return fmt::format("the manifest describes {} objects, the ledger {}", objects,
                       parts.size() - 1);
  }
  for (size_t i = 0; i < objects; ++i) {
    const v1::ClipObject& object = manifest.objects(static_cast<int>(i));
    const PartRow& part = parts[i + 1];
    if (object.size_bytes() != part.size_bytes || object.sha256() != AsBytes(part.sha256) ||
        !std::equal(object.block_xxh3().begin(), object.block_xxh3().end(), part.block_xxh3.begin(),
                    part.block_xxh3.end())) {
      return fmt::format("object {} is not the one that the manifest describes", i);
    }
  }
  return "";
}

class Checker {
 public:
  Checker(std::string directory, SQLite::Database& db, Fd blocks)
      : db_(db), blocks_(std::move(blocks)) {
    report_.directory = std::move(directory);
  }

  absl::StatusOr<FsckReport> Run() {
    ::posix_fadvise(blocks_.get(), 0, 0, POSIX_FADV_DONTNEED);
    std::vector<ClipRow> clips;
    RETURN_IF_ERROR(ReadView(db_, [&] {
      CheckLedger();
      for (const BootRow& boot : ReadBoots(db_)) boots_[boot.ordinal] = boot.boot_id;
      CheckOwners();
      ReadClips(db_, [&](ClipRow row) { clips.push_back(std::move(row)); });
    }));
    for (const ClipRow& row : clips) {
      if (row.state == ClipState::kBuffered) RETURN_IF_ERROR(CheckClip(row.id));
      // What the disk holds is the question, not what the page cache does; and the device's own
      // work needs that memory.
      ::posix_fadvise(blocks_.get(), 0, 0, POSIX_FADV_DONTNEED);
    }
    return std::move(report_);
  }

 private:
  void Add(RowId id, std::string what) {
    const auto boot = boots_.find(OrdinalOf(id));
    report_.problems.push_back(
        {{boot == boots_.end() ? BootId{} : boot->second, SequenceOf(id)}, std::move(what)});
  }

  void CheckLedger() {
    SQLite::Statement row(db_, "PRAGMA integrity_check");
    while (row.executeStep()) {
      const std::string line = row.getColumn(0).getString();
      if (line != "ok") report_.problems.push_back({{}, "ledger: " + line});
    }
  }

  void CheckOwners() {
    std::error_code error;
    const auto size = std::filesystem::file_size(BlocksPath(report_.directory), error);
    std::vector<RowId> owners(error ? 0 : size / kBlockBytes, 0);
    std::map<RowId, bool> with_parts;
    ReadParts(db_, [&](const PartRow& part) {
      with_parts[part.clip] = true;
      for (const BlockRun& run : part.runs) {
        for (uint64_t block = run.first; block < uint64_t{run.first} + run.count; ++block) {
          if (block >= owners.size()) {
            Add(part.clip, fmt::format("names block {}, beyond the end of spool.blocks", block));
            break;
          }
          if (owners[block] != 0) {
            Add(part.clip,
                fmt::format("block {} is also clip {}'s", block, SequenceOf(owners[block])));
          }
          owners[block] = part.clip;
        }
      }
    });
    ReadClips(db_, [&](const ClipRow& row) {
      report_.quarantined += row.state == ClipState::kFailed && with_parts.contains(row.id) ? 1 : 0;
    });
  }

  absl::Status CheckClip(RowId id) {
    std::vector<PartRow> parts;
    RETURN_IF_ERROR(ReadView(db_, [&] { parts = ReadParts(db_, id); }));
    std::string problem = parts.empty() ? "its rows are missing" : "";
    for (size_t i = 0; i < parts.size() && problem.empty(); ++i) {
      problem = PartProblem(parts[i]);
      if (!problem.empty()) problem = fmt::format("part {} {}", i, problem);
    }
    if (problem.empty()) problem = ManifestProblem(parts);
    for (size_t i = 1; i < parts.size() && problem.empty(); ++i) {
      problem = ObjectProblem(parts[i]);
      if (!problem.empty()) problem = fmt::format("object {}{}", i - 1, problem);
    }
    if (!problem.empty()) {
      // The daemon may have ended the clip and used its blocks again since we read its rows.
      std::optional<ClipRow> now;
      RETURN_IF_ERROR(ReadView(db_, [&] { now = ReadClip(db_, id); }));
      if (!now || now->state != ClipState::kBuffered) return absl::OkStatus();
      Add(id, problem);
    }
    ++report_.clips;
    return absl::OkStatus();
  }

  // ", block 3 fails its checksum", or empty.
  std::string ObjectProblem(const PartRow& part) {
    Sha256 hash;
    const std::vector<uint32_t> blocks = ExpandRuns(part.runs);
    std::string bytes = part.bytes;
    for (size_t i = 0; i < part.block_xxh3.size(); ++i) {
      if (!part.inlined) {
        bytes.resize(std::min<uint64_t>(kBlockBytes, part.size_bytes - i * kBlockBytes));
        const absl::Status read =
            ReadAt(blocks_.get(), bytes.data(), bytes.size(), uint64_t{blocks[i]} * kBlockBytes);
        if (!read.ok()) return fmt::format(", block {} can't be read: {}", i, Message(read));
      }
      ++report_.blocks;
      report_.bytes += bytes.size();
      if (Xxh3(bytes) != part.block_xxh3[i]) return fmt::format(", block {} fails its checksum", i);
      hash.Update(bytes);
    }
    return hash.Finish() == part.sha256 ? "" : " differs from its SHA-256";
  }

  SQLite::Database& db_;
  const Fd blocks_;
  FsckReport report_;
  std::map<int64_t, BootId> boots_;
};

absl::StatusOr<FsckReport> CheckReadable(const std::string& directory) {
  ASSIGN_OR_RETURN(const auto db, OpenLedgerReadOnly(LedgerPath(directory)));
  ASSIGN_OR_RETURN(Fd blocks, OpenFile(BlocksPath(directory), O_RDONLY));
  return Checker(directory, *db, std::move(blocks)).Run();
}

absl::StatusOr<FsckReport> Check(const std::string& directory) {
  auto report = CheckReadable(directory);
  if (!absl::IsDataLoss(report.status())) return report;
  return FsckReport{
      .directory = directory,
      .problems = {{.what = fmt::format("{}; the next start sets it aside and begins a new one",
                                        Message(report.status()))}}};
}

// Gives what this process made in another account's folder to that account: the daemon, which runs
// as it, must be able to write what a repair by root has made.
void GiveToTheFoldersOwner(const std::string& directory) {
  struct stat folder {};
  if (::stat(directory.c_str(), &folder) != 0 || folder.st_uid == ::geteuid()) return;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    // A link that the account has put there must not give it somebody else's file.
    const auto fd = OpenFile(entry.path().string(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat file {};
    if (!fd.ok() || ::fstat(fd->get(), &file) != 0 || !S_ISREG(file.st_mode) ||
        file.st_nlink != 1 || file.st_uid != ::geteuid()) {
      continue;
    }
    if (::fchown(fd->get(), folder.st_uid, folder.st_gid) != 0) {
      LOG_ERROR("spool: {} can't be given to its folder's owner", entry.path().string());
    }
  }
}

}  // namespace

absl::StatusOr<FsckReport> Fsck(const std::string& directory, bool repair) {
  if (!repair) return Check(directory);
  std::error_code error;
  const auto quota = std::filesystem::file_size(BlocksPath(directory), error);
  if (error == std::errc::no_such_file_or_directory) {
    return absl::NotFoundError(fmt::format("{}: no spool here", directory));
  }
  if (error) return ErrnoStatus(error.value(), directory);
  const absl::Cleanup give = [&] { GiveToTheFoldersOwner(directory); };
  ASSIGN_OR_RETURN(const auto spool, Spool::Open({.directory = directory, .quota_bytes = quota},
                                                 RealClock(), KernelBootId()));
  ASSIGN_OR_RETURN(FsckReport report, Check(directory));
  for (FsckProblem& problem : report.problems) {
    if (problem.key.sequence == 0) continue;
    problem.repaired = spool->Quarantine(problem.key, problem.what).ok();
  }
  return report;
}

std::string FsckReport::ToText() const {
  std::string text;
  for (const FsckProblem& problem : problems) {
    text += fmt::format(
        "{}{}{}\n",
        problem.key.sequence == 0 ? "" : fmt::format("clip {}: ", ToString(problem.key)),
        problem.what, problem.repaired ? " (quarantined)" : "");
  }
  text += fmt::format("{}: {}, {}, {} read, {} quarantined: {}\n", directory, Count(clips, "clip"),
                      Count(blocks, "block"), HumanBytes(bytes), quarantined,
                      ok() ? "sound" : Count(problems.size(), "problem"));
  return text;
}

std::string FsckReport::ToJson() const {
  v1::SpoolCheck check;
  check.set_directory(ValidUtf8(directory));
  check.set_ok(ok());
  check.set_clips(clips);
  check.set_quarantined(quarantined);
  check.set_blocks(blocks);
  check.set_bytes(bytes);
  for (const FsckProblem& problem : problems) {
    v1::SpoolFault* fault = check.add_faults();
    if (problem.key.sequence != 0) {
      fault->mutable_key()->set_boot_id(std::string(AsBytes(problem.key.boot_id)));
      fault->mutable_key()->set_sequence(problem.key.sequence);
    }
    fault->set_what(ValidUtf8(problem.what));
    fault->set_repaired(problem.repaired);
  }
  return gleaner::ToJson(check);
}

}  // namespace gleaner::edge
