#include "common/tuf/metadata.h"

#include <fmt/format.h>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "common/tuf/bounds.h"

namespace gleaner::tuf {

std::string_view NameOf(Role role) {
  constexpr std::array<std::string_view, 4> kNames{"root", "timestamp", "snapshot", "targets"};
  return kNames.at(static_cast<size_t>(role));
}

size_t MaxBytes(Role role) {
  constexpr std::array<size_t, 4> kBytes{kMaxRootBytes, kMaxTimestampBytes, kMaxSnapshotBytes,
                                         kMaxTargetsBytes};
  return kBytes.at(static_cast<size_t>(role));
}

MetaFile MetaFile::Of(uint64_t version, std::string_view bytes) {
  return {.version = version, .length = bytes.size(), .sha256 = Sha256::Of(bytes)};
}

std::string Target::RemotePath() const {
  const size_t slash = path.rfind('/');
  const size_t base = slash == std::string::npos ? 0 : slash + 1;
  return fmt::format("{}{}.{}", path.substr(0, base), Hex(AsBytes(sha256)), path.substr(base));
}

bool IsTargetPath(std::string_view path) {
  if (path.empty() || path.size() > kMaxTargetPathBytes) return false;
  bool begins = true;  // a component
  for (const char c : path) {
    if (c == '/') {
      if (begins) return false;
      begins = true;
      continue;
    }
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '+';
    if (!plain || (begins && c == '.')) return false;
    begins = false;
  }
  return !begins;
}

std::optional<int64_t> ReadTime(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:ddZ";
  if (text.size() != kForm.size()) return std::nullopt;
  for (size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kForm[i] == 'd' ? !digit : text[i] != kForm[i]) return std::nullopt;
  }
  const auto number = [&](size_t at, size_t digits) {
    int value = 0;
    for (size_t i = at; i < at + digits; ++i) value = value * 10 + (text[i] - '0');
    return value;
  };
  const absl::CivilSecond civil(number(0, 4), number(5, 2), number(8, 2), number(11, 2),
                                number(14, 2), number(17, 2));
  const int64_t unix_s = absl::ToUnixSeconds(absl::FromCivil(civil, absl::UTCTimeZone()));
  // 30 February would be 2 March, which is not what was written.
  if (WriteTime(unix_s) != text) return std::nullopt;
  return unix_s;
}

std::string WriteTime(int64_t unix_s) {
  const absl::CivilSecond civil =
      absl::ToCivilSecond(absl::FromUnixSeconds(unix_s), absl::UTCTimeZone());
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", civil.year(), civil.month(),
                     civil.day(), civil.hour(), civil.minute(), civil.second());
}

}  // namespace gleaner::tuf
