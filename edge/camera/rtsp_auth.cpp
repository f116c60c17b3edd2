#include "edge/camera/rtsp_auth.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "common/digest.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

constexpr size_t kMaxChallenges = 16;

bool Same(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase({a.data(), a.size()}, {b.data(), b.size()});
}

// Reads the list of challenges in a header (RFC 7235, 4.1): schemes, each followed by parameters,
// with commas between all of them.
class ChallengeReader {
 public:
  explicit ChallengeReader(std::string_view text) : text_(text) {}

  struct Scheme {
    std::string name;
    std::vector<std::pair<std::string, std::string>> parameters;
  };

  std::vector<Scheme> Read() {
    std::vector<Scheme> schemes;
    while (schemes.size() < kMaxChallenges) {
      Skip(", \t");
      const std::string_view word = Token();
      if (word.empty()) {  // nothing, or what no list has: the padding of another scheme's token
        if (at_ == text_.size()) break;
        ++at_;
        continue;
      }
      Skip(" \t");
      if (!Take('=')) {
        schemes.push_back({std::string(word), {}});
        continue;
      }
      Skip(" \t");
      std::string value = Take('"') ? Quoted() : std::string(Token());
      if (schemes.empty()) break;  // a parameter of no scheme
      schemes.back().parameters.emplace_back(word, std::move(value));
    }
    return schemes;
  }

 private:
  void Skip(std::string_view characters) {
    while (at_ < text_.size() && characters.find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool Take(char c) {
    const bool there = at_ < text_.size() && text_[at_] == c;
    if (there) ++at_;
    return there;
  }
  std::string_view Token() {
    const size_t begin = at_;
    while (at_ < text_.size() &&
           std::string_view(", \t=\"").find(text_[at_]) == std::string::npos) {
      ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }
  std::string Quoted() {
    std::string value;
    while (at_ < text_.size() && !Take('"')) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      value += text_[at_++];
    }
    return value;
  }

  std::string_view text_;
  size_t at_ = 0;
};

bool HasWord(std::string_view list, std::string_view word) {
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const absl::string_view item = absl::StripAsciiWhitespace({list.data() + begin, end - begin});
    if (Same({item.data(), item.size()}, word)) return true;
    begin = end + 1;
  }
  return false;
}

std::optional<LoginChallenge> Understand(const ChallengeReader::Scheme& scheme) {
  LoginChallenge challenge;
  const bool digest = Same(scheme.name, "Digest");
  if (!digest && !Same(scheme.name, "Basic")) return std::nullopt;
  bool has_qop = false;
  for (const auto& [name, value] : scheme.parameters) {
    if (Same(name, "realm")) challenge.realm = value;
    if (Same(name, "nonce")) challenge.nonce = value;
    if (Same(name, "opaque")) {
      challenge.opaque = value;
      challenge.has_opaque = true;
    }
    if (Same(name, "algorithm")) challenge.algorithm = value;
    if (Same(name, "stale")) challenge.stale = Same(value, "true");
    if (Same(name, "userhash")) challenge.userhash = Same(value, "true");
    if (Same(name, "qop")) {
      has_qop = true;
      challenge.qop_auth = HasWord(value, "auth");
    }
  }
  if (!digest) return challenge;
  std::string_view algorithm = challenge.algorithm;
  constexpr std::string_view kSession = "-sess";
  if (algorithm.size() > kSession.size() &&
      Same(algorithm.substr(algorithm.size() - kSession.size()), kSession)) {
    challenge.session = true;
    algorithm.remove_suffix(kSession.size());
  }
  if (algorithm.empty() || Same(algorithm, "MD5")) {
    challenge.scheme = LoginScheme::kMd5;
  } else if (Same(algorithm, "SHA-256")) {
    challenge.scheme = LoginScheme::kSha256;
  } else if (Same(algorithm, "SHA-512-256")) {
    challenge.scheme = LoginScheme::kSha512_256;
  } else {
    return std::nullopt;
  }
  if (challenge.nonce.empty() || (has_qop && !challenge.qop_auth)) return std::nullopt;
  return challenge;
}

std::string Hash(LoginScheme scheme, std::string_view text) {
  const EVP_MD* algorithm = scheme == LoginScheme::kMd5      ? EVP_md5()
                            : scheme == LoginScheme::kSha256 ? EVP_sha256()
                                                             : EVP_sha512_256();
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, algorithm, nullptr) != 1) {
    size = 0;  // forbidden on this machine: the camera will refuse what is empty
  }
  return Hex({reinterpret_cast<const char*>(digest.data()), size});
}

std::string Quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

std::string_view ToString(LoginScheme scheme) {
  switch (scheme) {
    case LoginScheme::kBasic:
      return "Basic";
    case LoginScheme::kMd5:
      return "MD5 digest";
    case LoginScheme::kSha256:
      return "SHA-256 digest";
    case LoginScheme::kSha512_256:
      return "SHA-512-256 digest";
  }
  return "";
}

std::optional<LoginChallenge> StrongestChallenge(const std::vector<std::string>& headers) {
  std::optional<LoginChallenge> best;
  for (const std::string& header : headers) {
    for (const ChallengeReader::Scheme& scheme : ChallengeReader(header).Read()) {
      std::optional<LoginChallenge> challenge = Understand(scheme);
      if (challenge && (!best || challenge->scheme > best->scheme)) best = std::move(challenge);
    }
  }
  return best;
}

std::string Authorization(const LoginChallenge& challenge, const Credentials& credentials,
                          std::string_view method, std::string_view uri, uint32_t count,
                          std::string_view cnonce) {
  if (challenge.scheme == LoginScheme::kBasic) {
    return "Basic " + absl::Base64Escape(credentials.user + ":" + credentials.password);
  }
  const auto hash = [&](std::string_view text) { return Hash(challenge.scheme, text); };
  const std::string nc = fmt::format("{:08x}", count);
  std::string key =
      hash(fmt::format("{}:{}:{}", credentials.user, challenge.realm, credentials.password));
  if (challenge.session) key = hash(fmt::format("{}:{}:{}", key, challenge.nonce, cnonce));
  const std::string request = hash(fmt::format("{}:{}", method, uri));
  const std::string response =
      challenge.qop_auth
          ? hash(fmt::format("{}:{}:{}:{}:auth:{}", key, challenge.nonce, nc, cnonce, request))
          : hash(fmt::format("{}:{}:{}", key, challenge.nonce, request));
  const std::string user = challenge.userhash
                               ? hash(fmt::format("{}:{}", credentials.user, challenge.realm))
                               : credentials.user;
  std::string header =
      fmt::format("Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\"", Quote(user),
                  Quote(challenge.realm), Quote(challenge.nonce), Quote(uri), response);
  if (!challenge.algorithm.empty()) header += ", algorithm=" + challenge.algorithm;
  if (challenge.has_opaque) header += ", opaque=" + Quote(challenge.opaque);
  if (challenge.qop_auth) header += fmt::format(", qop=auth, nc={}", nc);
  if (challenge.qop_auth || challenge.session) header += ", cnonce=" + Quote(cnonce);
  if (challenge.userhash) header += ", userhash=true";
  return header;
}

std::string NewCnonce() {
  std::array<uint8_t, 16> bytes{};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  return Hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace gleaner::edge
