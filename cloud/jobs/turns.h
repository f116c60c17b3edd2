// Whose job is run next, so that one share's long jobs don't hold up the others'. A share is
// whoever jobs are done for, such as a device.
//
// The share that has the fewest workers now goes first; among equals the one that has used the
// least time, and then the one whose last turn is longest ago. A share that comes (back) starts
// where the others are: it neither makes up for the time it was away nor pays for it. While there
// is more than one share, none may have every worker: one is left for whoever comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace gleaner::cloud {

// Not thread-safe.
class Turns {
 public:
  explicit Turns(size_t workers) : workers_(workers) {}

  // The share has jobs that wait, or may have.
  void Add(const std::string& share);
  // Begins the turn of the share that is next, which waits no more until it is added again.
  // Empty if none waits that may have one more worker.
  std::optional<std::string> Next();
  // A turn ends.
  void Done(const std::string& share, int64_t used_ns);
  // Next would find one.
  bool ready() const { return Find() != accounts_.end(); }

 private:
  struct Account {
    bool waiting = false;
    size_t running = 0;
    int64_t used_ns = 0;
    uint64_t last_turn = 0;
  };
  using Accounts = std::map<std::string, Account>;
  Accounts::const_iterator Find() const;
  // What is idle and owes nothing is as good as unknown.
  void ForgetIfEven(const std::string& share);

  const size_t workers_;
  Accounts accounts_;  // of shares that wait, run, or have used more than the others
  std::string first_share_;
  bool several_ = false;  // there is another than first_share_
  int64_t even_ns_ = 0;   // what the share that was last chosen had used: where a newcomer starts
  uint64_t turns_ = 0;
};

}  // namespace gleaner::cloud
