#include "common/tuf/signatures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "common/status.h"
#include "common/tuf/refusal.h"

namespace gleaner::tuf {
namespace {

struct Tally {
  std::vector<std::string> good;  // ids of different keys
  size_t wrong = 0;               // signatures under a key of the role that aren't its
  std::string stranger;           // a key that signed and is none of the role's
};

Tally Look(const Root& root, Role role, std::string_view payload,
           const std::vector<Signature>& signatures) {
  std::set<std::array<uint8_t, 32>> good;
  Tally tally;
  for (const Signature& signature : signatures) {
    const auto key = root.keys.find(signature.key_id);
    if (key == root.keys.end() || !Names(root, role, key->first)) {
      tally.stranger = signature.key_id;
    } else if (key->second.Verifies(payload, signature.bytes)) {
      if (good.insert(key->second.bytes).second) tally.good.push_back(key->first);
    } else {
      ++tally.wrong;
    }
  }
  return tally;
}

}  // namespace

bool Names(const Root& root, Role role, const std::string& key_id) {
  const std::vector<std::string>& ids = root.Of(role).key_ids;
  return std::find(ids.begin(), ids.end(), key_id) != ids.end();
}

std::vector<std::string> Signers(const Root& root, Role role, std::string_view payload,
                                 const std::vector<Signature>& signatures) {
  return Look(root, role, payload, signatures).good;
}

absl::Status AddSignature(const PrivateKey& key, std::string_view payload,
                          std::vector<Signature>* signatures) {
  ASSIGN_OR_RETURN(std::string bytes, key.Sign(payload));
  const std::string& id = key.public_key().id;
  std::erase_if(*signatures, [&](const Signature& one) { return one.key_id == id; });
  signatures->push_back({.key_id = id, .bytes = std::move(bytes)});
  return absl::OkStatus();
}

absl::Status CheckSignatures(const Root& root, Role role, std::string_view payload,
                             const std::vector<Signature>& signatures, std::string_view what) {
  const Tally tally = Look(root, role, payload, signatures);
  const uint32_t threshold = root.Of(role).threshold;
  if (tally.good.size() >= threshold) return absl::OkStatus();
  if (tally.wrong > 0) {
    return Refuse(Refusal::kBadSignature,
                  fmt::format("{}: a signature is not of these bytes: they were changed after they "
                              "were signed",
                              what));
  }
  if (tally.good.empty() && !tally.stranger.empty()) {
    return Refuse(Refusal::kWrongKey,
                  fmt::format("{}: it is signed by key {}, and root version {} names another for "
                              "{}: a stranger's, or one that was rotated out",
                              what, tally.stranger.substr(0, 16), root.version, NameOf(role)));
  }
  return Refuse(Refusal::kTooFewSignatures,
                fmt::format("{}: it has {} of the {} signatures that root version {} wants for {}",
                            what, tally.good.size(), threshold, root.version, NameOf(role)));
}

}  // namespace gleaner::tuf
