#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "cli/json.h"
#include "cli/release/describe.h"
#include "cli/release/folder.h"
#include "cli/release/http_fetcher.h"
#include "cli/release/release.h"
#include "common/file.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/tuf/bounds.h"
#include "common/tuf/client.h"
#include "common/tuf/repository.h"

namespace gleaner::cli {
namespace {

using nlohmann::ordered_json;

// What a folder that has neither its first root nor a timestamp is; OK for others.
absl::Status CheckPublished(const std::string& folder, bool has_root) {
  const auto has = [&](const char* file) {
    std::error_code error;
    return std::filesystem::exists(folder + "/" + file, error);
  };
  if (has("1.root.json") || has("timestamp.json")) return absl::OkStatus();
  if (has("draft/root.json")) {
    return absl::FailedPreconditionError(fmt::format(
        "{}: nothing is published yet: `gleaner release sign`, then `gleaner release refresh`",
        Printable(folder)));
  }
  // With a root that was brought along the refusal's name says what is missing.
  if (has_root) return absl::OkStatus();
  return tuf::Repository::Open(folder).status();
}

}  // namespace

absl::Status VerifyRepository(const VerifyOptions& options, const Clock& clock) {
  std::unique_ptr<tuf::Fetcher> fetcher;
  std::string root_path = options.root;
  if (IsAddress(options.repository)) {
    if (root_path.empty()) {
      return absl::InvalidArgumentError(
          "verify wants --root: whom to trust is nothing to ask the server itself");
    }
    ASSIGN_OR_RETURN(fetcher, HttpFetcher::Connect(options.repository, options.ca));
  } else {
    RETURN_IF_ERROR(CheckPublished(options.repository, !root_path.empty()));
    fetcher = std::make_unique<tuf::FolderFetcher>(options.repository);
    if (root_path.empty()) root_path = options.repository + "/1.root.json";
  }
  ASSIGN_OR_RETURN(const std::string root, ReadFile(root_path, tuf::kMaxRootBytes));
  ASSIGN_OR_RETURN(tuf::Client client,
                   tuf::Client::Open({.packaged_root = root, .state_path = options.state}, clock));
  if (!client.note().empty()) fmt::print(stderr, "gleaner: {}\n", client.note());
  RETURN_IF_ERROR(client.Refresh(*fetcher));
  for (const auto& [path, target] : client.targets()->targets) {
    RETURN_IF_ERROR(
        tuf::FetchTarget(*fetcher, target, [](std::string_view) { return absl::OkStatus(); }));
  }

  Table roles({{"ROLE"}, {"VERSION", true}, {"EXPIRES"}});
  ordered_json all{{"roles", ordered_json::array()}, {"targets", ordered_json::array()}};
  const auto role = [&](const auto& content) {
    const std::string name(NameOf(content.kRole));
    roles.Add({name, std::to_string(content.version), ExpiryText(content.expires_unix_s)});
    all["roles"].push_back({{"role", name},
                            {"version", content.version},
                            {"expires", tuf::WriteTime(content.expires_unix_s)}});
  };
  role(client.root());
  role(*client.timestamp());
  role(*client.snapshot());
  role(*client.targets());
  for (const auto& [path, target] : client.targets()->targets) {
    all["targets"].push_back(TargetJson(target));
  }
  if (options.json) {
    PrintJson(all);
    return absl::OkStatus();
  }
  fmt::print("{}{}", roles.Render(), TargetsText(*client.targets()));
  return absl::OkStatus();
}

}  // namespace gleaner::cli
