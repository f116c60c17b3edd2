#include "edge/camera/camera_login.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "common/file.h"
#include "common/status.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

constexpr size_t kMaxPasswordBytes = 1024;
constexpr std::array<std::string_view, 3> kPasswordKeys = {"password", "password_file",
                                                           "password_env"};

absl::StatusOr<std::string> PasswordIn(const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxPasswordBytes));
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 && (info.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return absl::FailedPreconditionError(
        fmt::format("{} can be read by everyone; chmod o= it", path));
  }
  text.resize(std::min(text.size(), text.find_first_of("\r\n")));
  if (text.empty()) return absl::FailedPreconditionError(path + " is empty");
  return text;
}

absl::StatusOr<std::string> PasswordUnder(const std::string& variable) {
  // Nothing here changes the environment.
  const char* value = std::getenv(variable.c_str());  // NOLINT(concurrency-mt-unsafe)
  if (value == nullptr || *value == '\0') {
    return absl::FailedPreconditionError(
        fmt::format("the environment variable {} is not set", variable));
  }
  return std::string(value);
}

}  // namespace

absl::StatusOr<Credentials> CameraLogin::Load() const {
  Credentials credentials{user, password};
  if (!password_file.empty()) {
    ASSIGN_OR_RETURN(credentials.password, PasswordIn(password_file));
  } else if (!password_env.empty()) {
    ASSIGN_OR_RETURN(credentials.password, PasswordUnder(password_env));
  }
  return credentials;
}

CameraLogin CameraLogin::Read(ConfigReader& reader, const CameraAddress& address, bool try_it) {
  CameraLogin login;
  login.user = reader.String("user", "");
  login.password = reader.String("password", "");
  login.password_file = reader.Path("password_file", "");
  login.password_env = reader.String("password_env", "");
  std::string_view password_key;
  for (const std::string_view key : kPasswordKeys) {
    if (!reader.Has(key)) continue;
    if (!password_key.empty()) {
      reader.Error(key, fmt::format("and {} are both there: keep one", password_key));
    }
    password_key = key;
  }
  if (!reader.Has("user") && password_key.empty()) {
    login.user = address.user();
    login.password = address.password();
    return login;
  }
  const std::string_view key = reader.Has("user") ? "user" : password_key;
  if (address.shown().empty()) {
    // A mistake in the url, which has been noted.
  } else if (address.kind() != SourceKind::kRtsp) {
    reader.Error(key, "only an RTSP camera is logged in to");
  } else if (address.has_login()) {
    reader.Error(key, "and a login in the url are both there: keep one");
  } else if (login.user.empty()) {
    reader.Error(key, "needs the key user beside it, with a name");
  } else if (std::any_of(login.user.begin(), login.user.end(), absl::ascii_iscntrl)) {
    reader.Error(key, "holds a control character");
  } else if (try_it) {
    const auto credentials = login.Load();
    if (!credentials.ok()) reader.Error(password_key, Message(credentials.status()));
  }
  return login;
}

}  // namespace gleaner::edge
