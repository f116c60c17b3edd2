#include "tests/edge/camera/camera_door.h"

#include <openssl/evp.h>

#include <map>

#include "common/digest.h"
#include "fmt/format.h"

extern "C" {
#include <libavutil/base64.h>
}

namespace gleaner::edge {
namespace {

std::string Hash(const std::string& scheme, const std::string& text) {
  const EVP_MD* algorithm = scheme.starts_with("MD5")       ? EVP_md5()
                            : scheme.starts_with("SHA-256") ? EVP_sha256()
                                                            : EVP_sha512_256();
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, algorithm, nullptr);
  return Hex({reinterpret_cast<const char*>(digest), size});
}

// Of "Digest a="b", c=d": a to b and c to d.
std::map<std::string, std::string> Parameters(const std::string& header) {
  std::map<std::string, std::string> all;
  size_t at = header.find(' ');
  while (at < header.size()) {
    at = header.find_first_not_of(", ", at);
    const size_t equals = header.find('=', at);
    if (equals == std::string::npos) break;
    const std::string name = header.substr(at, equals - at);
    const bool quoted = header[equals + 1] == '"';
    const size_t begin = equals + (quoted ? 2 : 1);
    const size_t end = std::min(header.find(quoted ? '"' : ',', begin), header.size());
    all[name] = header.substr(begin, end - begin);
    at = end + 1;
  }
  return all;
}

}  // namespace

struct CameraDoor::State {
  CameraDoorOptions options;
  std::mutex mutex;
  int nonce = 1;
  int uses = 0;  // of the nonce
  int refused = 0;
  std::string scheme;

  std::string Nonce() const { return fmt::format("nonce{}", nonce); }

  std::string Challenges(bool stale) const {
    std::vector<std::string> challenges;
    for (const std::string& scheme : options.schemes) {
      if (scheme == "Basic") {
        challenges.push_back("Basic realm=\"cam\"");
        continue;
      }
      challenges.push_back(fmt::format("Digest realm=\"cam\", nonce=\"{}\", algorithm={}{}{}",
                                       Nonce(), scheme,
                                       options.qop ? ", qop=\"auth,auth-int\"" : "",
                                       stale && options.tells_stale ? ", stale=true" : ""));
    }
    if (options.one_header) {
      return fmt::format("WWW-Authenticate: {}\r\n", fmt::join(challenges, ", "));
    }
    std::string headers;
    for (const auto& challenge : challenges) headers += "WWW-Authenticate: " + challenge + "\r\n";
    return headers;
  }

  // "" where the login is wrong.
  std::string SchemeOf(const std::string& login, const std::string& method) const {
    if (login.starts_with("Basic ")) {
      uint8_t text[256] = {};
      const int size = av_base64_decode(text, login.c_str() + 6, sizeof text);
      const std::string given(reinterpret_cast<const char*>(text), std::max(size, 0));
      return given == options.user + ":" + options.password ? "Basic" : "";
    }
    auto answer = Parameters(login);
    const std::string scheme = answer["algorithm"];
    const auto hash = [&](const std::string& text) { return Hash(scheme, text); };
    std::string key = hash(options.user + ":cam:" + options.password);
    if (scheme.ends_with("-sess")) {
      key = hash(key + ":" + answer["nonce"] + ":" + answer["cnonce"]);
    }
    std::string between = answer["nonce"];
    if (options.qop) between += ":" + answer["nc"] + ":" + answer["cnonce"] + ":auth";
    const std::string response =
        hash(key + ":" + between + ":" + hash(method + ":" + answer["uri"]));
    const bool right = answer["username"] == options.user && answer["response"] == response &&
                       (!options.qop || answer["qop"] == "auth");
    return right ? scheme : "";
  }
};

CameraDoor::CameraDoor(CameraDoorOptions options) : state_(std::make_shared<State>()) {
  state_->options = std::move(options);
}

std::optional<RtspBehavior::Answer> CameraDoor::operator()(const RtspRequest& request) const {
  std::lock_guard lock(state_->mutex);
  State& state = *state_;
  // What a camera can do it says to everybody, but within a session.
  if (request.method == "OPTIONS" && !request.headers.contains("session")) return std::nullopt;
  const auto login = request.headers.find("authorization");
  bool stale = false;
  if (login != request.headers.end()) {
    const std::string scheme = state.SchemeOf(login->second, request.method);
    stale = !scheme.empty() && scheme != "Basic" &&
            login->second.find("\"" + state.Nonce() + "\"") == std::string::npos;
    if (!scheme.empty() && !stale) {
      state.scheme = scheme;
      if (++state.uses == state.options.nonce_lasts) {
        ++state.nonce;
        state.uses = 0;
      }
      return std::nullopt;
    }
    if (!stale) ++state.refused;
    if (!stale && state.options.hangs_up) return RtspBehavior::Answer{};
  }
  return RtspBehavior::Answer{"401 Unauthorized", state.Challenges(stale)};
}

int CameraDoor::refused() const {
  std::lock_guard lock(state_->mutex);
  return state_->refused;
}

std::string CameraDoor::scheme() const {
  std::lock_guard lock(state_->mutex);
  return state_->scheme;
}

void CameraDoor::SetPassword(const std::string& password) const {
  std::lock_guard lock(state_->mutex);
  state_->options.password = password;
}

}  // namespace gleaner::edge
