#include "cloud/rpc/worker_pool.h"

#include <utility>

namespace gleaner::cloud {
namespace {

// Of one strand before the thread looks for others.
constexpr int kTasksInARow = 4;

}  // namespace

WorkerPool::WorkerPool(size_t threads, size_t max_waiting) : max_waiting_(max_waiting) {
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

WorkerPool::~WorkerPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::Post(Task task) {
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(task));
  }
  ready_.notify_one();
}

bool WorkerPool::TryPost(Task task) {
  {
    std::lock_guard lock(mutex_);
    if (waiting_.size() >= max_waiting_) return false;
    waiting_.push_back(std::move(task));
  }
  ready_.notify_one();
  return true;
}

void WorkerPool::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    {
      const Task task = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      task();
    }  // what the task held is released before the lock is taken
    lock.lock();
  }
}

void Strand::Post(WorkerPool::Task task) {
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(task));
    if (running_) return;
    running_ = true;
  }
  pool_.Post([self = shared_from_this()] { self->RunSome(); });
}

void Strand::Dispatch(WorkerPool::Task task) {
  {
    std::lock_guard lock(mutex_);
    if (running_) {
      waiting_.push_back(std::move(task));
      return;
    }
    running_ = true;
  }
  task();
  task = nullptr;  // what it held is released before others run
  {
    std::lock_guard lock(mutex_);
    running_ = !waiting_.empty();
    if (!running_) return;
  }
  pool_.Post([self = shared_from_this()] { self->RunSome(); });
}

void Strand::Continue(WorkerPool::Task task) {
  // Somebody runs this strand and looks for the next task when the caller returns.
  std::lock_guard lock(mutex_);
  waiting_.push_front(std::move(task));
}

bool Strand::idle() {
  std::lock_guard lock(mutex_);
  return !running_;
}

void Strand::RunSome() {
  for (int i = 0; i < kTasksInARow; ++i) {
    WorkerPool::Task task;
    {
      std::lock_guard lock(mutex_);
      if (waiting_.empty()) {
        running_ = false;
        return;
      }
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    task();
  }
  // Through the queue again, so that one busy strand can't keep a thread from the others.
  pool_.Post([self = shared_from_this()] { self->RunSome(); });
}

}  // namespace gleaner::cloud
