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

// What two objects need while they are being written.
constexpr size_t kMaxSpare = 10;

}  // namespace

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
  uint8_t* bytes = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (!spare_.empty()) {
      bytes = spare_.back().release();
      spare_.pop_back();
    }
  }
  if (bytes == nullptr) {
    bytes = static_cast<uint8_t*>(std::aligned_alloc(kBlockAlignment, kBlockBytes));
    if (bytes == nullptr) throw std::bad_alloc();
  }
  return BlockBuffer(bytes, [this](uint8_t* used) {
    std::unique_ptr<uint8_t, decltype(&std::free)> owned(used, &std::free);
    std::lock_guard lock(mutex_);
    if (spare_.size() < kMaxSpare) spare_.push_back(std::move(owned));
  });
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

absl::Status BlockStore::Check(const BlockSession& session) {
  std::lock_guard lock(mutex_);
  if (session.failed) {
    return absl::DataLossError("an earlier write to the disk failed, and this clip with it");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<PendingIo>> BlockStore::StartSync(BlockSession& session) {
  RETURN_IF_ERROR(Check(session));
  return session.file->StartSync();
}

absl::Status BlockStore::EndSync(BlockSession& session, PendingIo& sync) {
  const absl::Status status = sync.Wait().status();
  std::lock_guard lock(mutex_);
  if (!status.ok()) FailLocked(session, status);
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
      ReadAll(*session->file, uint64_t{block} * kBlockBytes, {buffer.get(), AlignToSector(size)}));
  out->assign(reinterpret_cast<const char*>(buffer.get()), size);
  return absl::OkStatus();
}

void BlockStore::Fail(BlockSession& session, const absl::Status& why) {
  std::lock_guard lock(mutex_);
  FailLocked(session, why);
}

void BlockStore::FailLocked(BlockSession& session, const absl::Status& why) {
  if (session.failed) return;
  session.failed = true;
  LOG_ERROR("spool: {}: {}; the file is opened anew, clips that were being written fail", path_,
            Message(why));
}

}  // namespace gleaner::edge
