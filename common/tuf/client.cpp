#include "common/tuf/client.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/crash_point.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/tuf/bounds.h"
#include "common/tuf/refusal.h"
#include "common/tuf/signatures.h"

namespace gleaner::tuf {
namespace {

absl::Status CheckExpiry(Refusal name, int64_t expires_unix_s, int64_t now_unix_s,
                         std::string_view what) {
  if (now_unix_s < expires_unix_s) return absl::OkStatus();
  return Refuse(name, fmt::format("{} expired at {}, and it is {}", what, WriteTime(expires_unix_s),
                                  WriteTime(now_unix_s)));
}

absl::Status Older(std::string_view what, uint64_t version, uint64_t trusted) {
  return Refuse(Refusal::kRollback, fmt::format("{} is version {}, and version {} was trusted",
                                                what, version, trusted));
}

// A root that vouches for itself: what a package brings, and what is kept.
absl::StatusOr<Root> OwnRoot(const std::string& bytes, std::string_view what) {
  ASSIGN_OR_RETURN(Signed<Root> read, Parse<Root>(bytes, what));
  RETURN_IF_ERROR(CheckSignatures(read.content, Role::kRoot, read.payload, read.signatures, what));
  return std::move(read.content);
}

size_t LimitOf(const MetaFile& file, Role role) {
  return std::min<size_t>(file.length.value_or(MaxBytes(role)), MaxBytes(role));
}

bool SameKeys(const Root& a, const Root& b, Role role) { return a.Of(role) == b.Of(role); }

}  // namespace

absl::StatusOr<Client> Client::Open(Options options, const Clock& clock) {
  std::string note;
  Trusted trusted;
  if (!options.state_path.empty()) {
    absl::StatusOr<Trusted> kept = LoadTrusted(options.state_path);
    if (kept.ok()) {
      trusted = *std::move(kept);
    } else {
      note =
          fmt::format("{}; it is begun anew from the root of the package", Message(kept.status()));
    }
  }
  absl::StatusOr<Root> packaged = OwnRoot(options.packaged_root, "the packaged root");
  if (!trusted.Of(Role::kRoot).empty()) {
    absl::StatusOr<Root> root = OwnRoot(trusted.Of(Role::kRoot), "the kept root");
    if (root.ok() && (!packaged.ok() || root->version >= packaged->version)) {
      return Client(std::move(options), clock, *std::move(root), std::move(trusted),
                    std::move(note));
    }
    if (!root.ok()) {
      note = fmt::format("{}: {}; it is begun anew from the root of the package",
                         options.state_path, Message(root.status()));
      trusted = Trusted{};
    }
  }
  if (!packaged.ok()) return std::move(packaged).status();
  trusted.Of(Role::kRoot) = options.packaged_root;
  return Client(std::move(options), clock, *std::move(packaged), std::move(trusted),
                std::move(note));
}

absl::Status Client::Keep() {
  if (GLEANER_FAULT("tuf.keep_nothing")) return absl::OkStatus();
  return options_.state_path.empty() ? absl::OkStatus()
                                     : SaveTrusted(options_.state_path, trusted_);
}

template <typename T>
std::optional<T> Client::Kept() const {
  const std::string& bytes = trusted_.Of(T::kRole);
  if (bytes.empty()) return std::nullopt;
  auto read = Parse<T>(bytes, NameOf(T::kRole));
  if (!read.ok() ||
      !CheckSignatures(root_, T::kRole, read->payload, read->signatures, NameOf(T::kRole)).ok()) {
    return std::nullopt;
  }
  return std::move(read->content);
}

template <typename T>
absl::StatusOr<T> Client::Named(std::string_view bytes, const MetaFile& file,
                                const std::string& what) const {
  if ((file.length.has_value() && *file.length != bytes.size()) ||
      (file.sha256.has_value() && *file.sha256 != Sha256::Of(bytes))) {
    return Refuse(
        Refusal::kMixAndMatch,
        fmt::format("{} is not the file that its length and SHA-256 were given of", what));
  }
  ASSIGN_OR_RETURN(Signed<T> read, Parse<T>(bytes, what));
  RETURN_IF_ERROR(CheckSignatures(root_, T::kRole, read.payload, read.signatures, what));
  if (read.content.version != file.version) {
    return Refuse(Refusal::kMixAndMatch, fmt::format("{} is version {}, and version {} was named",
                                                     what, read.content.version, file.version));
  }
  return std::move(read.content);
}

absl::Status Client::Refresh(Fetcher& fetcher) {
  // One time for the whole of it (5.1), so that nothing expires half-way.
  const int64_t now_unix_s = clock_->WallNs() / kNanosPerSecond;
  RETURN_IF_ERROR(RefreshRoot(fetcher, now_unix_s));
  ASSIGN_OR_RETURN(Timestamp timestamp, RefreshTimestamp(fetcher, now_unix_s));
  ASSIGN_OR_RETURN(Snapshot snapshot, RefreshSnapshot(fetcher, timestamp, now_unix_s));
  ASSIGN_OR_RETURN(Targets targets, RefreshTargets(fetcher, snapshot, now_unix_s));
  timestamp_ = std::move(timestamp);
  snapshot_ = std::move(snapshot);
  targets_ = std::move(targets);
  return absl::OkStatus();
}

absl::Status Client::RefreshRoot(Fetcher& fetcher, int64_t now_unix_s) {
  for (int rotations = 0; rotations < kMaxRootRotations; ++rotations) {
    const uint64_t next = root_.version + 1;
    const std::string what = fmt::format("{}.root.json", next);
    const absl::StatusOr<std::string> bytes = FetchWhole(fetcher, what, kMaxRootBytes);
    if (RefusalOf(bytes.status()) == Refusal::kMissing) break;
    if (!bytes.ok()) return bytes.status();
    ASSIGN_OR_RETURN(Signed<Root> read, Parse<Root>(*bytes, what));
    RETURN_IF_ERROR(CheckSignatures(root_, Role::kRoot, read.payload, read.signatures, what));
    RETURN_IF_ERROR(
        CheckSignatures(read.content, Role::kRoot, read.payload, read.signatures, what));
    if (read.content.version < next) return Older(what, read.content.version, root_.version);
    if (read.content.version > next) {
      return Refuse(Refusal::kMixAndMatch,
                    fmt::format("{} is version {}", what, read.content.version));
    }
    // Whoever had the old keys may have signed a version that no honest one will ever reach
    // (5.3.11): what they signed is forgotten in the same write that ends their trust.
    if (!SameKeys(root_, read.content, Role::kTimestamp) ||
        !SameKeys(root_, read.content, Role::kSnapshot)) {
      trusted_.Of(Role::kTimestamp).clear();
      trusted_.Of(Role::kSnapshot).clear();
    }
    root_ = std::move(read.content);
    trusted_.Of(Role::kRoot) = *bytes;
    RETURN_IF_ERROR(Keep());
    GLEANER_CRASH_POINT("tuf.root_kept");
  }
  return CheckExpiry(Refusal::kExpired, root_.expires_unix_s, now_unix_s,
                     fmt::format("root version {}", root_.version));
}

absl::StatusOr<Timestamp> Client::RefreshTimestamp(Fetcher& fetcher, int64_t now_unix_s) {
  const std::string what = "timestamp.json";
  ASSIGN_OR_RETURN(std::string bytes, FetchWhole(fetcher, what, kMaxTimestampBytes));
  ASSIGN_OR_RETURN(Signed<Timestamp> read, Parse<Timestamp>(bytes, what));
  RETURN_IF_ERROR(CheckSignatures(root_, Role::kTimestamp, read.payload, read.signatures, what));
  if (std::optional<Timestamp> kept = Kept<Timestamp>()) {
    if (read.content.version < kept->version) {
      return Older(what, read.content.version, kept->version);
    }
    // The same version is the same file, whatever came (5.4.3.1).
    if (read.content.version == kept->version) {
      RETURN_IF_ERROR(CheckExpiry(Refusal::kFreeze, kept->expires_unix_s, now_unix_s, what));
      return *std::move(kept);
    }
    if (read.content.snapshot.version < kept->snapshot.version) {
      return Older("the snapshot that timestamp.json names", read.content.snapshot.version,
                   kept->snapshot.version);
    }
  }
  RETURN_IF_ERROR(CheckExpiry(Refusal::kFreeze, read.content.expires_unix_s, now_unix_s, what));
  trusted_.Of(Role::kTimestamp) = std::move(bytes);
  RETURN_IF_ERROR(Keep());
  GLEANER_CRASH_POINT("tuf.timestamp_kept");
  return std::move(read.content);
}

absl::StatusOr<Snapshot> Client::RefreshSnapshot(Fetcher& fetcher, const Timestamp& timestamp,
                                                 int64_t now_unix_s) {
  const MetaFile& file = timestamp.snapshot;
  const std::string what = fmt::format("{}.snapshot.json", file.version);
  if (auto kept = Named<Snapshot>(trusted_.Of(Role::kSnapshot), file, what); kept.ok()) {
    RETURN_IF_ERROR(CheckExpiry(Refusal::kFreeze, kept->expires_unix_s, now_unix_s, what));
    return kept;
  }
  ASSIGN_OR_RETURN(std::string bytes, FetchWhole(fetcher, what, LimitOf(file, Role::kSnapshot)));
  ASSIGN_OR_RETURN(Snapshot snapshot, Named<Snapshot>(bytes, file, what));
  if (const std::optional<Snapshot> kept = Kept<Snapshot>()) {
    for (const auto& [name, before] : kept->meta) {
      const auto now = snapshot.meta.find(name);
      if (now == snapshot.meta.end()) {
        return Refuse(Refusal::kRollback,
                      fmt::format("{} names no {}, which it did before", what, Printable(name)));
      }
      if (now->second.version < before.version) {
        return Older(fmt::format("{} that {} names", Printable(name), what), now->second.version,
                     before.version);
      }
    }
  }
  RETURN_IF_ERROR(CheckExpiry(Refusal::kFreeze, snapshot.expires_unix_s, now_unix_s, what));
  trusted_.Of(Role::kSnapshot) = std::move(bytes);
  RETURN_IF_ERROR(Keep());
  GLEANER_CRASH_POINT("tuf.snapshot_kept");
  return snapshot;
}

absl::StatusOr<Targets> Client::RefreshTargets(Fetcher& fetcher, const Snapshot& snapshot,
                                               int64_t now_unix_s) {
  const MetaFile& file = snapshot.meta.at("targets.json");
  const std::string what = fmt::format("{}.targets.json", file.version);
  if (auto kept = Named<Targets>(trusted_.Of(Role::kTargets), file, what); kept.ok()) {
    RETURN_IF_ERROR(CheckExpiry(Refusal::kExpired, kept->expires_unix_s, now_unix_s, what));
    return kept;
  }
  ASSIGN_OR_RETURN(std::string bytes, FetchWhole(fetcher, what, LimitOf(file, Role::kTargets)));
  ASSIGN_OR_RETURN(Targets targets, Named<Targets>(bytes, file, what));
  RETURN_IF_ERROR(CheckExpiry(Refusal::kExpired, targets.expires_unix_s, now_unix_s, what));
  trusted_.Of(Role::kTargets) = std::move(bytes);
  RETURN_IF_ERROR(Keep());
  GLEANER_CRASH_POINT("tuf.targets_kept");
  return targets;
}

absl::StatusOr<Target> Client::Find(const std::string& path) const {
  if (targets_.has_value()) {
    if (const auto found = targets_->targets.find(path); found != targets_->targets.end()) {
      return found->second;
    }
  }
  return Refuse(Refusal::kMissing,
                fmt::format("no target \"{}\" was released", Printable(path.substr(0, 128))));
}

absl::Status TargetCheck::Add(std::string_view piece) {
  if (piece.size() > target_.length - seen_bytes_) {
    return Refuse(Refusal::kEndlessData, fmt::format("{} is longer than the {} bytes signed",
                                                     target_.path, target_.length));
  }
  seen_bytes_ += piece.size();
  hash_.Update(piece);
  return absl::OkStatus();
}

absl::Status TargetCheck::Finish() {
  if (seen_bytes_ == target_.length && hash_.Finish() == target_.sha256) return absl::OkStatus();
  return Refuse(
      Refusal::kAltered,
      fmt::format("{}: its {} bytes are not the {} with SHA-256 {} that were signed", target_.path,
                  seen_bytes_, target_.length, Hex(AsBytes(target_.sha256))));
}

absl::Status FetchTarget(Fetcher& fetcher, const Target& target, const Sink& sink) {
  TargetCheck check(target);
  const absl::Status fetched =
      fetcher.Fetch("targets/" + target.RemotePath(), [&](std::string_view piece) -> absl::Status {
        RETURN_IF_ERROR(check.Add(piece));
        return sink(piece);
      });
  if (absl::IsNotFound(fetched) && !RefusalOf(fetched).has_value()) {
    return Refuse(Refusal::kMissing, fmt::format("{} is not in the repository", target.path));
  }
  RETURN_IF_ERROR(fetched);
  return check.Finish();
}

}  // namespace gleaner::tuf
