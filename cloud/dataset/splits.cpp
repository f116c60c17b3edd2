#include "cloud/dataset/splits.h"

#include <fmt/format.h>

#include <bit>
#include <set>

#include "cloud/access/secret.h"
#include "cloud/database/columns.h"
#include "cloud/store/blob_names.h"
#include "common/digest.h"

namespace gleaner::cloud {

std::string GroupOf(std::string_view device, std::string_view site, int64_t fired_ns) {
  return fmt::format("{}/{}/{}", device, site, fired_ns / kSplitBlockNs);
}

Split SplitOf(std::string_view key, std::string_view schema, std::string_view group) {
  std::string text(kSplitLabel);
  for (const std::string_view part : {schema, group}) {
    text += '\0';
    text += part;
  }
  const Sha256Digest mac = HmacSha256(key, text);
  // The first 32 bits: more than anybody has groups.
  const uint32_t number = static_cast<uint32_t>(mac[0]) << 24 |
                          static_cast<uint32_t>(mac[1]) << 16 | static_cast<uint32_t>(mac[2]) << 8 |
                          mac[3];
  const double share = static_cast<double>(number) / 4294967296.0;
  if (share < kTrainShare) return Split::kTrain;
  return share < kTrainShare + kValidationShare ? Split::kValidation : Split::kTest;
}

std::string ReadSplitKey(Sql& sql) {
  std::string hex;
  sql.Query("SELECT secret FROM dataset_key WHERE number = 1", In(), Out(hex), [] {});
  return Unhex(hex);
}

std::string MakeSplitKey(Sql& sql) {
  std::string key = ReadSplitKey(sql);
  if (!key.empty()) return key;
  const StoreIdentity store = ReadIdentity(sql);
  // Only tests have a catalog without a store.
  const std::string secret =
      store.id.empty() ? NewSecret() : HexOf(HmacSha256(store.id, "gleaner.split.key.v1"));
  sql.Run("INSERT INTO dataset_key (number, secret) VALUES (1, :secret)", In(secret));
  return Unhex(secret);
}

std::string ReadUrlSecret(Sql& sql) {
  std::string hex;
  sql.Query("SELECT secret FROM dataset_key WHERE number = 2", In(), Out(hex), [] {});
  return Unhex(hex);
}

std::string MakeUrlSecret(Sql& sql) {
  std::string secret = ReadUrlSecret(sql);
  if (!secret.empty()) return secret;
  const std::string made = NewSecret();
  sql.Run("INSERT INTO dataset_key (number, secret) VALUES (2, :secret)", In(made));
  return Unhex(made);
}

void SealFrames(Sql& sql, const std::vector<FrameFacts>& frames) {
  for (const FrameFacts& frame : frames) {
    const FrameName& name = frame.name;
    std::string group;
    if (sql.Query("SELECT grp FROM seal WHERE clip = :clip AND camera = :camera AND pts = :pts",
                  In(name.clip, name.camera, name.pts), Out(group), [] {})) {
      continue;
    }
    group = GroupOf(frame.device, frame.site, frame.fired_ns);
    std::set<std::string> ties;
    uint64_t phash = 0;
    std::string other;
    sql.Query(
        "SELECT phash, grp FROM seal WHERE device = :device AND camera = :camera AND taken_ns >= "
        ":from AND taken_ns <= :until AND grp <> :own",
        In(frame.device, name.camera, frame.taken_ns - kSplitBlockNs,
           frame.taken_ns + kSplitBlockNs, group),
        Out(phash, other), [&] {
          if (std::popcount(phash ^ frame.phash) <= kAlikeBits) ties.insert(other);
        });
    sql.Run(
        "INSERT INTO seal (clip, camera, pts, device, taken_ns, phash, grp) VALUES (:clip, "
        ":camera, :pts, :device, :taken, :phash, :grp)",
        In(name.clip, name.camera, name.pts, frame.device, frame.taken_ns, frame.phash, group));
    for (const std::string& tie : ties) {
      sql.Run(
          "INSERT INTO seal_tie (clip, camera, pts, other) VALUES (:clip, :camera, :pts, :other)",
          In(name.clip, name.camera, name.pts, tie));
    }
  }
}

Seal ReadSeal(Sql& sql, const FrameName& frame) {
  Seal seal;
  sql.Query("SELECT grp FROM seal WHERE clip = :clip AND camera = :camera AND pts = :pts",
            In(frame.clip, frame.camera, frame.pts), Out(seal.group), [] {});
  std::string other;
  sql.Query(
      "SELECT other FROM seal_tie WHERE clip = :clip AND camera = :camera AND pts = :pts ORDER BY "
      "other",
      In(frame.clip, frame.camera, frame.pts), Out(other), [&] { seal.ties.push_back(other); });
  return seal;
}

}  // namespace gleaner::cloud
