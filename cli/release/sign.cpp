#include <fmt/format.h>

#include "cli/json.h"
#include "cli/release/describe.h"
#include "cli/release/folder.h"
#include "cli/release/release.h"
#include "common/status.h"
#include "common/tuf/repository.h"

namespace gleaner::cli {

absl::Status SignDrafts(const std::string& folder, const std::vector<std::string>& files,
                        bool json) {
  ASSIGN_OR_RETURN(tuf::Repository repository, OpenFolder(folder));
  // All are read before the first signs: a mistake in the last leaves nothing half done.
  std::vector<tuf::PrivateKey> keys;
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(tuf::PrivateKey key, tuf::PrivateKey::Read(file));
    keys.push_back(std::move(key));
  }
  std::string text;
  nlohmann::ordered_json all{{"signed", nlohmann::ordered_json::array()}};
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto done = repository.Sign(keys[i]);
    if (!done.ok()) return Annotate(done.status(), files[i]);
    const std::string& id = keys[i].public_key().id;
    for (const tuf::Repository::Signing& one : *done) {
      text += fmt::format("{} {} {} {}{}\n", ShortId(id), one.had_signed ? "had signed" : "signed",
                          NameOf(one.role), one.version, one.had_signed ? " already" : "");
      all["signed"].push_back({{"key", id},
                               {"role", NameOf(one.role)},
                               {"version", one.version},
                               {"hadSigned", one.had_signed}});
    }
  }
  if (json) {
    ASSIGN_OR_RETURN(all["drafts"], DraftsJson(repository));
    PrintJson(all);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::string drafts, DraftsText(repository));
  fmt::print("{}\n{}", text, drafts);
  return absl::OkStatus();
}

}  // namespace gleaner::cli
