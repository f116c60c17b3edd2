#include "edge/upload/ledger_reporter.h"

#include <fmt/format.h>

#include <random>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "common/backoff.h"
#include "common/log.h"
#include "common/status.h"
#include "edge/upload/trouble.h"
#include "edge/upload/unary.h"
#include "gleaner/v1/ingest.grpc.pb.h"

namespace gleaner::edge {
namespace {

constexpr int kMaxTombstones = 1024;  // a report, by the contract
constexpr int kGapsToName = 8;

}  // namespace

LedgerReporter::LedgerReporter(LedgerReporterOptions options, Spool& spool, Link& link,
                               Clock& clock)
    : options_(options), spool_(spool), link_(link), clock_(clock) {}

LedgerStats LedgerReporter::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

void LedgerReporter::Run(std::stop_token stop) {
  Backoff backoff(options_.backoff_base_ns, options_.backoff_cap_ns,
                  options_.seed != 0 ? options_.seed : std::random_device()());
  while (!stop.stop_requested()) {
    bool more = false;
    const absl::Status status = Report(stop, &more);
    if (stop.stop_requested()) return;
    if (!status.ok()) {
      const std::string problem = fmt::format("ledger report: {}", Message(status));
      std::unique_lock lock(mutex_);
      const bool news = std::exchange(stats_.problem, problem) != problem;
      lock.unlock();
      if (news && !IsUnreachable(status)) LOG_WARN("{}", problem);
      clock_.Sleep(stop, backoff.NextNs());
      continue;
    }
    backoff.Reset();
    if (more || waker_.Wait(clock_, stop, options_.interval_ns)) {
      clock_.Sleep(stop, options_.debounce_ns);
    }
  }
}

absl::Status LedgerReporter::Report(const std::stop_token& stop, bool* more) {
  ASSIGN_OR_RETURN(const v1::ReportLedgerRequest request, spool_.Ledger());
  v1::ReportLedgerResponse response;
  const auto stub = v1::IngestService::NewStub(link_.Channel());
  const absl::Status status =
      CallUnary(link_, stop, options_.deadline_ns, [&](grpc::ClientContext* context) {
        return stub->ReportLedger(context, request, &response);
      });
  if (absl::IsDeadlineExceeded(status)) link_.Forget();
  RETURN_IF_ERROR(status);

  // Only what was told can have been heard: an acknowledgement of anything else would make a gap.
  absl::flat_hash_set<ClipKey> told;
  int tombstones = 0;
  for (const v1::BootLedger& boot : request.boots()) {
    tombstones += boot.tombstones_size();
    for (const v1::Tombstone& tombstone : boot.tombstones()) {
      ASSIGN_OR_RETURN(const BootId id, BootIdFromBytes(tombstone.key().boot_id()));
      told.insert({id, tombstone.key().sequence()});
    }
  }
  std::vector<ClipKey> acknowledged;
  for (const v1::ClipKey& key : response.acknowledged()) {
    const absl::StatusOr<BootId> id = BootIdFromBytes(key.boot_id());
    if (id.ok() && told.contains({*id, key.sequence()})) {
      acknowledged.push_back({*id, key.sequence()});
    }
  }
  if (!acknowledged.empty()) RETURN_IF_ERROR(spool_.AcknowledgeTombstones(acknowledged));
  *more = tombstones >= kMaxTombstones && !acknowledged.empty();
  NoteGaps(response);
  return absl::OkStatus();
}

void LedgerReporter::NoteGaps(const v1::ReportLedgerResponse& response) {
  std::string problem;
  if (response.gaps_size() > 0) {
    std::string names;
    for (int i = 0; i < response.gaps_size() && i < kGapsToName; ++i) {
      const v1::ClipKey& key = response.gaps(i);
      const absl::StatusOr<BootId> id = BootIdFromBytes(key.boot_id());
      names += fmt::format("{}{}", i == 0 ? "" : ", ",
                           id.ok() ? ToString(ClipKey{*id, key.sequence()}) : "?");
    }
    problem = fmt::format("{} clip{} nobody can account for: {}{}", response.gaps_size(),
                          response.gaps_size() == 1 ? "" : "s", names,
                          response.gaps_size() > kGapsToName ? ", …" : "");
  }
  std::unique_lock lock(mutex_);
  ++stats_.reports;
  stats_.gaps = static_cast<uint64_t>(response.gaps_size());
  const bool news = std::exchange(stats_.problem, problem) != problem;
  lock.unlock();
  if (news && !problem.empty()) LOG_ERROR("LEDGER GAP: {}", problem);
}

}  // namespace gleaner::edge
