#include "tests/edge/spool/spool_testing.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "common/limits.h"
#include "common/status.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::edge {

TempFolder::TempFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "gleaner-spool-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

std::string TestBytes(uint64_t sequence, size_t object, uint64_t size) {
  std::mt19937_64 random(sequence * 1000 + object);
  std::string bytes(size, '\0');
  for (size_t i = 0; i < bytes.size(); i += 8) {
    const uint64_t word = random();
    for (size_t k = 0; k < 8 && i + k < bytes.size(); ++k) {
      bytes[i + k] = static_cast<char>(word >> (8 * k));
    }
  }
  return bytes;
}

absl::StatusOr<TestClip> WriteTestClip(Spool& spool, const ClipKey& key,
                                       const std::vector<uint64_t>& sizes) {
  TestClip clip{.key = key, .sizes = sizes};
  ASSIGN_OR_RETURN(auto writer, spool.NewClip(key));
  v1::ClipManifest manifest;
  manifest.set_device("cart-1");
  manifest.mutable_key()->set_boot_id(std::string(AsBytes(key.boot_id)));
  manifest.mutable_key()->set_sequence(key.sequence);
  std::vector<std::unique_ptr<ObjectWriter>> objects;
  for (size_t i = 0; i < sizes.size(); ++i) {
    auto object = writer->NewObject();
    const std::string bytes = TestBytes(key.sequence, i, sizes[i]);
    // In pieces that don't fit blocks, as a muxer's do.
    for (size_t at = 0; at < bytes.size(); at += 100'003) {
      const size_t size = std::min<size_t>(100'003, bytes.size() - at);
      RETURN_IF_ERROR(object->Append({reinterpret_cast<const uint8_t*>(bytes.data()) + at, size}));
    }
    RETURN_IF_ERROR(object->Finish());
    v1::ClipObject& stored = *manifest.add_objects();
    stored.set_kind(v1::ClipObject::KIND_VIDEO);
    stored.set_size_bytes(object->size_bytes());
    stored.set_sha256(std::string(AsBytes(object->sha256())));
    for (const uint64_t xxh3 : object->block_xxh3()) stored.add_block_xxh3(xxh3);
    objects.push_back(std::move(object));
  }
  clip.manifest = manifest.SerializeAsString();
  RETURN_IF_ERROR(writer->Commit(clip.manifest, std::move(objects)));
  return clip;
}

absl::StatusOr<TestClip> AddTestClip(Spool& spool, const std::vector<uint64_t>& sizes,
                                     uint32_t priority) {
  ASSIGN_OR_RETURN(const ClipKey key, spool.TakeNumber("motion", priority));
  auto clip = WriteTestClip(spool, key, sizes);
  if (!clip.ok()) RETURN_IF_ERROR(spool.Fail(key, Message(clip.status())));
  return clip;
}

absl::StatusOr<std::string> ReadObject(Spool& spool, const StoredClip& clip, size_t object) {
  std::string bytes, block;
  for (uint64_t i = 0; i < BlockCount(clip.objects[object].size_bytes); ++i) {
    RETURN_IF_ERROR(spool.ReadBlock(clip, object, i, &block));
    bytes += block;
  }
  return bytes;
}

Journal Journal::Read(const std::string& path) {
  Journal journal;
  std::ifstream in(path);
  std::string event;
  uint64_t sequence = 0;
  while (in >> event >> sequence) {
    if (event == "taken") journal.taken = std::max(journal.taken, sequence);
    if (event == "writing") journal.writing.insert(sequence);
    if (event == "committed") journal.committed.insert(sequence);
    if (event == "ending") journal.ending.insert(sequence);
    if (event == "released") journal.released.insert(sequence);
  }
  return journal;
}

std::vector<std::string> CheckSpool(const SpoolOptions& options, const Journal& journal) {
  std::vector<std::string> wrong;
  FakeClock clock;
  auto opened = Spool::Open(options, clock, kTestBoot);
  if (!opened.ok()) return {fmt::format("does not open: {}", opened.status().ToString())};
  Spool& spool = **opened;

  const auto report = spool.Ledger();
  if (!report.ok() || report->boots_size() != 1) return {"no ledger of the one boot"};
  const v1::BootLedger& boot = report->boots(0);
  if (boot.last_sequence() < journal.taken) {
    wrong.push_back(
        fmt::format("{} was given out, the ledger knows {}", journal.taken, boot.last_sequence()));
  }
  if (boot.last_sequence() > journal.taken + 1) wrong.push_back("numbers that nobody took");
  std::map<uint64_t, int> states;  // how many states each number is in
  std::set<uint64_t> pending, failed, evicted;
  for (const auto& range : boot.pending()) {
    for (uint64_t i = range.first(); i <= range.last(); ++i) pending.insert(i);
  }
  for (const uint64_t i : pending) ++states[i];
  for (const auto& stone : boot.tombstones()) {
    ++states[stone.key().sequence()];
    (stone.state() == v1::Tombstone::STATE_EVICTED ? evicted : failed)
        .insert(stone.key().sequence());
  }

  std::set<uint64_t> waiting;
  std::set<uint32_t> owned;
  absl::flat_hash_set<ClipKey> seen;
  for (;;) {
    const auto next = spool.Next(seen);
    if (!next.ok()) {
      wrong.push_back(next.status().ToString());
      break;
    }
    if (!next->has_value()) break;
    const StoredClip& clip = **next;
    seen.insert(clip.key);
    waiting.insert(clip.key.sequence);
    for (size_t i = 0; i < clip.objects.size(); ++i) {
      const auto bytes = ReadObject(spool, clip, i);
      if (!bytes.ok()) {
        wrong.push_back(bytes.status().ToString());
      } else if (Sha256::Of(*bytes) != clip.objects[i].sha256) {
        wrong.push_back(
            fmt::format("clip {}: object {} differs from its SHA-256", clip.key.sequence, i));
      } else if (*bytes != TestBytes(clip.key.sequence, i, bytes->size())) {
        wrong.push_back(
            fmt::format("clip {}: object {} holds another clip's bytes", clip.key.sequence, i));
      }
      for (const uint32_t block : clip.objects[i].blocks) {
        if (!owned.insert(block).second) {
          wrong.push_back(fmt::format("block {} has two owners", block));
        }
      }
    }
  }
  if (waiting != pending) wrong.push_back("what waits is not what the ledger calls pending");

  for (uint64_t i = 1; i <= boot.last_sequence(); ++i) {
    const bool gone = states[i] == 0;
    if (states[i] > 1) wrong.push_back(fmt::format("{} is in two states", i));
    if (gone && !journal.ending.contains(i)) wrong.push_back(fmt::format("{} is lost", i));
    if (!gone && journal.released.contains(i)) {
      wrong.push_back(fmt::format("{} is back after its release", i));
    }
    if (journal.committed.contains(i) && failed.contains(i) && !journal.ending.contains(i)) {
      wrong.push_back(fmt::format("{} was committed and has failed", i));
    }
    if (waiting.contains(i) && !journal.writing.contains(i)) {
      wrong.push_back(fmt::format("{} waits although its commit was never begun", i));
    }
  }
  if (spool.stats().used_bytes != owned.size() * kBlockBytes && spool.stats().quarantined == 0) {
    wrong.push_back("blocks are taken that no clip owns");
  }
  return wrong;
}

}  // namespace gleaner::edge
