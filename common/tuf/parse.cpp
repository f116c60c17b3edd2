// Metadata from bytes.
#include <fmt/format.h>

#include <algorithm>

#include "common/printable.h"
#include "common/status.h"
#include "common/tuf/bounds.h"
#include "common/tuf/document.h"
#include "common/tuf/hex.h"
#include "common/tuf/metadata.h"
#include "common/tuf/refusal.h"

namespace gleaner::tuf {
namespace {

using nlohmann::json;

// One object of a document, and how to say what is wrong in it.
class Object {
 public:
  static absl::StatusOr<Object> Of(const json& value, std::string where) {
    if (!value.is_object()) {
      return Refuse(Refusal::kMalformed, fmt::format("{} is not an object", where));
    }
    return Object(value, std::move(where));
  }

  absl::Status Wrong(std::string_view member, std::string_view wanted) const {
    return Refuse(Refusal::kMalformed,
                  fmt::format("{}.{} is not {}", where_, Printable(member.substr(0, 64)), wanted));
  }
  bool Has(const char* member) const { return value_->contains(member); }
  const json& all() const { return *value_; }

  absl::StatusOr<std::string> Text(const char* member) const {
    const auto found = value_->find(member);
    if (found == value_->end() || !found->is_string()) return Wrong(member, "a text");
    return found->get<std::string>();
  }
  absl::StatusOr<uint64_t> Number(const char* member, int64_t least, int64_t most) const {
    const auto found = value_->find(member);
    if (found == value_->end() || !found->is_number_integer() || found->get<int64_t>() < least ||
        found->get<int64_t>() > most) {
      return Wrong(member, fmt::format("a number from {} to {}", least, most));
    }
    return found->get<uint64_t>();
  }
  absl::StatusOr<Object> Member(const char* member) const {
    const auto found = value_->find(member);
    if (found == value_->end()) return Wrong(member, "there");
    return Of(*found, fmt::format("{}.{}", where_, member));
  }
  // The object that `member`, a name from outside, stands for.
  absl::StatusOr<Object> Entry(const std::string& member, const json& value) const {
    return Of(value, fmt::format("{}[\"{}\"]", where_, Printable(member.substr(0, 64))));
  }
  absl::StatusOr<const json*> Array(const char* member, size_t most) const {
    const auto found = value_->find(member);
    if (found == value_->end() || !found->is_array() || found->size() > most) {
      return Wrong(member, fmt::format("a list of at most {}", most));
    }
    return &*found;
  }

 private:
  Object(const json& value, std::string where) : value_(&value), where_(std::move(where)) {}

  const json* value_;
  std::string where_;
};

template <typename Bytes>
absl::Status ReadDigest(const Object& object, const char* member, Bytes& bytes) {
  ASSIGN_OR_RETURN(const std::string text, object.Text(member));
  if (ReadHex(text, bytes)) return absl::OkStatus();
  return object.Wrong(member, fmt::format("{} digits of lower-case hexadecimal", 2 * bytes.size()));
}

absl::StatusOr<PublicKey> ReadKey(const Object& form) {
  for (const char* member : {"keytype", "scheme"}) {
    ASSIGN_OR_RETURN(const std::string kind, form.Text(member));
    if (kind != "ed25519") return form.Wrong(member, "ed25519, the one kind that is used here");
  }
  ASSIGN_OR_RETURN(const Object value, form.Member("keyval"));
  PublicKey key;
  RETURN_IF_ERROR(ReadDigest(value, "public", key.bytes));
  // As the specification wants; of whatever else stands in the key, too.
  key.id = Hex(AsBytes(Sha256::Of(Canonical(form.all()))));
  return key;
}

absl::Status Fill(const Object& form, Root* root) {
  const auto consistent = form.all().find("consistent_snapshot");
  if (consistent == form.all().end() || !consistent->is_boolean() || !consistent->get<bool>()) {
    return form.Wrong("consistent_snapshot", "true: files are named after their versions here");
  }
  ASSIGN_OR_RETURN(const Object keys, form.Member("keys"));
  if (keys.all().size() > kMaxKeys) {
    return form.Wrong("keys", fmt::format("a list of at most {}", kMaxKeys));
  }
  for (const auto& [id, value] : keys.all().items()) {
    ASSIGN_OR_RETURN(const Object entry, keys.Entry(id, value));
    ASSIGN_OR_RETURN(PublicKey key, ReadKey(entry));
    if (key.id != id) return keys.Wrong(id, "the digest of the key that stands under it");
    root->keys.emplace(id, std::move(key));
  }
  ASSIGN_OR_RETURN(const Object roles, form.Member("roles"));
  for (const Role role : kRoles) {
    const std::string name(NameOf(role));
    ASSIGN_OR_RETURN(const Object entry, roles.Member(name.c_str()));
    ASSIGN_OR_RETURN(const json* const ids, entry.Array("keyids", kMaxKeys));
    RoleKeys& of_role = root->Of(role);
    for (const json& id : *ids) {
      if (!id.is_string() || !root->keys.contains(id.get_ref<const std::string&>())) {
        return entry.Wrong("keyids", "a list of keys that the root has");
      }
      of_role.key_ids.push_back(id.get<std::string>());
    }
    std::vector<std::string> sorted = of_role.key_ids;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
      return entry.Wrong("keyids", "a list in which each key is named once");
    }
    ASSIGN_OR_RETURN(const uint64_t threshold, entry.Number("threshold", 1, kMaxKeys));
    of_role.threshold = static_cast<uint32_t>(threshold);
    if (threshold > of_role.key_ids.size()) {
      return entry.Wrong("threshold", "within the number of its keys");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<MetaFile> ReadMetaFile(const Object& form) {
  MetaFile file;
  ASSIGN_OR_RETURN(file.version, form.Number("version", 1, kMaxNumber));
  if (form.Has("length")) {
    ASSIGN_OR_RETURN(file.length, form.Number("length", 1, kMaxTargetsBytes));
  }
  if (form.Has("hashes")) {
    ASSIGN_OR_RETURN(const Object hashes, form.Member("hashes"));
    Sha256Digest digest{};
    RETURN_IF_ERROR(ReadDigest(hashes, "sha256", digest));
    file.sha256 = digest;
  }
  return file;
}

absl::Status Fill(const Object& form, Timestamp* timestamp) {
  ASSIGN_OR_RETURN(const Object meta, form.Member("meta"));
  ASSIGN_OR_RETURN(const Object snapshot, meta.Member("snapshot.json"));
  ASSIGN_OR_RETURN(timestamp->snapshot, ReadMetaFile(snapshot));
  return absl::OkStatus();
}

absl::Status Fill(const Object& form, Snapshot* snapshot) {
  ASSIGN_OR_RETURN(const Object meta, form.Member("meta"));
  if (meta.all().size() > kMaxMetaFiles) {
    return form.Wrong("meta", fmt::format("a list of at most {}", kMaxMetaFiles));
  }
  for (const auto& [name, value] : meta.all().items()) {
    ASSIGN_OR_RETURN(const Object entry, meta.Entry(name, value));
    ASSIGN_OR_RETURN(snapshot->meta[name], ReadMetaFile(entry));
  }
  if (!snapshot->meta.contains("targets.json")) return meta.Wrong("targets.json", "there");
  return absl::OkStatus();
}

absl::Status Fill(const Object& form, Targets* targets) {
  ASSIGN_OR_RETURN(const Object all, form.Member("targets"));
  if (all.all().size() > kMaxTargets) {
    return form.Wrong("targets", fmt::format("a list of at most {}", kMaxTargets));
  }
  for (const auto& [path, value] : all.all().items()) {
    if (!IsTargetPath(path)) {
      return all.Wrong(path, fmt::format("a path of at most {} of a-z, A-Z, 0-9 and -_.+/ whose "
                                         "parts don't begin with a dot",
                                         kMaxTargetPathBytes));
    }
    ASSIGN_OR_RETURN(const Object entry, all.Entry(path, value));
    Target target{.path = path};
    ASSIGN_OR_RETURN(target.length,
                     entry.Number("length", 0, static_cast<int64_t>(kMaxTargetBytes)));
    ASSIGN_OR_RETURN(const Object hashes, entry.Member("hashes"));
    RETURN_IF_ERROR(ReadDigest(hashes, "sha256", target.sha256));
    if (entry.Has("custom")) {
      ASSIGN_OR_RETURN(const Object custom, entry.Member("custom"));
      target.custom = custom.all().dump();
      if (target.custom.size() > kMaxCustomBytes) {
        return entry.Wrong("custom", fmt::format("within {} bytes", kMaxCustomBytes));
      }
    }
    targets->targets.emplace(path, std::move(target));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Signature>> ReadSignatures(const Object& document) {
  std::vector<Signature> signatures;
  ASSIGN_OR_RETURN(const json* const list, document.Array("signatures", kMaxSignatures));
  for (const json& value : *list) {
    ASSIGN_OR_RETURN(const Object entry, Object::Of(value, "signatures[]"));
    Signature signature{.bytes = std::string(64, '\0')};
    ASSIGN_OR_RETURN(signature.key_id, entry.Text("keyid"));
    for (const Signature& other : signatures) {
      if (other.key_id == signature.key_id) {
        return entry.Wrong("keyid", "another one than those before");
      }
    }
    std::array<uint8_t, 32> id{};
    RETURN_IF_ERROR(ReadDigest(entry, "keyid", id));
    RETURN_IF_ERROR(ReadDigest(entry, "sig", signature.bytes));
    signatures.push_back(std::move(signature));
  }
  return signatures;
}

// Of any version "1.x" or "1.x.y".
bool IsSpecVersion(std::string_view text) {
  return text.size() <= 16 && text.starts_with("1.") && text.find("..") == std::string_view::npos &&
         text.back() != '.' && text.find_first_not_of("0123456789.") == std::string_view::npos &&
         std::count(text.begin(), text.end(), '.') <= 2;
}

template <typename T>
absl::StatusOr<Signed<T>> ParseWithin(std::string_view bytes) {
  const std::string_view name = NameOf(T::kRole);
  ASSIGN_OR_RETURN(const json document, ParseDocument(bytes, "the document"));
  ASSIGN_OR_RETURN(const Object whole, Object::Of(document, "the document"));
  ASSIGN_OR_RETURN(const Object form, whole.Member("signed"));
  ASSIGN_OR_RETURN(const std::string type, form.Text("_type"));
  if (type != name) return form.Wrong("_type", fmt::format("\"{}\"", name));
  ASSIGN_OR_RETURN(const std::string spec, form.Text("spec_version"));
  if (!IsSpecVersion(spec)) return form.Wrong("spec_version", "1.0 or a later 1");
  Signed<T> read;
  ASSIGN_OR_RETURN(read.content.version, form.Number("version", 1, kMaxNumber));
  ASSIGN_OR_RETURN(const std::string expires, form.Text("expires"));
  const auto unix_s = ReadTime(expires);
  if (!unix_s.has_value()) return form.Wrong("expires", "a time such as 2026-11-30T05:20:00Z");
  read.content.expires_unix_s = *unix_s;
  RETURN_IF_ERROR(Fill(form, &read.content));
  ASSIGN_OR_RETURN(read.signatures, ReadSignatures(whole));
  read.payload = Canonical(form.all());
  return read;
}

}  // namespace

template <typename T>
absl::StatusOr<Signed<T>> Parse(std::string_view bytes, std::string_view what) {
  if (bytes.size() > MaxBytes(T::kRole)) {
    return Refuse(Refusal::kEndlessData,
                  fmt::format("{} is longer than the {} bytes allowed", what, MaxBytes(T::kRole)));
  }
  absl::StatusOr<Signed<T>> read = ParseWithin<T>(bytes);
  if (read.ok()) return read;
  std::string_view reason = Message(read.status());
  const std::string name = fmt::format("{}: ", NameOf(Refusal::kMalformed));
  if (reason.starts_with(name)) reason.remove_prefix(name.size());
  return Refuse(Refusal::kMalformed, fmt::format("{}: {}", what, reason));
}

template absl::StatusOr<Signed<Root>> Parse(std::string_view, std::string_view);
template absl::StatusOr<Signed<Timestamp>> Parse(std::string_view, std::string_view);
template absl::StatusOr<Signed<Snapshot>> Parse(std::string_view, std::string_view);
template absl::StatusOr<Signed<Targets>> Parse(std::string_view, std::string_view);

}  // namespace gleaner::tuf
