#include "common/tuf/repository.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include "common/crash_point.h"
#include "common/status.h"
#include "common/tuf/bounds.h"
#include "common/tuf/copy.h"
#include "common/tuf/document.h"
#include "common/tuf/refusal.h"
#include "common/tuf/signatures.h"

namespace gleaner::tuf {
namespace {

constexpr int kFileMode = 0644;  // a web server of another user reads them
constexpr int kFolderMode = 0755;

// New metadata with the signatures of all `keys` that `root` names for its role.
template <typename T>
absl::StatusOr<std::string> Make(const T& content, const Root& root,
                                 const std::vector<PrivateKey>& keys) {
  Signed<T> made{.content = content, .payload = Payload(content), .signatures = {}};
  for (const PrivateKey& key : keys) {
    if (!Names(root, T::kRole, key.public_key().id)) continue;
    RETURN_IF_ERROR(AddSignature(key, made.payload, &made.signatures));
  }
  if (made.signatures.size() < root.Of(T::kRole).threshold) {
    return absl::FailedPreconditionError(fmt::format(
        "{} of the {} keys that root version {} wants for {} are at hand", made.signatures.size(),
        root.Of(T::kRole).threshold, root.version, NameOf(T::kRole)));
  }
  std::string bytes = Write(content, made.signatures);
  RETURN_IF_ERROR(Parse<T>(bytes, NameOf(T::kRole)).status());
  return bytes;
}

}  // namespace

absl::StatusOr<Repository> Repository::Lock(const std::string& folder) {
  ASSIGN_OR_RETURN(Fd lock, OpenFile(folder, O_RDONLY | O_DIRECTORY));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoStatus(errno, fmt::format("flock {}", folder));
    return absl::UnavailableError(
        fmt::format("{}: another process is working on this repository; try again", folder));
  }
  return Repository(folder, std::move(lock));
}

absl::StatusOr<Repository> Repository::Open(const std::string& folder) {
  absl::StatusOr<Repository> repository = Lock(folder);
  if (absl::IsUnavailable(repository.status())) return repository;
  if (repository.ok()) {
    ASSIGN_OR_RETURN(const uint64_t version, repository->NewestVersion(Role::kRoot));
    if (version > 0 || std::filesystem::exists(repository->DraftPath(Role::kRoot))) {
      return repository;
    }
  }
  return absl::FailedPreconditionError(fmt::format(
      "{}: there is no repository of releases; `gleaner release init` makes one", folder));
}

absl::StatusOr<Repository> Repository::Create(const std::string& folder, Root root,
                                              int64_t targets_expire_unix_s) {
  RETURN_IF_ERROR(MakeDirectories(folder, kFolderMode));
  ASSIGN_OR_RETURN(Repository repository, Lock(folder));
  ASSIGN_OR_RETURN(const uint64_t version, repository.NewestVersion(Role::kRoot));
  if (version > 0 || std::filesystem::exists(repository.DraftPath(Role::kRoot))) {
    return absl::AlreadyExistsError(
        fmt::format("{}: there is a repository of releases already", folder));
  }
  RETURN_IF_ERROR(MakeDirectories(folder + "/draft", kFolderMode));
  RETURN_IF_ERROR(MakeDirectories(folder + "/targets", kFolderMode));
  RETURN_IF_ERROR(repository.DraftTargets(Targets{.expires_unix_s = targets_expire_unix_s}));
  RETURN_IF_ERROR(repository.DraftRoot(std::move(root)));
  return repository;
}

std::string Repository::PathOf(Role role, uint64_t version) const {
  if (role == Role::kTimestamp) return folder_ + "/timestamp.json";
  return fmt::format("{}/{}.{}.json", folder_, version, NameOf(role));
}

std::string Repository::DraftPath(Role role) const {
  return fmt::format("{}/draft/{}.json", folder_, NameOf(role));
}

template <typename T>
absl::StatusOr<std::optional<Signed<T>>> Repository::Read(const std::string& path) const {
  absl::StatusOr<std::string> bytes = ReadFile(path, MaxBytes(T::kRole));
  if (absl::IsNotFound(bytes.status())) return std::optional<Signed<T>>();
  if (!bytes.ok()) return std::move(bytes).status();
  ASSIGN_OR_RETURN(Signed<T> read, Parse<T>(*bytes, path));
  return std::optional<Signed<T>>(std::move(read));
}

template <typename T>
absl::StatusOr<std::optional<Signed<T>>> Repository::ReadDraft() const {
  const std::string path = DraftPath(T::kRole);
  ASSIGN_OR_RETURN(std::optional<Signed<T>> draft, Read<T>(path));
  // It is written anew with each signature, which must stay one of the same bytes.
  if (draft.has_value() && draft->payload != Payload(draft->content)) {
    return absl::FailedPreconditionError(fmt::format(
        "{}: it was changed by hand, and holds what would be lost; draft it anew", path));
  }
  return draft;
}

absl::StatusOr<uint64_t> Repository::NewestVersion(Role role) const {
  const std::string end = fmt::format(".{}.json", NameOf(role));
  uint64_t newest = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename().string();
    uint64_t version = 0;
    const auto [stop, wrong] = std::from_chars(name.data(), name.data() + name.size(), version);
    if (wrong == std::errc() && std::string_view(stop) == end) newest = std::max(newest, version);
  }
  if (error) return ErrnoStatus(error.value(), folder_);
  return newest;
}

absl::StatusOr<std::optional<Signed<Root>>> Repository::PublishedRoot() const {
  ASSIGN_OR_RETURN(const uint64_t version, NewestVersion(Role::kRoot));
  return Read<Root>(PathOf(Role::kRoot, version));
}
absl::StatusOr<std::optional<Signed<Targets>>> Repository::PublishedTargets() const {
  ASSIGN_OR_RETURN(const uint64_t version, NewestVersion(Role::kTargets));
  return Read<Targets>(PathOf(Role::kTargets, version));
}
absl::StatusOr<std::optional<Signed<Snapshot>>> Repository::PublishedSnapshot() const {
  ASSIGN_OR_RETURN(const uint64_t version, NewestVersion(Role::kSnapshot));
  return Read<Snapshot>(PathOf(Role::kSnapshot, version));
}
absl::StatusOr<std::optional<Signed<Timestamp>>> Repository::PublishedTimestamp() const {
  return Read<Timestamp>(PathOf(Role::kTimestamp, 0));
}

absl::StatusOr<Signed<Root>> Repository::NextRoot() const {
  ASSIGN_OR_RETURN(std::optional<Signed<Root>> root, ReadDraft<Root>());
  if (!root.has_value()) {
    ASSIGN_OR_RETURN(root, PublishedRoot());
  }
  if (root.has_value()) return *std::move(root);
  return absl::FailedPreconditionError(fmt::format("{}: there is no root", folder_));
}

absl::StatusOr<Signed<Targets>> Repository::NextTargets() const {
  ASSIGN_OR_RETURN(std::optional<Signed<Targets>> targets, ReadDraft<Targets>());
  if (!targets.has_value()) {
    ASSIGN_OR_RETURN(targets, PublishedTargets());
  }
  if (targets.has_value()) return *std::move(targets);
  return absl::FailedPreconditionError(fmt::format("{}: there are no targets", folder_));
}

template <typename T>
absl::Status Repository::WriteDraft(const T& content, const std::vector<Signature>& signatures) {
  const std::string bytes = Write(content, signatures);
  // What a client wouldn't take is told before people sign it.
  RETURN_IF_ERROR(Parse<T>(bytes, fmt::format("the draft of {}", NameOf(T::kRole))).status());
  return WriteFileDurably(DraftPath(T::kRole), bytes, kFileMode);
}

// For drafts.cpp.
template absl::StatusOr<std::optional<Signed<Root>>> Repository::ReadDraft() const;
template absl::StatusOr<std::optional<Signed<Targets>>> Repository::ReadDraft() const;
template absl::Status Repository::WriteDraft(const Root&, const std::vector<Signature>&);
template absl::Status Repository::WriteDraft(const Targets&, const std::vector<Signature>&);

absl::StatusOr<Target> Repository::AddTarget(const std::string& file, const std::string& path,
                                             const std::string& custom,
                                             int64_t targets_expire_unix_s) {
  if (!IsTargetPath(path)) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" can't be a target's path: it is at most {} of a-z, A-Z, 0-9 and "
                    "-_.+/, and no part of it begins with a dot",
                    path.substr(0, 128), kMaxTargetPathBytes));
  }
  Target target{.path = path};
  if (!custom.empty()) {
    ASSIGN_OR_RETURN(const nlohmann::json form, ParseDocument(custom, "what the target says"));
    if (!form.is_object()) {
      return absl::InvalidArgumentError("what the target says of itself is not a JSON object");
    }
    target.custom = form.dump();
  }
  ASSIGN_OR_RETURN(Signed<Targets> next, NextTargets());
  if (!next.content.targets.contains(path) && next.content.targets.size() >= kMaxTargets) {
    return absl::ResourceExhaustedError(
        fmt::format("the repository has its {} targets; remove some", kMaxTargets));
  }
  RETURN_IF_ERROR(CopyTarget(file, folder_ + "/targets", &target));
  next.content.targets[path] = target;
  next.content.expires_unix_s = targets_expire_unix_s;
  RETURN_IF_ERROR(DraftTargets(std::move(next.content)));
  return target;
}

absl::Status Repository::Publish(Role role, uint64_t version, const std::string& bytes) {
  RETURN_IF_ERROR(WriteFileDurably(PathOf(role, version), bytes, kFileMode));
  if (role != Role::kRoot && role != Role::kTargets) return absl::OkStatus();
  return RemoveDraft(role);
}

absl::StatusOr<std::vector<Role>> Repository::Refresh(const std::vector<PrivateKey>& keys,
                                                      const Lifetimes& lifetimes,
                                                      int64_t now_unix_s) {
  // What is to stand afterwards, and whether a client would take it, before anything is written.
  ASSIGN_OR_RETURN(const std::vector<Waiting> drafts, Drafts());
  const auto ready = [&](Role role) {
    return std::any_of(drafts.begin(), drafts.end(), [&](const Waiting& draft) {
      return draft.role == role && draft.complete();
    });
  };
  ASSIGN_OR_RETURN(std::optional<Signed<Root>> root, PublishedRoot());
  // Targets drafted for the keys of a root that isn't complete are not looked at either.
  const bool new_root = ready(Role::kRoot);
  if (new_root) {
    ASSIGN_OR_RETURN(root, ReadDraft<Root>());
  }
  if (!root.has_value()) {
    return absl::FailedPreconditionError(
        fmt::format("{}: the first root is missing signatures: `gleaner release sign`", folder_));
  }
  ASSIGN_OR_RETURN(std::optional<Signed<Targets>> targets, ReadDraft<Targets>());
  const auto signed_by_root = [&](const Signed<Targets>& one) {
    return CheckSignatures(root->content, Role::kTargets, one.payload, one.signatures,
                           fmt::format("targets version {}", one.content.version));
  };
  const bool new_targets = targets.has_value() && signed_by_root(*targets).ok();
  if (!new_targets) {
    ASSIGN_OR_RETURN(targets, PublishedTargets());
    if (!targets.has_value()) {
      return absl::FailedPreconditionError(fmt::format(
          "{}: the first targets are missing signatures: `gleaner release sign`", folder_));
    }
    if (const absl::Status by = signed_by_root(*targets); !by.ok()) {
      return absl::FailedPreconditionError(
          fmt::format("{}: with the new root no client would take what is released ({}): sign the "
                      "draft of targets with the new keys first",
                      folder_, Message(by)));
    }
  }

  for (const auto& [role, expires] : {std::pair{Role::kRoot, root->content.expires_unix_s},
                                      std::pair{Role::kTargets, targets->content.expires_unix_s}}) {
    if (expires <= now_unix_s) {
      return absl::FailedPreconditionError(
          fmt::format("{}: {} expired at {}, and no client takes it: draft and sign a new one",
                      folder_, NameOf(role), WriteTime(expires)));
    }
  }
  std::string targets_bytes = Write(targets->content, targets->signatures);
  if (!new_targets) {
    ASSIGN_OR_RETURN(targets_bytes,
                     ReadFile(PathOf(Role::kTargets, targets->content.version), kMaxTargetsBytes));
  }
  const std::string root_bytes = Write(root->content, root->signatures);
  const MetaFile targets_file = MetaFile::Of(targets->content.version, targets_bytes);

  ASSIGN_OR_RETURN(const std::optional<Signed<Snapshot>> before, PublishedSnapshot());
  ASSIGN_OR_RETURN(const uint64_t last_snapshot, NewestVersion(Role::kSnapshot));
  const bool keep_snapshot =
      before.has_value() && before->content.meta.at("targets.json").sha256 == targets_file.sha256 &&
      before->content.expires_unix_s - now_unix_s > lifetimes.snapshot_s / 2 &&
      CheckSignatures(root->content, Role::kSnapshot, before->payload, before->signatures, "it")
          .ok();
  Snapshot snapshot{.version = last_snapshot + 1,
                    .expires_unix_s = now_unix_s + lifetimes.snapshot_s,
                    .meta = {{"targets.json", targets_file}}};
  std::string snapshot_bytes;
  if (keep_snapshot) {
    snapshot = before->content;
    ASSIGN_OR_RETURN(snapshot_bytes,
                     ReadFile(PathOf(Role::kSnapshot, snapshot.version), kMaxSnapshotBytes));
  } else {
    ASSIGN_OR_RETURN(snapshot_bytes, Make(snapshot, root->content, keys));
  }

  ASSIGN_OR_RETURN(const std::optional<Signed<Timestamp>> last, PublishedTimestamp());
  const Timestamp timestamp{.version = last.has_value() ? last->content.version + 1 : 1,
                            .expires_unix_s = now_unix_s + lifetimes.timestamp_s,
                            .snapshot = MetaFile::Of(snapshot.version, snapshot_bytes)};
  ASSIGN_OR_RETURN(const std::string timestamp_bytes, Make(timestamp, root->content, keys));

  std::vector<Role> published;
  const auto publish = [&](Role role, uint64_t version, const std::string& bytes) {
    published.push_back(role);
    return Publish(role, version, bytes);
  };
  if (new_root) RETURN_IF_ERROR(publish(Role::kRoot, root->content.version, root_bytes));
  GLEANER_CRASH_POINT("tuf.root_published");
  if (new_targets) {
    RETURN_IF_ERROR(publish(Role::kTargets, targets->content.version, targets_bytes));
  }
  GLEANER_CRASH_POINT("tuf.targets_published");
  if (!keep_snapshot) {
    RETURN_IF_ERROR(publish(Role::kSnapshot, snapshot.version, snapshot_bytes));
  }
  GLEANER_CRASH_POINT("tuf.snapshot_published");
  RETURN_IF_ERROR(publish(Role::kTimestamp, timestamp.version, timestamp_bytes));
  return published;
}

}  // namespace gleaner::tuf
