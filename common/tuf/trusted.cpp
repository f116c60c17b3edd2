#include "common/tuf/trusted.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/file.h"
#include "common/status.h"
#include "common/tuf/bounds.h"

namespace gleaner::tuf {

using nlohmann::json;

absl::StatusOr<Trusted> LoadTrusted(const std::string& path) {
  // Escaped, a byte of JSON may become two.
  constexpr size_t kMaxBytes =
      2 * (kMaxRootBytes + kMaxTimestampBytes + kMaxSnapshotBytes + kMaxTargetsBytes) + 1024;
  absl::StatusOr<std::string> text = ReadFile(path, kMaxBytes);
  if (absl::IsNotFound(text.status())) return Trusted{};
  if (!text.ok()) return std::move(text).status();
  const json all = json::parse(*text, nullptr, false);
  Trusted trusted;
  if (!all.is_object()) {
    return absl::DataLossError(fmt::format("{}: this is no state of trusted metadata", path));
  }
  for (const Role role : kRoles) {
    const auto found = all.find(std::string(NameOf(role)));
    if (found != all.end() && found->is_string()) trusted.Of(role) = found->get<std::string>();
  }
  return trusted;
}

absl::Status SaveTrusted(const std::string& path, const Trusted& trusted) {
  json all = json::object();
  for (const Role role : kRoles) {
    if (!trusted.Of(role).empty()) all[std::string(NameOf(role))] = trusted.Of(role);
  }
  return WriteFileDurably(path, all.dump() + "\n");
}

}  // namespace gleaner::tuf
