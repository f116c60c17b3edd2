#include "cloud/jobs/job_runner.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "absl/strings/numbers.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr int64_t kTickNs = kNanosPerSecond;
constexpr int kTicksToExtend = 10;
constexpr int kTicksToLook = 5;  // where there is enough to do already
constexpr int kTicksToForget = 60;
constexpr int64_t kMaxUnavailableNs = 60 * kNanosPerSecond;
constexpr int64_t kMaxFailedNs = 600 * kNanosPerSecond;
constexpr int64_t kAskAgainNs = 5 * kNanosPerSecond;
constexpr uint64_t kSeed = 0x6a6f6273;

bool IsForNow(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
}

bool IsForGood(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) ||
         absl::IsFailedPrecondition(status);
}

std::string NameOf(const v1::Job& job) {
  return fmt::format("job {} ({} of {})", job.number(), job.kind(), job.subject());
}

}  // namespace

void JobRun::Report(double progress, std::string doing) {
  std::lock_guard lock(mutex_);
  progress_ = progress;
  doing_ = std::move(doing);
  news_ = true;
}

absl::Status JobRun::Finish(std::string_view result, const Database::Operation& write) {
  RETURN_IF_ERROR(jobs_.Finish(claimed_.claim, result, write));
  finished_ = true;
  return absl::OkStatus();
}

JobRunner::Lane::Lane(JobKind what)
    : kind(std::move(what)),
      turns(kind.at_once),
      unavailable(kNanosPerSecond, kMaxUnavailableNs, kSeed),
      failed(2 * kNanosPerSecond, kMaxFailedNs, kSeed) {}

JobRunner::JobRunner(Jobs& jobs, Clock& clock, Options options)
    : jobs_(jobs), clock_(clock), options_(std::move(options)), board_(std::make_shared<Board>()) {}

JobRunner::~JobRunner() { Stop(); }

void JobRunner::Add(JobKind kind) {
  std::string name = kind.name;
  jobs_.OnGivenUp(name, kind.on_given_up);
  board_->lanes.try_emplace(std::move(name), std::move(kind));
}

void JobRunner::AskToEnd(Board& board, uint64_t number) {
  const auto run = board.running.find(number);
  if (run != board.running.end()) run->second->stop_.request_stop();
}

void JobRunner::Listen() {
  jobs_.database().Listen(std::string(kJobCancelled), [board = board_](const std::string& text) {
    uint64_t number = 0;
    if (!absl::SimpleAtoi(text, &number)) return;  // the next Extend tells
    std::lock_guard lock(board->mutex);
    AskToEnd(*board, number);
  });
  jobs_.database().Listen(std::string(kJobWaits), [board = board_](const std::string& text) {
    const size_t space = text.find(' ');
    if (space == std::string::npos) return;  // the next look finds what there is
    {
      std::lock_guard lock(board->mutex);
      const auto lane = board->lanes.find(std::string_view(text).substr(0, space));
      if (lane == board->lanes.end()) return;
      lane->second.turns.Add(text.substr(space + 1));
    }
    board->changed.notify_all();
  });
}

void JobRunner::Start() {
  Listen();
  for (auto& [name, lane] : board_->lanes) {
    TakeBack(lane, options_.alone);
    Look(lane);
    for (size_t i = 0; i < lane.kind.at_once; ++i) {
      threads_.emplace_back([this, &lane](const std::stop_token& stop) { Work(lane, stop); });
    }
  }
  threads_.emplace_back([this](const std::stop_token& stop) {
    while (clock_.Sleep(stop, kTickNs)) Tick();
  });
}

void JobRunner::Stop() {
  for (std::jthread& thread : threads_) thread.request_stop();
  {
    std::lock_guard lock(board_->mutex);
    for (const auto& [number, run] : board_->running) run->stop_.request_stop();
  }
  threads_.clear();  // joins
}

void JobRunner::Work(Lane& lane, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const std::unique_ptr<JobRun> run = Next(lane, stop);
    if (run == nullptr) continue;
    const int64_t begun_ns = clock_.MonotonicNs();
    const int64_t wait_ns = After(lane, *run, lane.kind.run(*run));
    {
      std::lock_guard lock(board_->mutex);
      board_->running.erase(run->job().number());
      lane.turns.Done(run->job().share(), clock_.MonotonicNs() - begun_ns);
    }
    board_->changed.notify_all();
    if (wait_ns > 0) clock_.Sleep(stop, wait_ns);
  }
}

std::unique_ptr<JobRun> JobRunner::Next(Lane& lane, const std::stop_token& stop) {
  std::string share;
  {
    std::unique_lock lock(board_->mutex);
    if (!board_->changed.wait(lock, stop, [&] { return lane.turns.ready(); })) return nullptr;
    if (stop.stop_requested()) return nullptr;
    share = *lane.turns.Next();
    ++board_->claiming;
  }
  auto claimed = jobs_.Claim(lane.kind.name, share, options_.worker);
  if (!claimed.ok()) {
    LOG_ERROR("{}: {}", lane.kind.name, Message(claimed.status()));
    clock_.Sleep(stop, kAskAgainNs);
  }
  std::lock_guard lock(board_->mutex);
  --board_->claiming;
  // Where there was one there may be another.
  if (!claimed.ok() || *claimed) lane.turns.Add(share);
  if (!claimed.ok() || !*claimed) {
    lane.turns.Done(share, 0);
    return nullptr;
  }
  auto run = std::make_unique<JobRun>(jobs_, **std::move(claimed));
  board_->running.emplace(run->job().number(), run.get());
  if (stop.stop_requested()) run->stop_.request_stop();
  return run;
}

int64_t JobRunner::After(Lane& lane, JobRun& run, const absl::Status& status) {
  const JobClaim& claim = run.claimed_.claim;
  const v1::Job& job = run.job();
  int64_t wait_ns = 0;
  absl::Status told;
  if (run.finished_ || status.ok()) {
    if (!run.finished_) told = run.Finish("");
    std::lock_guard lock(board_->mutex);
    lane.unavailable.Reset();
  } else if (run.stop().stop_requested()) {
    // Cancelled, if that was the reason: the queue knows.
    told = jobs_.GiveBack(claim, "its server stopped", 0);
  } else if (IsForNow(status)) {
    {
      std::lock_guard lock(board_->mutex);
      wait_ns = lane.unavailable.NextNs();
    }
    LOG_ERROR("{} can't be done now: {}", NameOf(job), Message(status));
    told = jobs_.GiveBack(claim, Message(status), 0);
  } else {
    const bool last = IsForGood(status) || job.attempts() >= job.max_attempts();
    LOG_WARN("{} failed{}: {}", NameOf(job), last ? "" : ", and is tried again", Message(status));
    std::unique_lock lock(board_->mutex);
    const int64_t again_ns = lane.failed.NthNs(static_cast<int>(job.attempts()));
    lock.unlock();
    told = jobs_.Fail(claim, Message(status), IsForGood(status), again_ns);
  }
  // Then its lease runs out, and it is taken back.
  if (!told.ok()) LOG_ERROR("{}: its end can't be noted: {}", NameOf(job), Message(told));
  return wait_ns;
}

void JobRunner::Look(Lane& lane) {
  const auto shares = jobs_.FindShares(lane.kind.name);
  if (!shares.ok()) {
    LOG_ERROR("{}: {}", lane.kind.name, Message(shares.status()));
    return;
  }
  if (shares->empty()) return;
  {
    std::lock_guard lock(board_->mutex);
    for (const std::string& share : *shares) lane.turns.Add(share);
  }
  board_->changed.notify_all();
}

void JobRunner::TakeBack(Lane& lane, bool all) {
  const auto taken = jobs_.TakeBack(lane.kind.name, all);
  if (!taken.ok()) {
    LOG_ERROR("{}: {}", lane.kind.name, Message(taken.status()));
  } else if (*taken > 0) {
    LOG_WARN("{}: {} jobs of servers that were lost wait again", lane.kind.name, *taken);
  }
}

void JobRunner::Tick() {
  const int tick = ++ticks_;
  const bool extended = Extend(tick % kTicksToExtend == 0);
  for (auto& [name, lane] : board_->lanes) {
    std::unique_lock lock(board_->mutex);
    const bool busy = lane.turns.ready();
    const bool claiming = board_->claiming > 0;  // what isn't in `running` yet
    lock.unlock();
    if (!busy || tick % kTicksToLook == 0) Look(lane);
    // Where our own leases couldn't be extended, they would be the first to be taken back.
    if (extended && !claiming && tick % kTicksToExtend == 0) TakeBack(lane, false);
  }
  if (tick % kTicksToForget != 0) return;
  const auto forgotten = jobs_.Forget();
  if (!forgotten.ok()) LOG_ERROR("jobs: {}", Message(forgotten.status()));
}

bool JobRunner::Extend(bool all) {
  std::vector<JobProgress> progress;
  {
    std::lock_guard lock(board_->mutex);
    for (const auto& [number, run] : board_->running) {
      std::lock_guard own(run->mutex_);
      if (!all && !std::exchange(run->news_, false)) continue;
      progress.push_back({run->claimed_.claim, run->progress_, run->doing_});
    }
  }
  if (progress.empty()) return true;
  const auto to_end = jobs_.Extend(progress);
  if (!to_end.ok()) {
    LOG_ERROR("jobs under way: {}", Message(to_end.status()));
    return false;
  }
  std::lock_guard lock(board_->mutex);
  for (const uint64_t number : *to_end) AskToEnd(*board_, number);
  return true;
}

std::string WorkerName() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
  return fmt::format("{}:{}", host.data(), ::getpid());
}

}  // namespace gleaner::cloud
