// Threads for what may block: disk and database. gRPC's own threads never do such work.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace gleaner::cloud {

// A fixed number of threads and one queue. Whoever posts bounds what it posts: a stream by its few
// messages in memory, a unary call by TryPost. Thread-safe.
class WorkerPool {
 public:
  using Task = std::function<void()>;

  WorkerPool(size_t threads, size_t max_waiting);
  // Runs what was posted to the end, then joins.
  ~WorkerPool();

  // Runs `task` when a thread is free. Tasks must not throw.
  void Post(Task task);
  // False, without taking `task`, when `max_waiting` tasks wait already.
  bool TryPost(Task task);

 private:
  void Run();

  const size_t max_waiting_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Task> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

// Tasks that run one after the other, in the order they were posted, on a pool that outlives it.
// Held by shared_ptr: it lives as long as it has tasks.
class Strand : public std::enable_shared_from_this<Strand> {
 public:
  explicit Strand(WorkerPool& pool) : pool_(pool) {}
  void Post(WorkerPool::Task task);
  // Runs `task` before it returns, on the caller's thread, if no other is running or waiting; as
  // Post otherwise. Saves what is short the way to another thread.
  void Dispatch(WorkerPool::Task task);
  // For a task of this strand that has more to do, which may block: `task` runs on the pool, before
  // anything that waits already.
  void Continue(WorkerPool::Task task);
  // No task runs or waits.
  bool idle();

 private:
  void RunSome();

  WorkerPool& pool_;
  std::mutex mutex_;
  std::deque<WorkerPool::Task> waiting_;
  bool running_ = false;
};

}  // namespace gleaner::cloud
