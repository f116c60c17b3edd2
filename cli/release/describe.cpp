#include "cli/release/describe.h"

#include <fmt/format.h>

#include "cli/json.h"
#include "cli/release/changes.h"
#include "common/clock.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/text.h"

namespace gleaner::cli {
namespace {

using nlohmann::ordered_json;
using tuf::Role;
using Waiting = tuf::Repository::Waiting;

constexpr size_t kIdShown = 12;
constexpr size_t kCustomShown = 400;  // bytes; up to 64 KiB may be there

// All that is said of drafts is said against what is published.
struct State {
  std::vector<Waiting> drafts;
  std::optional<tuf::Signed<tuf::Root>> root;
  std::optional<tuf::Signed<tuf::Targets>> targets;
  std::optional<tuf::Root> root_draft;
  std::optional<tuf::Targets> targets_draft;
};

absl::StatusOr<State> Look(const tuf::Repository& repository) {
  State state;
  ASSIGN_OR_RETURN(state.drafts, repository.Drafts());
  ASSIGN_OR_RETURN(state.root, repository.PublishedRoot());
  ASSIGN_OR_RETURN(state.targets, repository.PublishedTargets());
  for (const Waiting& draft : state.drafts) {
    if (draft.role == Role::kRoot) {
      ASSIGN_OR_RETURN(tuf::Signed<tuf::Root> root, repository.NextRoot());
      state.root_draft = std::move(root.content);
    } else {
      ASSIGN_OR_RETURN(tuf::Signed<tuf::Targets> targets, repository.NextTargets());
      state.targets_draft = std::move(targets.content);
    }
  }
  return state;
}

// "1 of 2", and for a root with other keys than before "1 of 2, 0 of 2 of the root before".
std::string SignaturesText(const Waiting& draft) {
  std::string text = fmt::format("{} of {}", draft.signatures, draft.wanted);
  if (draft.wanted_of_before > 0) {
    text += fmt::format(", {} of {} of the root before", draft.signatures_of_before,
                        draft.wanted_of_before);
  }
  return text;
}

std::string ShortIds(const std::vector<std::string>& ids) {
  std::string text;
  for (const std::string& id : ids) text += (text.empty() ? "" : ", ") + ShortId(id);
  return text;
}

// "1 of 2: 74e7… signed; 9a7a…, ad44… may": who may is of no use any longer once it is enough.
std::string SignersText(size_t signatures, size_t wanted, const std::vector<std::string>& signers,
                        const std::vector<std::string>& others) {
  std::string text = fmt::format("{} of {}: ", signatures, wanted);
  if (!signers.empty()) text += ShortIds(signers) + " signed";
  if (signatures < wanted) {
    text += fmt::format("{}{} may{}", signers.empty() ? "" : "; ", ShortIds(others),
                        signers.empty() ? " sign" : "");
  }
  return text;
}

std::string ExpiryChange(int64_t expires_unix_s, std::optional<int64_t> before_unix_s) {
  if (before_unix_s == expires_unix_s) return "";
  return fmt::format("  expires {}{}\n", ExpiryText(expires_unix_s),
                     before_unix_s.has_value() ? ", before: " + ExpiryText(*before_unix_s) : "");
}

template <typename T>
std::optional<int64_t> ExpiryOf(const std::optional<tuf::Signed<T>>& published) {
  if (!published.has_value()) return std::nullopt;
  return published->content.expires_unix_s;
}

std::string RootChangesText(const State& state) {
  std::string text;
  for (const RoleChange& change : Changes(state.root, *state.root_draft)) {
    const std::string_view role = NameOf(change.role);
    for (const std::string& id : change.keys_added) {
      text += fmt::format("  + key of {} {}\n", role, ShortId(id));
    }
    for (const std::string& id : change.keys_removed) {
      text += fmt::format("  - key of {} {}\n", role, ShortId(id));
    }
    if (change.threshold == change.threshold_before) continue;
    text += fmt::format(
        "  threshold of {}: {}{}\n", role, change.threshold,
        change.threshold_before == 0 ? "" : fmt::format(", before: {}", change.threshold_before));
  }
  return text + ExpiryChange(state.root_draft->expires_unix_s, ExpiryOf(state.root));
}

std::string CustomText(const std::string& custom) {
  if (custom.empty()) return "";
  if (custom.size() <= kCustomShown) return fmt::format("    {}\n", Printable(custom));
  return fmt::format("    {} bytes that it says of itself: see draft/targets.json, or --json\n",
                     custom.size());
}

std::string TargetsChangesText(const State& state) {
  std::string text;
  for (const FileChange& change : Changes(state.targets, *state.targets_draft)) {
    text += fmt::format("  {} {}  {}  sha256 {}\n", change.added ? '+' : '-',
                        Printable(change.target.path), HumanBytes(change.target.length),
                        Hex(AsBytes(change.target.sha256)));
    if (change.added) text += CustomText(change.target.custom);
  }
  return text + ExpiryChange(state.targets_draft->expires_unix_s, ExpiryOf(state.targets));
}

// What a person who is to sign it has to know.
std::string DraftText(const State& state, const Waiting& draft) {
  std::string text =
      fmt::format("\n{} {}: {}\n", NameOf(draft.role), draft.version,
                  SignersText(draft.signatures, draft.wanted, draft.signed_by, draft.may_sign));
  if (draft.wanted_of_before > 0) {
    text += fmt::format("  by the root before {}\n",
                        SignersText(draft.signatures_of_before, draft.wanted_of_before,
                                    draft.signed_by_of_before, draft.may_sign_of_before));
  }
  const std::string changes =
      draft.role == Role::kRoot ? RootChangesText(state) : TargetsChangesText(state);
  return text + (changes.empty() ? "  changes nothing\n" : changes);
}

std::vector<std::string> Both(const std::vector<std::string>& one,
                              const std::vector<std::string>& other) {
  std::vector<std::string> both = one;
  both.insert(both.end(), other.begin(), other.end());
  return both;
}

ordered_json RolesJson(const std::vector<RoleChange>& changes) {
  ordered_json all = ordered_json::array();
  for (const RoleChange& change : changes) {
    all.push_back({{"role", NameOf(change.role)},
                   {"keysAdded", change.keys_added},
                   {"keysRemoved", change.keys_removed},
                   {"threshold", change.threshold},
                   {"thresholdBefore", change.threshold_before}});
  }
  return all;
}

ordered_json FilesJson(const std::vector<FileChange>& changes) {
  ordered_json all = ordered_json::array();
  for (const FileChange& change : changes) {
    ordered_json one{{"change", change.added ? "added" : "removed"}};
    one.update(TargetJson(change.target));
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace

std::string ShortId(const std::string& id) { return id.substr(0, kIdShown); }

std::string ExpiryText(int64_t unix_s) { return LocalTime(unix_s * kNanosPerSecond); }

absl::Status CheckSpan(const char* option, uint32_t value, uint32_t most) {
  if (value >= 1 && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} can't be {}: it is from 1 to {}", option, value, most));
}

ordered_json TargetJson(const tuf::Target& target) {
  return {{"path", target.path},
          {"length", std::to_string(target.length)},
          {"sha256", Hex(AsBytes(target.sha256))},
          {"custom",
           target.custom.empty() ? ordered_json::object() : ordered_json::parse(target.custom)}};
}

std::string TargetsText(const tuf::Targets& targets) {
  Table table({{"TARGET"}, {"SIZE", true}, {"SHA-256"}});
  for (const auto& [path, target] : targets.targets) {
    table.Add({path, HumanBytes(target.length), Hex(AsBytes(target.sha256))});
  }
  return table.empty() ? "No targets.\n" : table.Render();
}

absl::StatusOr<ordered_json> DraftsJson(const tuf::Repository& repository) {
  ASSIGN_OR_RETURN(const State state, Look(repository));
  ordered_json all = ordered_json::array();
  for (const Waiting& draft : state.drafts) {
    const bool root = draft.role == Role::kRoot;
    ordered_json one{
        {"role", NameOf(draft.role)},
        {"version", draft.version},
        {"expires", tuf::WriteTime(root ? state.root_draft->expires_unix_s
                                        : state.targets_draft->expires_unix_s)},
        {"signatures", draft.signatures},
        {"threshold", draft.wanted},
        {"keys", Both(draft.signed_by, draft.may_sign)},
        {"signed", draft.signed_by},
        {"signaturesOfRootBefore", draft.signatures_of_before},
        {"thresholdOfRootBefore", draft.wanted_of_before},
        {"keysOfRootBefore", Both(draft.signed_by_of_before, draft.may_sign_of_before)},
        {"signedByRootBefore", draft.signed_by_of_before},
        {"complete", draft.complete()}};
    if (root) {
      one["roles"] = RolesJson(Changes(state.root, *state.root_draft));
    } else {
      one["files"] = FilesJson(Changes(state.targets, *state.targets_draft));
    }
    all.push_back(std::move(one));
  }
  return all;
}

absl::StatusOr<std::string> DraftsText(const tuf::Repository& repository) {
  ASSIGN_OR_RETURN(const State state, Look(repository));
  if (state.drafts.empty()) return "No drafts.\n";
  Table table({{"DRAFT"}, {"VERSION", true}, {"SIGNATURES"}, {"NEXT"}});
  std::string details;
  for (const Waiting& draft : state.drafts) {
    table.Add({std::string(NameOf(draft.role)), std::to_string(draft.version),
               SignaturesText(draft),
               draft.complete() ? "gleaner release refresh" : "gleaner release sign"});
    details += DraftText(state, draft);
  }
  return table.Render() + details;
}

absl::Status PrintDrafts(const tuf::Repository& repository, bool json) {
  if (json) {
    ASSIGN_OR_RETURN(ordered_json drafts, DraftsJson(repository));
    ordered_json all = ordered_json::object();
    all["drafts"] = std::move(drafts);
    PrintJson(all);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::string text, DraftsText(repository));
  fmt::print("{}", text);
  return absl::OkStatus();
}

}  // namespace gleaner::cli
