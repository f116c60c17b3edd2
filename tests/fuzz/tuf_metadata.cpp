// Signed metadata, as anyone may serve it to a device.
#include <type_traits>

#include "common/status.h"
#include "common/tuf/bounds.h"
#include "common/tuf/document.h"
#include "common/tuf/metadata.h"
#include "common/tuf/refusal.h"
#include "common/tuf/signatures.h"
#include "tests/fuzz/fuzz.h"

namespace gleaner::fuzz {

using tuf::Role;

namespace {

constexpr int64_t kExpires = 1'800'000'000;

// Of any bytes: what is checked here is shape, and that it is enough for what comes after.
tuf::Signature SignatureOf(const std::string& key_id) {
  return {.key_id = key_id, .bytes = std::string(64, 's')};
}

tuf::Root SomeRoot() {
  tuf::Root root{.expires_unix_s = kExpires};
  uint8_t number = 0;
  for (const Role role : tuf::kRoles) {
    const tuf::PublicKey key = tuf::PublicKey::Of({++number});
    root.keys[key.id] = key;
    root.Of(role).key_ids = {key.id};
  }
  return root;
}

}  // namespace

std::vector<std::string> Seeds() {
  const tuf::Root root = SomeRoot();
  const std::vector<tuf::Signature> one{SignatureOf(root.Of(Role::kRoot).key_ids[0])};
  const tuf::MetaFile file = tuf::MetaFile::Of(7, "bytes");
  tuf::Targets targets{.version = 3, .expires_unix_s = kExpires};
  targets.targets["models/goods/2.onnx"] = {
      .path = "models/goods/2.onnx",
      .length = 5,
      .sha256 = Sha256::Of("bytes"),
      .custom = R"({"gleaner":{"note":"é \" \\ \u0001","floors":[1,-2,true,null]}})"};
  return {
      tuf::Write(root, one),
      tuf::Write(tuf::Timestamp{.version = 9, .expires_unix_s = kExpires, .snapshot = file}, one),
      tuf::Write(tuf::Snapshot{.expires_unix_s = kExpires,
                               .meta = {{"targets.json", file}, {"other.json", {.version = 1}}}},
                 one),
      tuf::Write(targets, {})};
}

namespace {

void RequireSound(const tuf::Root& root) {
  REQUIRE(root.keys.size() <= tuf::kMaxKeys);
  for (const auto& [id, key] : root.keys) REQUIRE(id.size() == 64 && key.id == id);
  for (const Role role : tuf::kRoles) {
    const tuf::RoleKeys& keys = root.Of(role);
    REQUIRE(keys.threshold >= 1 && keys.threshold <= keys.key_ids.size());
    for (const std::string& id : keys.key_ids) REQUIRE(root.keys.contains(id));
    // No key signs what it never saw.
    REQUIRE(!tuf::CheckSignatures(root, role, "x", {SignatureOf(keys.key_ids[0])}, "it").ok());
  }
}
void RequireSound(const tuf::MetaFile& file) {
  REQUIRE(file.version >= 1 && file.version <= static_cast<uint64_t>(tuf::kMaxNumber));
  REQUIRE(file.length.value_or(1) >= 1 && file.length.value_or(1) <= tuf::kMaxTargetsBytes);
}
void RequireSound(const tuf::Timestamp& timestamp) { RequireSound(timestamp.snapshot); }
void RequireSound(const tuf::Snapshot& snapshot) {
  REQUIRE(snapshot.meta.contains("targets.json") && snapshot.meta.size() <= tuf::kMaxMetaFiles);
  for (const auto& [name, file] : snapshot.meta) RequireSound(file);
}
void RequireSound(const tuf::Targets& targets) {
  REQUIRE(targets.targets.size() <= tuf::kMaxTargets);
  for (const auto& [path, target] : targets.targets) {
    REQUIRE(target.path == path && tuf::IsTargetPath(path));
    REQUIRE(tuf::IsTargetPath(target.RemotePath()) || path.size() > tuf::kMaxTargetPathBytes - 65);
    REQUIRE(target.length <= tuf::kMaxTargetBytes);
    REQUIRE(target.custom.size() <= tuf::kMaxCustomBytes);
  }
}

template <typename T>
void Try(std::string_view bytes) {
  const auto read = tuf::Parse<T>(bytes, "it");
  if (!read.ok()) {
    const auto refusal = tuf::RefusalOf(read.status());
    REQUIRE(refusal == tuf::Refusal::kMalformed || refusal == tuf::Refusal::kEndlessData);
    REQUIRE(IsPlain(Message(read.status())) && Message(read.status()).size() < 1024);
    return;
  }
  ++accepted;
  REQUIRE(read->content.version >= 1);
  REQUIRE(tuf::ReadTime(tuf::WriteTime(read->content.expires_unix_s)) ==
          read->content.expires_unix_s);
  REQUIRE(read->signatures.size() <= tuf::kMaxSignatures);
  for (const tuf::Signature& signature : read->signatures) {
    REQUIRE(signature.key_id.size() == 64 && signature.bytes.size() == 64);
  }
  RequireSound(read->content);
  // Written again it is the same, but for what this reader doesn't know.
  const auto again = tuf::Parse<T>(tuf::Write(read->content, read->signatures), "it");
  if constexpr (!std::is_same_v<T, tuf::Root>) {  // a key may have members that name it
    REQUIRE(again.ok() || bytes.size() > tuf::MaxBytes(T::kRole) / 4);
  }
  if (again.ok()) {
    REQUIRE(again->payload == tuf::Payload(read->content));
    REQUIRE(tuf::Payload(again->content) == again->payload);
  }
}

}  // namespace
}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  const std::string_view bytes = fuzz::AsText(data, size);
  fuzz::Try<tuf::Root>(bytes);
  fuzz::Try<tuf::Timestamp>(bytes);
  fuzz::Try<tuf::Snapshot>(bytes);
  fuzz::Try<tuf::Targets>(bytes);
  // The signed form is one that JSON can't always say (it has control characters as they are);
  // where it can, it is the same of itself.
  if (const auto document = tuf::ParseDocument(bytes, "it"); document.ok()) {
    const std::string canonical = tuf::Canonical(*document);
    if (const auto again = tuf::ParseDocument(canonical, "it"); again.ok()) {
      REQUIRE(tuf::Canonical(*again) == canonical);
    }
  }
  return 0;
}
