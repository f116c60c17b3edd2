#include "edge/spool/object_blocks.h"

#include <algorithm>
#include <utility>

#include "common/crash_point.h"
#include "common/status.h"

namespace gleaner::edge {
namespace {

constexpr size_t kMaxUnderWay = 4;
constexpr size_t kMaxUnhashed = 4;

}  // namespace

ObjectBlocks::~ObjectBlocks() {
  while (!under_way_.empty()) EndFirst().IgnoreError();
}

absl::Status ObjectBlocks::Write(uint32_t block, BlockBuffer buffer, size_t size) {
  if (session_ == nullptr) {
    ASSIGN_OR_RETURN(session_, store_.Session());
  }
  RETURN_IF_ERROR(store_.Check(*session_));
  if (under_way_.size() == kMaxUnderWay) RETURN_IF_ERROR(EndFirst());
  // The disk takes whole sectors; the rest of the last one is zeros, never what the buffer held
  // before.
  const size_t padded = AlignToSector(size);
  std::fill(buffer.get() + size, buffer.get() + padded, 0);
  const uint64_t offset = uint64_t{block} * kBlockBytes;
  auto write = session_->file->StartWrite(offset, {buffer.get(), padded});
  xxh3_.push_back(Xxh3(buffer.get(), size));
  under_way_.push_back({buffer, padded, offset, std::move(write)});
  if (unhashed_.size() == kMaxUnhashed) HashFirst();
  unhashed_.push_back({std::move(buffer), size});
  return absl::OkStatus();
}

absl::StatusOr<ObjectBlocks::Digests> ObjectBlocks::Finish() {
  std::unique_ptr<PendingIo> sync;
  while (sync == nullptr || !unhashed_.empty()) {
    // There is no need to wait for the disk as long as there is something to hash.
    while (!under_way_.empty() && (unhashed_.empty() || under_way_.front().write->Ended())) {
      RETURN_IF_ERROR(EndFirst());
    }
    if (sync == nullptr && under_way_.empty()) {
      ASSIGN_OR_RETURN(sync, store_.StartSync(*session_));
    }
    if (!unhashed_.empty()) HashFirst();
  }
  RETURN_IF_ERROR(store_.EndSync(*session_, *sync));
  GLEANER_CRASH_POINT("spool.object.synced");
  return Digests{sha256_.Finish(), std::move(xxh3_)};
}

void ObjectBlocks::HashFirst() {
  sha256_.Update(unhashed_.front().buffer.get(), unhashed_.front().size);
  unhashed_.pop_front();
}

absl::Status ObjectBlocks::EndFirst() {
  const Started started = std::move(under_way_.front());
  under_way_.pop_front();
  const absl::Status status = FinishWrite(*session_->file, *started.write, started.offset,
                                          {started.buffer.get(), started.size});
  if (!status.ok()) store_.Fail(*session_, status);
  if (status.ok()) GLEANER_CRASH_POINT("spool.block.written");
  return status;
}

}  // namespace gleaner::edge
