// What changes a repository's drafts.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "cli/json.h"
#include "cli/release/describe.h"
#include "cli/release/folder.h"
#include "cli/release/release.h"
#include "common/file.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/tuf/bounds.h"
#include "common/tuf/refusal.h"
#include "common/tuf/repository.h"

namespace gleaner::cli {
namespace {

using tuf::Role;

constexpr int64_t kDay = 86'400;

struct RoleAnd {
  Role role;
  std::string value;
};

// "targets=keys/anna.pub".
absl::StatusOr<RoleAnd> SplitRole(const char* option, const std::string& text) {
  const size_t equals = text.find('=');
  for (const Role role : tuf::kRoles) {
    if (equals != std::string::npos && text.substr(0, equals) == NameOf(role)) {
      return RoleAnd{role, text.substr(equals + 1)};
    }
  }
  return absl::InvalidArgumentError(
      fmt::format("{} can't be \"{}\": it is a role and what it gets, such as targets=…; the roles "
                  "are root, targets, snapshot and timestamp",
                  option, Printable(text.substr(0, 128))));
}

absl::Status AddKey(tuf::Root& root, const std::string& text) {
  ASSIGN_OR_RETURN(const RoleAnd given, SplitRole("--key", text));
  ASSIGN_OR_RETURN(const std::string file, ReadFile(given.value, 64 * 1024));
  // The holder keeps the private key; that it was given is a mistake that can be told.
  if (file.find("PRIVATE KEY") != std::string::npos) {
    return absl::InvalidArgumentError(
        fmt::format("--key: {} is a private key; give the file beside it, {}.pub",
                    Printable(given.value), Printable(given.value)));
  }
  const auto key = tuf::PublicKey::Parse(file, given.value);
  if (!key.ok()) {
    return absl::InvalidArgumentError(fmt::format("--key: {}", Message(key.status())));
  }
  root.keys[key->id] = *key;
  std::vector<std::string>& ids = root.Of(given.role).key_ids;
  if (std::find(ids.begin(), ids.end(), key->id) == ids.end()) ids.push_back(key->id);
  return absl::OkStatus();
}

absl::Status RetireKey(tuf::Root& root, const std::optional<tuf::Signed<tuf::Root>>& published,
                       const std::string& text) {
  ASSIGN_OR_RETURN(const RoleAnd given, SplitRole("--retire", text));
  std::vector<std::string>& ids = root.Of(given.role).key_ids;
  const auto begins = [&](const std::string& id) { return id.starts_with(given.value); };
  const auto matches = std::count_if(ids.begin(), ids.end(), begins);
  if (matches == 0 && published.has_value() && !given.value.empty()) {
    for (const std::string& id : published->content.Of(given.role).key_ids) {
      if (!begins(id)) continue;
      return absl::InvalidArgumentError(fmt::format(
          "--retire: the draft of root has dropped key {} of {} already; `gleaner release discard "
          "DIR root` withdraws it",
          ShortId(id), NameOf(given.role)));
    }
  }
  if (given.value.empty() || matches != 1) {
    return absl::InvalidArgumentError(fmt::format(
        "--retire: {} of the keys of {} begin with \"{}\"", matches == 0 ? "none" : "several",
        NameOf(given.role), Printable(given.value.substr(0, 64))));
  }
  std::erase_if(ids, begins);
  return absl::OkStatus();
}

absl::Status SetThreshold(tuf::Root& root, const std::string& text) {
  ASSIGN_OR_RETURN(const RoleAnd given, SplitRole("--threshold", text));
  uint32_t number = 0;
  const char* const end = given.value.data() + given.value.size();
  const auto [stop, wrong] = std::from_chars(given.value.data(), end, number);
  if (wrong != std::errc() || stop != end || number < 1 || number > tuf::kMaxKeys) {
    return absl::InvalidArgumentError(
        fmt::format("--threshold can't be \"{}\": it is a role and a number from 1 to {}, such as "
                    "root=2",
                    Printable(text.substr(0, 64)), tuf::kMaxKeys));
  }
  root.Of(given.role).threshold = number;
  return absl::OkStatus();
}

absl::Status ChangeRoot(const DraftRootOptions& options, const Clock& clock,
                        const std::optional<tuf::Signed<tuf::Root>>& published, tuf::Root& root) {
  RETURN_IF_ERROR(CheckSpan("--days", options.days, kMaxDays));
  for (const std::string& text : options.keys) RETURN_IF_ERROR(AddKey(root, text));
  for (const std::string& text : options.retire) {
    RETURN_IF_ERROR(RetireKey(root, published, text));
  }
  for (const std::string& text : options.thresholds) RETURN_IF_ERROR(SetThreshold(root, text));
  root.expires_unix_s = clock.WallNs() / kNanosPerSecond + options.days * kDay;
  // Keys that no role names any longer are nobody's.
  std::erase_if(root.keys, [&](const auto& entry) {
    return std::none_of(root.roles.begin(), root.roles.end(), [&](const tuf::RoleKeys& role) {
      return std::find(role.key_ids.begin(), role.key_ids.end(), entry.first) != role.key_ids.end();
    });
  });
  for (const Role role : tuf::kRoles) {
    const tuf::RoleKeys& of = root.Of(role);
    if (of.key_ids.empty()) {
      return absl::InvalidArgumentError(fmt::format(
          "{} has no key; give it one with --key {}=FILE.pub", NameOf(role), NameOf(role)));
    }
    if (of.threshold > of.key_ids.size()) {
      return absl::InvalidArgumentError(
          fmt::format("{} wants {} signatures and has fewer keys: give it more with --key, or "
                      "lower --threshold",
                      NameOf(role), of.threshold));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status InitRepository(const DraftRootOptions& options, const Clock& clock) {
  RETURN_IF_ERROR(CheckFolder(options.repository));
  tuf::Root root;
  RETURN_IF_ERROR(ChangeRoot(options, clock, std::nullopt, root));
  const int64_t targets_expire = clock.WallNs() / kNanosPerSecond + kTargetsDays * kDay;
  ASSIGN_OR_RETURN(const tuf::Repository repository,
                   tuf::Repository::Create(options.repository, std::move(root), targets_expire));
  return PrintDrafts(repository, options.json);
}

absl::Status RotateRoot(const DraftRootOptions& options, const Clock& clock) {
  ASSIGN_OR_RETURN(tuf::Repository repository, OpenFolder(options.repository));
  ASSIGN_OR_RETURN(tuf::Signed<tuf::Root> root, repository.NextRoot());
  ASSIGN_OR_RETURN(const auto published, repository.PublishedRoot());
  RETURN_IF_ERROR(ChangeRoot(options, clock, published, root.content));
  RETURN_IF_ERROR(repository.DraftRoot(std::move(root.content)));
  return PrintDrafts(repository, options.json);
}

absl::Status AddTargets(const AddTargetsOptions& options, const Clock& clock) {
  RETURN_IF_ERROR(CheckSpan("--days", options.days, kMaxDays));
  if (options.files.size() != 1 && (!options.path.empty() || !options.custom.empty())) {
    return absl::InvalidArgumentError("--as and --custom are of a single file");
  }
  const int64_t expires = clock.WallNs() / kNanosPerSecond + options.days * kDay;
  ASSIGN_OR_RETURN(tuf::Repository repository, OpenFolder(options.repository));
  for (const std::string& file : options.files) {
    const std::string path =
        options.path.empty() ? std::filesystem::path(file).filename().string() : options.path;
    absl::Status added = repository.AddTarget(file, path, options.custom, expires).status();
    if (tuf::RefusalOf(added) == tuf::Refusal::kMalformed) {
      added = absl::InvalidArgumentError(fmt::format("--custom: {}", Message(added)));
    }
    RETURN_IF_ERROR(added);
  }
  if (options.files.empty()) {
    ASSIGN_OR_RETURN(tuf::Signed<tuf::Targets> targets, repository.NextTargets());
    targets.content.expires_unix_s = expires;
    RETURN_IF_ERROR(repository.DraftTargets(std::move(targets.content)));
  }
  return PrintDrafts(repository, options.json);
}

absl::Status RemoveTargets(const std::string& folder, const std::vector<std::string>& paths,
                           bool json) {
  ASSIGN_OR_RETURN(tuf::Repository repository, OpenFolder(folder));
  ASSIGN_OR_RETURN(tuf::Signed<tuf::Targets> targets, repository.NextTargets());
  for (const std::string& path : paths) {
    if (targets.content.targets.erase(path) == 0) {
      return absl::NotFoundError(
          fmt::format("the targets have no \"{}\"", Printable(path.substr(0, 128))));
    }
  }
  RETURN_IF_ERROR(repository.DraftTargets(std::move(targets.content)));
  return PrintDrafts(repository, json);
}

absl::Status DiscardDraft(const std::string& folder, const std::string& name, bool json) {
  if (name != NameOf(Role::kRoot) && name != NameOf(Role::kTargets)) {
    return absl::InvalidArgumentError(fmt::format(
        "ROLE can't be \"{}\": root and targets have drafts", Printable(name.substr(0, 64))));
  }
  const Role role = name == NameOf(Role::kRoot) ? Role::kRoot : Role::kTargets;
  ASSIGN_OR_RETURN(tuf::Repository repository, OpenFolder(folder));
  ASSIGN_OR_RETURN(const std::vector<Role> gone, repository.Discard(role));
  if (json) {
    nlohmann::ordered_json all{{"discarded", nlohmann::ordered_json::array()}};
    for (const Role one : gone) all["discarded"].push_back(NameOf(one));
    ASSIGN_OR_RETURN(all["drafts"], DraftsJson(repository));
    PrintJson(all);
    return absl::OkStatus();
  }
  for (const Role one : gone) fmt::print("The draft of {} is discarded.\n", NameOf(one));
  if (gone.empty()) {
    fmt::print("The changes of {} are discarded; the draft of root needs a draft of them.\n", name);
  }
  return PrintDrafts(repository, false);
}

}  // namespace gleaner::cli
