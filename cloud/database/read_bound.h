// How long what this thread reads may take: a caller who has gone, or asks for too much, must not
// keep the processor and a connection to himself.
//
//   const ReadBound bound(deadline, [&] { return context.IsCancelled(); });
//   database.Read(…);   // DEADLINE_EXCEEDED once it has passed
//
// Reads under a bound share less than all connections, so that whoever has none (a sign-in, a job,
// health) always finds one. SQLite asks every few thousand steps; PostgreSQL is told the time that
// is left when the reading begins, and doesn't hear of a caller who goes.
#pragma once

#include <chrono>
#include <functional>

namespace gleaner::cloud {

// Holds for its thread until it goes; one at a time.
class ReadBound {
 public:
  using Clock = std::chrono::steady_clock;

  // `gone`: asked often, on this thread.
  ReadBound(Clock::time_point until, std::function<bool()> gone);
  ~ReadBound();
  ReadBound(const ReadBound&) = delete;
  ReadBound& operator=(const ReadBound&) = delete;

  // Of this thread; null where there is none.
  static const ReadBound* Current();

  bool Passed() const { return Clock::now() >= until_ || gone_(); }
  // 1 at least, an hour at most.
  std::chrono::milliseconds Left() const;
  Clock::time_point until() const { return until_; }

 private:
  const Clock::time_point until_;
  const std::function<bool()> gone_;
};

}  // namespace gleaner::cloud
