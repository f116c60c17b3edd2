#include "edge/spool/block_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

#include "common/crash_point.h"
#include "common/digest.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::edge {
namespace {

// One write after the other leaves a disk idle while the next is handed over.
constexpr int kWriters = 2;
constexpr size_t kMaxQueued = 4;
constexpr size_t kMaxSpare = 8;

constexpr size_t AlignUp(size_t size) {
  return (size + kBlockAlignment - 1) / kBlockAlignment * kBlockAlignment;
}

}  // namespace

void BufferDeleter::operator()(uint8_t* bytes) const { std::free(bytes); }

absl::StatusOr<std::unique_ptr<BlockStore>> BlockStore::Open(BlockDevice& device, std::string path,
                                                             uint32_t blocks) {
  ASSIGN_OR_RETURN(std::unique_ptr<BlockFile> file, device.Open(path));
  ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  uint64_t have = size / kBlockBytes;
  if (have < blocks) {
    const absl::Status grown = file->Resize(uint64_t{blocks} * kBlockBytes);
    if (grown.ok()) {
      have = blocks;
    } else if (have == 0) {
      return Annotate(grown, "the spool's quota can't be reserved");
    } else {
      LOG_WARN("spool: {} stays at {} of {} blocks: {}", path, have, blocks, Message(grown));
    }
  }
  return std::unique_ptr<BlockStore>(
      new BlockStore(device, std::move(path), std::move(file), static_cast<uint32_t>(have)));
}

BlockStore::BlockStore(BlockDevice& device, std::string path, std::unique_ptr<BlockFile> file,
                       uint32_t blocks)
    : device_(device),
      path_(std::move(path)),
      map_(blocks),
      session_(std::make_shared<BlockSession>()) {
  session_->file = std::move(file);
  for (int i = 0; i < kWriters; ++i) writers_.emplace_back([this] { WriteLoop(); });
}

BlockStore::~BlockStore() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  queued_.notify_all();
  for (std::thread& writer : writers_) writer.join();
}

uint32_t BlockStore::blocks() const {
  std::lock_guard lock(mutex_);
  return map_.size();
}

uint32_t BlockStore::used() const {
  std::lock_guard lock(mutex_);
  return map_.used();
}

std::optional<uint32_t> BlockStore::Allocate() {
  std::lock_guard lock(mutex_);
  return map_.Allocate();
}

bool BlockStore::Claim(const BlockRun& run) {
  std::lock_guard lock(mutex_);
  return map_.Claim(run);
}

void BlockStore::Free(std::span<const BlockRun> runs) {
  std::lock_guard lock(mutex_);
  map_.Free(runs);
}

absl::Status BlockStore::Trim(uint32_t blocks) {
  std::lock_guard lock(mutex_);
  if (map_.End() > blocks) {
    return absl::FailedPreconditionError(
        fmt::format("block {} is in use, above the new end of {}", map_.End() - 1, blocks));
  }
  RETURN_IF_ERROR(session_->file->Resize(uint64_t{blocks} * kBlockBytes));
  map_.Resize(blocks);
  return absl::OkStatus();
}

BlockBuffer BlockStore::TakeBuffer() {
  {
    std::lock_guard lock(mutex_);
    if (!spare_.empty()) {
      BlockBuffer buffer = std::move(spare_.back());
      spare_.pop_back();
      return buffer;
    }
  }
  auto* bytes = static_cast<uint8_t*>(std::aligned_alloc(kBlockAlignment, kBlockBytes));
  if (bytes == nullptr) throw std::bad_alloc();
  return BlockBuffer(bytes);
}

void BlockStore::GiveBuffer(BlockBuffer buffer) {
  std::lock_guard lock(mutex_);
  if (spare_.size() < kMaxSpare) spare_.push_back(std::move(buffer));
}

absl::StatusOr<std::shared_ptr<BlockSession>> BlockStore::Session() {
  std::lock_guard lock(mutex_);
  if (session_->failed) {
    ASSIGN_OR_RETURN(std::unique_ptr<BlockFile> file, device_.Open(path_));
    session_ = std::make_shared<BlockSession>();
    session_->file = std::move(file);
  }
  return session_;
}

void BlockStore::Write(std::shared_ptr<BlockSession> session, uint32_t block, BlockBuffer buffer,
                       size_t size, WriteBatch& batch) {
  // The disk takes whole sectors; the rest of the last one is zeros, never what the buffer held
  // before.
  std::fill(buffer.get() + size, buffer.get() + AlignUp(size), 0);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return queue_.size() < kMaxQueued; });
  ++batch.in_flight_;
  const size_t index = batch.xxh3_.size();
  batch.xxh3_.push_back(0);
  queue_.push_back({std::move(session), block, std::move(buffer), size, &batch, index});
  lock.unlock();
  queued_.notify_one();
}

absl::StatusOr<std::vector<uint64_t>> BlockStore::Wait(WriteBatch& batch) {
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return batch.in_flight_ == 0; });
  RETURN_IF_ERROR(batch.error_);
  return batch.xxh3_;
}

absl::Status BlockStore::Sync(BlockSession& session) {
  {
    std::lock_guard lock(mutex_);
    if (session.failed) {
      return absl::DataLossError("an earlier write to the disk failed, and this clip with it");
    }
  }
  const absl::Status status = session.file->Sync();
  std::lock_guard lock(mutex_);
  if (!status.ok()) EndSession(session, status);
  // Another thread's failure in the meantime leaves open whether our sync saw our writes.
  if (status.ok() && session.failed) {
    return absl::DataLossError("a write to the disk failed meanwhile");
  }
  return status;
}

absl::Status BlockStore::Read(uint32_t block, size_t size, std::string* out) {
  std::shared_ptr<BlockSession> session;
  { ASSIGN_OR_RETURN(session, Session()); }
  BlockBuffer buffer = TakeBuffer();
  RETURN_IF_ERROR(
      ReadAll(*session->file, uint64_t{block} * kBlockBytes, {buffer.get(), AlignUp(size)}));
  out->assign(reinterpret_cast<const char*>(buffer.get()), size);
  GiveBuffer(std::move(buffer));
  return absl::OkStatus();
}

void BlockStore::WriteLoop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    queued_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Job job = std::move(queue_.front());
    const bool was_full = queue_.size() == kMaxQueued;
    queue_.pop_front();
    if (was_full) done_.notify_all();
    absl::Status status;
    uint64_t xxh3 = 0;
    if (job.session->failed) {
      status = absl::DataLossError("an earlier write to the disk failed, and this clip with it");
    } else {
      lock.unlock();
      xxh3 = Xxh3(job.buffer.get(), job.size);
      status = WriteAll(*job.session->file, uint64_t{job.block} * kBlockBytes,
                        {job.buffer.get(), AlignUp(job.size)});
      if (status.ok()) GLEANER_CRASH_POINT("spool.block.written");
      lock.lock();
      if (!status.ok()) EndSession(*job.session, status);
    }
    job.batch->xxh3_[job.index] = xxh3;
    if (!status.ok() && job.batch->error_.ok()) job.batch->error_ = status;
    if (--job.batch->in_flight_ == 0) done_.notify_all();
    if (spare_.size() < kMaxSpare) spare_.push_back(std::move(job.buffer));
  }
}

void BlockStore::EndSession(BlockSession& session, const absl::Status& why) {
  if (session.failed) return;
  session.failed = true;
  LOG_ERROR("spool: {}: {}; the file is opened anew, clips that were being written fail", path_,
            Message(why));
}

}  // namespace gleaner::edge
