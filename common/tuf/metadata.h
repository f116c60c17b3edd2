// The four kinds of signed metadata of a TUF repository (The Update Framework, specification 1.0),
// read from bytes within bounds (bounds.h) and written as bytes.
//
//   root       which keys sign for which role, and how many of them it takes
//   timestamp  which snapshot is the newest; expires within a day or so
//   snapshot   which targets metadata is the newest
//   targets    the files that are released: path, length, SHA-256, and what each says of itself
//
// Reading checks shape and bounds only; who signed is signatures.h's question, and whether it is
// the right one at this time client.h's. Members that the specification doesn't know are let by
// (they are under the signatures) and not kept. Delegations are not followed: what a repository
// here releases, its top-level targets name.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/digest.h"
#include "common/tuf/key.h"

namespace gleaner::tuf {

enum class Role { kRoot, kTimestamp, kSnapshot, kTargets };
inline constexpr std::array<Role, 4> kRoles{Role::kRoot, Role::kTimestamp, Role::kSnapshot,
                                            Role::kTargets};
// "timestamp".
std::string_view NameOf(Role role);
// The most bytes that its metadata may have.
size_t MaxBytes(Role role);

// By which keys, and how many of them.
struct RoleKeys {
  std::vector<std::string> key_ids;
  uint32_t threshold = 1;
  bool operator==(const RoleKeys&) const = default;
};

struct Root {
  static constexpr Role kRole = Role::kRoot;
  uint64_t version = 1;
  int64_t expires_unix_s = 0;
  std::map<std::string, PublicKey> keys;  // by id
  std::array<RoleKeys, 4> roles;          // by Role

  const RoleKeys& Of(Role role) const { return roles.at(static_cast<size_t>(role)); }
  RoleKeys& Of(Role role) { return roles.at(static_cast<size_t>(role)); }
};

// A file of metadata that other metadata names. The specification wants the version; what is
// published here has length and digest as well.
struct MetaFile {
  uint64_t version = 1;
  std::optional<uint64_t> length;
  std::optional<Sha256Digest> sha256;

  static MetaFile Of(uint64_t version, std::string_view bytes);
};

struct Timestamp {
  static constexpr Role kRole = Role::kTimestamp;
  uint64_t version = 1;
  int64_t expires_unix_s = 0;
  MetaFile snapshot;
};

struct Snapshot {
  static constexpr Role kRole = Role::kSnapshot;
  uint64_t version = 1;
  int64_t expires_unix_s = 0;
  std::map<std::string, MetaFile> meta;  // by file name; "targets.json" is among them
};

struct Target {
  std::string path;  // "models/goods/2.onnx"
  uint64_t length = 0;
  Sha256Digest sha256{};
  std::string custom;  // a JSON object; empty for none

  // Where it lies below the folder of targets: "models/goods/<sha256>.2.onnx".
  std::string RemotePath() const;
  bool operator==(const Target&) const = default;
};
// Relative, of plain components: nothing that leaves a folder, hides or needs quoting.
bool IsTargetPath(std::string_view path);

struct Targets {
  static constexpr Role kRole = Role::kTargets;
  uint64_t version = 1;
  int64_t expires_unix_s = 0;
  std::map<std::string, Target> targets;  // by path
};

struct Signature {
  std::string key_id;
  std::string bytes;  // 64 of them
};

// What was read, with all that is needed to check who signed it.
template <typename T>
struct Signed {
  T content;
  std::string payload;  // the canonical form of `content`, which the signatures are of
  std::vector<Signature> signatures;
};

// Each refuses with kMalformed, or kEndlessData beyond MaxBytes; `what` stands before the reason.
template <typename T>
absl::StatusOr<Signed<T>> Parse(std::string_view bytes, std::string_view what);
extern template absl::StatusOr<Signed<Root>> Parse(std::string_view, std::string_view);
extern template absl::StatusOr<Signed<Timestamp>> Parse(std::string_view, std::string_view);
extern template absl::StatusOr<Signed<Snapshot>> Parse(std::string_view, std::string_view);
extern template absl::StatusOr<Signed<Targets>> Parse(std::string_view, std::string_view);

// As JSON that people can read before they sign it; with the signatures given, of Payload().
template <typename T>
std::string Write(const T& content, const std::vector<Signature>& signatures);
extern template std::string Write(const Root&, const std::vector<Signature>&);
extern template std::string Write(const Timestamp&, const std::vector<Signature>&);
extern template std::string Write(const Snapshot&, const std::vector<Signature>&);
extern template std::string Write(const Targets&, const std::vector<Signature>&);

// What is signed.
template <typename T>
std::string Payload(const T& content);
extern template std::string Payload(const Root&);
extern template std::string Payload(const Timestamp&);
extern template std::string Payload(const Snapshot&);
extern template std::string Payload(const Targets&);

// "2026-11-30T05:20:00Z", the one form that the specification knows; none if it is another.
std::optional<int64_t> ReadTime(std::string_view text);
std::string WriteTime(int64_t unix_s);

}  // namespace gleaner::tuf
