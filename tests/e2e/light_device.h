// A device of a few hundred kilobytes, so that fifty of them fit beside the servers: it keeps the
// contract of proto/gleaner/v1/ingest.proto and remembers what it was told, and nothing else. Its
// clips are made up from their numbers (tests/cloud/ingest/sent_clip.h).
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gleaner/v1/ingest.grpc.pb.h"
#include "tests/cloud/ingest/sent_clip.h"
#include "tests/data/pki.h"

namespace gleaner::e2e {

// Used by one thread; what it found may be read once Run has returned.
class LightDevice {
 public:
  struct Receipt {
    std::string manifest_sha256;
    int64_t committed_unix_ns = 0;
  };

  // Reaches any of the servers at these ports of loopback.
  LightDevice(std::string name, TestPki& pki, const std::vector<int>& ports, uint64_t seed);

  // Fires and uploads: now to this server and now to that one, in mid-clip too, with chunks one by
  // one or at once; gives up a number here and there, and asks for a receipt a second time. Once
  // `fires` is false, ends with what it has: every number has its receipt or its tombstone, and the
  // servers know of both. `receipts` counts those of all devices.
  void Run(const std::atomic<bool>& fires, std::atomic<int>& receipts);

  const std::string& name() const { return name_; }
  uint64_t last_number() const { return last_; }
  const std::map<uint64_t, Receipt>& receipts() const { return receipts_; }
  // Numbers that it gave up.
  const std::set<uint64_t>& given_up() const { return given_up_; }
  // What it was told that the contract doesn't allow, and what it waited for in vain.
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  class Stream;
  // What became of one attempt.
  enum class Outcome { kReceipt, kAgain, kStreamOver };

  bool Chance(int in) { return std::uniform_int_distribution<int>(1, in)(random_) == 1; }
  void Pause();
  // A connection of its own to one of the servers.
  std::shared_ptr<grpc::Channel> Connect();
  bool SayHello();
  void Fire();
  void GiveUp(uint64_t number);
  // Some clips on one stream.
  void UploadSome(std::atomic<int>& receipts);
  Outcome Upload(Stream& stream, const cloud::SentClip& clip, int chunks_before_cut);
  Outcome OnRefusal(const v1::Refusal& refusal);
  void Note(uint64_t number, const v1::Receipt& receipt);
  // Whether the servers know of all that it gave up.
  bool ReportLedger();
  // Whether it is OK; anything else than "not now" is a problem.
  bool MayBe(const char* what, const grpc::Status& status);
  void Problem(const std::string& what);

  const std::string name_;
  const std::vector<int> ports_;
  std::shared_ptr<grpc::ChannelCredentials> credentials_;
  std::mt19937_64 random_;
  uint64_t last_ = 0;
  std::set<uint64_t> pending_, offered_;
  std::map<uint64_t, Receipt> receipts_;
  std::set<uint64_t> given_up_, untold_;  // tombstones that no server acknowledged yet
  std::vector<std::string> problems_;
};

}  // namespace gleaner::e2e
