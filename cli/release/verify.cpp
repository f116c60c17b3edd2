#include <fmt/format.h>

#include <memory>

#include "cli/json.h"
#include "cli/release/describe.h"
#include "cli/release/http_fetcher.h"
#include "cli/release/release.h"
#include "common/file.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/text.h"
#include "common/tuf/bounds.h"
#include "common/tuf/client.h"

namespace gleaner::cli {
namespace {

using nlohmann::ordered_json;

bool IsAddress(const std::string& text) {
  return text.starts_with("http://") || text.starts_with("https://");
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
  Table targets({{"TARGET"}, {"SIZE", true}, {"SHA-256"}});
  for (const auto& [path, target] : client.targets()->targets) {
    const std::string digest = Hex(AsBytes(target.sha256));
    targets.Add({path, HumanBytes(target.length), digest});
    all["targets"].push_back(
        {{"path", path},
         {"length", std::to_string(target.length)},
         {"sha256", digest},
         {"custom",
          target.custom.empty() ? ordered_json::object() : ordered_json::parse(target.custom)}});
  }
  if (options.json) {
    PrintJson(all);
    return absl::OkStatus();
  }
  fmt::print("{}{}", roles.Render(), targets.empty() ? "No targets.\n" : targets.Render());
  return absl::OkStatus();
}

}  // namespace gleaner::cli
