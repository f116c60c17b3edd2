#include "cloud/http/request_target.h"

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"

namespace gleaner::cloud {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Nothing if an escape is cut short or means NUL, which ends a string for whoever reads on in C.
std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      if (text.size() - i < 3) return std::nullopt;
      const int high = HexDigit(text[i + 1]), low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return decoded;
}

bool StartsWithIgnoringCase(std::string_view text, std::string_view prefix) {
  return absl::StartsWithIgnoreCase({text.data(), text.size()}, {prefix.data(), prefix.size()});
}

}  // namespace

bool IsHost(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("-._~%!$&'()*+;=:[]").find(c) != std::string_view::npos;
  });
}

absl::Status ParseRequestTarget(std::string_view target, std::string_view host,
                                HttpRequest* request) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!StartsWithIgnoringCase(target, scheme)) continue;
    target.remove_prefix(scheme.size());
    const std::string_view authority = target.substr(0, target.find_first_of("/?"));
    if (!absl::EqualsIgnoreCase({authority.data(), authority.size()}, {host.data(), host.size()})) {
      return absl::InvalidArgumentError("the address names another host than the Host field");
    }
    target.remove_prefix(authority.size());
    break;
  }
  const size_t mark = target.find('?');
  std::string_view raw_path = target.substr(0, mark);
  if (raw_path.empty() && (target.empty() || mark == 0)) raw_path = "/";  // http://host?query
  if (!raw_path.starts_with('/')) {
    return absl::InvalidArgumentError("the address does not start with a slash");
  }
  if (std::any_of(target.begin(), target.end(),
                  [](char c) { return c == '#' || static_cast<unsigned char>(c) >= 0x7f; })) {
    return absl::InvalidArgumentError("the address holds a character that must be percent-encoded");
  }
  auto path = PercentDecode(raw_path, false);
  if (!path)
    return absl::InvalidArgumentError("the address holds a percent sign without two digits");
  request->path = *std::move(path);
  request->query.clear();
  if (mark == std::string_view::npos) return absl::OkStatus();
  for (std::string_view rest = target.substr(mark + 1); !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.size(), pair.find('='));
    auto name = PercentDecode(pair.substr(0, equals), true);
    auto value = PercentDecode(pair.substr(std::min(pair.size(), equals + 1)), true);
    if (!name || !value) {
      return absl::InvalidArgumentError("the query holds a percent sign without two digits");
    }
    request->query.emplace(*std::move(name), *std::move(value));
  }
  return absl::OkStatus();
}

}  // namespace gleaner::cloud
