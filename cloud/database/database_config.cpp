#include "cloud/database/database_config.h"

#include "cloud/database/postgres.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kMaxUrlBytes = 4096;

}  // namespace

std::string ReadDatabaseConfig(ConfigReader database) {
  std::string url = database.String("url", "");
  std::string_view key = "url";
  if (const std::string file = database.Path("url_file", ""); !file.empty()) {
    key = "url_file";
    if (!url.empty()) database.Error(key, "url is set as well; only one of the two");
    auto text = ReadSecret(file, kMaxUrlBytes);
    if (!text.ok()) {
      database.Error(key, Message(text.status()));
      return "";
    }
    url = *std::move(text);
    while (!url.empty() && (url.back() == '\n' || url.back() == '\r')) url.pop_back();
  }
  if (url.empty()) return url;
  if (!IsPostgres(url)) {
    database.Error(
        key,
        "must begin with postgresql://, as in \"postgresql://gleaner@db.example/gleaner\"; "
        "without it the catalog is a file in server.data_dir");
  }
  return url;
}

}  // namespace gleaner::cloud
