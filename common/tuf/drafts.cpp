// What becomes of a repository's drafts until they are published: made, signed, looked at,
// withdrawn.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/status.h"
#include "common/tuf/repository.h"
#include "common/tuf/signatures.h"

namespace gleaner::tuf {
namespace {

// Whether both release the same, for as long.
bool SaysTheSame(const Targets& one, const Targets& other) {
  return one.targets == other.targets && one.expires_unix_s == other.expires_unix_s;
}

// The keys of `role` in `root` that didn't sign.
std::vector<std::string> Others(const Root& root, Role role,
                                const std::vector<std::string>& signers) {
  std::vector<std::string> others;
  for (const std::string& id : root.Of(role).key_ids) {
    if (std::find(signers.begin(), signers.end(), id) == signers.end()) others.push_back(id);
  }
  return others;
}

template <typename T>
Repository::Waiting Look(const Signed<T>& draft, const Root& by) {
  Repository::Waiting waiting{.role = T::kRole, .version = draft.content.version};
  waiting.signed_by = Signers(by, T::kRole, draft.payload, draft.signatures);
  waiting.may_sign = Others(by, T::kRole, waiting.signed_by);
  waiting.wanted = by.Of(T::kRole).threshold;
  waiting.signatures = std::min(waiting.signed_by.size(), waiting.wanted);
  return waiting;
}

}  // namespace

absl::Status Repository::DraftTargets(Targets targets) {
  ASSIGN_OR_RETURN(targets.version, NewestVersion(Role::kTargets));
  ++targets.version;
  return WriteDraft(targets, {});
}

absl::Status Repository::DraftRoot(Root root) {
  ASSIGN_OR_RETURN(const std::optional<Signed<Root>> published, PublishedRoot());
  root.version = published.has_value() ? published->content.version + 1 : 1;
  if (published.has_value() && published->content.Of(Role::kTargets) != root.Of(Role::kTargets)) {
    ASSIGN_OR_RETURN(Signed<Targets> targets, NextTargets());
    RETURN_IF_ERROR(DraftTargets(std::move(targets.content)));
  }
  return WriteDraft(root, {});
}

absl::Status Repository::RemoveDraft(Role role) {
  if (::unlink(DraftPath(role).c_str()) != 0) {
    return ErrnoStatus(errno, fmt::format("unlink {}", DraftPath(role)));
  }
  return SyncDirectory(folder_ + "/draft");
}

template <typename T>
absl::Status Repository::SignDraft(const PrivateKey& key, const Signed<T>& draft,
                                   std::vector<Signing>* done) {
  const bool had_signed =
      std::any_of(draft.signatures.begin(), draft.signatures.end(), [&](const Signature& one) {
        return one.key_id == key.public_key().id &&
               key.public_key().Verifies(draft.payload, one.bytes);
      });
  if (!had_signed) {
    std::vector<Signature> signatures = draft.signatures;
    RETURN_IF_ERROR(AddSignature(key, draft.payload, &signatures));
    RETURN_IF_ERROR(WriteDraft(draft.content, signatures));
  }
  done->push_back({.role = T::kRole, .version = draft.content.version, .had_signed = had_signed});
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Repository::Signing>> Repository::Sign(const PrivateKey& key) {
  const std::string& id = key.public_key().id;
  std::vector<Signing> done;
  ASSIGN_OR_RETURN(const std::optional<Signed<Root>> published, PublishedRoot());
  ASSIGN_OR_RETURN(const std::optional<Signed<Root>> root, ReadDraft<Root>());
  if (root.has_value() && (Names(root->content, Role::kRoot, id) ||
                           (published.has_value() && Names(published->content, Role::kRoot, id)))) {
    RETURN_IF_ERROR(SignDraft(key, *root, &done));
  }
  ASSIGN_OR_RETURN(const std::optional<Signed<Targets>> targets, ReadDraft<Targets>());
  ASSIGN_OR_RETURN(const Signed<Root> next, NextRoot());
  if (targets.has_value() && Names(next.content, Role::kTargets, id)) {
    RETURN_IF_ERROR(SignDraft(key, *targets, &done));
  }
  if (!done.empty()) return done;
  return absl::FailedPreconditionError(
      fmt::format("{}: no draft has a use for a signature of key {}", folder_, id));
}

absl::StatusOr<std::vector<Repository::Waiting>> Repository::Drafts() const {
  std::vector<Waiting> drafts;
  ASSIGN_OR_RETURN(const std::optional<Signed<Root>> published, PublishedRoot());
  ASSIGN_OR_RETURN(const std::optional<Signed<Root>> root, ReadDraft<Root>());
  if (root.has_value()) {
    Waiting waiting = Look(*root, root->content);
    if (published.has_value()) {
      Waiting before = Look(*root, published->content);
      waiting.signatures_of_before = before.signatures;
      waiting.wanted_of_before = before.wanted;
      waiting.signed_by_of_before = std::move(before.signed_by);
      waiting.may_sign_of_before = std::move(before.may_sign);
    }
    drafts.push_back(std::move(waiting));
  }
  ASSIGN_OR_RETURN(const std::optional<Signed<Targets>> targets, ReadDraft<Targets>());
  if (targets.has_value()) {
    ASSIGN_OR_RETURN(const Signed<Root> next, NextRoot());
    drafts.push_back(Look(*targets, next.content));
  }
  return drafts;
}

absl::StatusOr<std::vector<Role>> Repository::Discard(Role role) {
  ASSIGN_OR_RETURN(const std::optional<Signed<Root>> root, ReadDraft<Root>());
  ASSIGN_OR_RETURN(const std::optional<Signed<Targets>> targets, ReadDraft<Targets>());
  if (role == Role::kRoot ? !root.has_value() : role != Role::kTargets || !targets.has_value()) {
    return absl::NotFoundError(fmt::format("{}: there is no draft of {}", folder_, NameOf(role)));
  }
  ASSIGN_OR_RETURN(const std::optional<Signed<Root>> published_root, PublishedRoot());
  ASSIGN_OR_RETURN(const std::optional<Signed<Targets>> published, PublishedTargets());
  if (role == Role::kRoot) {
    if (!published_root.has_value()) {
      return absl::FailedPreconditionError(fmt::format(
          "{}: no root is published yet, and without its first one this is no repository: change "
          "it with `gleaner release rotate`, or delete the folder",
          folder_));
    }
    RETURN_IF_ERROR(RemoveDraft(Role::kRoot));
    if (!targets.has_value() || !published.has_value() ||
        !SaysTheSame(targets->content, published->content)) {
      return std::vector<Role>{Role::kRoot};
    }
    RETURN_IF_ERROR(RemoveDraft(Role::kTargets));
    return std::vector<Role>{Role::kRoot, Role::kTargets};
  }

  const bool first = !published.has_value();
  const bool for_new_keys =
      root.has_value() && published_root.has_value() &&
      root->content.Of(Role::kTargets) != published_root->content.Of(Role::kTargets);
  if (!first && !for_new_keys) {
    RETURN_IF_ERROR(RemoveDraft(Role::kTargets));
    return std::vector<Role>{Role::kTargets};
  }
  Targets before =
      first ? Targets{.expires_unix_s = targets->content.expires_unix_s} : published->content;
  if (SaysTheSame(targets->content, before)) {
    return absl::FailedPreconditionError(fmt::format(
        "{}: the draft of targets changes nothing, and {}", folder_,
        first ? "the first publication needs it"
              : "the draft of root, which gives them other keys, needs it: discard that one"));
  }
  RETURN_IF_ERROR(DraftTargets(std::move(before)));
  return std::vector<Role>{};
}

}  // namespace gleaner::tuf
