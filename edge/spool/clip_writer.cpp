#include "edge/spool/clip_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/limits.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::edge {

ObjectWriterImpl::~ObjectWriterImpl() {
  blocks_.reset();  // no write is under way any more
  sink_.store().Free(row_.runs);
}

absl::Status ObjectWriterImpl::Append(std::span<const uint8_t> bytes) {
  if (finished_ && status_.ok()) return absl::FailedPreconditionError("the object is finished");
  if (row_.size_bytes + bytes.size() > kMaxObjectBytes) {
    status_ =
        absl::InvalidArgumentError(fmt::format("an object has at most {} bytes", kMaxObjectBytes));
  }
  while (status_.ok() && !bytes.empty()) {
    const auto piece = bytes.first(std::min(bytes.size(), kBlockBytes - filled_));
    status_ = AppendSome(piece);
    bytes = bytes.subspan(piece.size());
  }
  return status_;
}

absl::Status ObjectWriterImpl::AppendSome(std::span<const uint8_t> bytes) {
  if (buffer_ == nullptr) buffer_ = sink_.store().TakeBuffer();
  std::memcpy(buffer_.get() + filled_, bytes.data(), bytes.size());
  filled_ += bytes.size();
  row_.size_bytes += bytes.size();
  return filled_ == kBlockBytes ? FlushBlock() : absl::OkStatus();
}

absl::Status ObjectWriterImpl::FlushBlock() {
  ASSIGN_OR_RETURN(const uint32_t block, sink_.AllocateBlock(priority_));
  AppendBlock(row_.runs, block);
  return blocks_->Write(block, std::move(buffer_), std::exchange(filled_, 0));
}

absl::Status ObjectWriterImpl::Finish() {
  if (!finished_ && status_.ok()) status_ = FinishRow();
  finished_ = true;
  return status_;
}

absl::Status ObjectWriterImpl::FinishRow() {
  if (row_.size_bytes == 0) return absl::InvalidArgumentError("an object has at least one byte");
  if (row_.size_bytes < kInlineBytes) {
    row_.inlined = true;
    row_.bytes.assign(reinterpret_cast<const char*>(buffer_.get()), filled_);
    row_.block_xxh3.push_back(Xxh3(row_.bytes));
    row_.sha256 = Sha256::Of(row_.bytes);
    return absl::OkStatus();
  }
  if (filled_ > 0) RETURN_IF_ERROR(FlushBlock());
  ASSIGN_OR_RETURN(ObjectBlocks::Digests digests, blocks_->Finish());
  row_.sha256 = digests.sha256;
  row_.block_xxh3 = std::move(digests.xxh3);
  return absl::OkStatus();
}

std::unique_ptr<ObjectWriter> ClipWriterImpl::NewObject() {
  return std::make_unique<ObjectWriterImpl>(sink_, clip_, priority_);
}

absl::Status ClipWriterImpl::Commit(std::string manifest,
                                    std::vector<std::unique_ptr<ObjectWriter>> objects) {
  if (manifest.empty() || manifest.size() > kMaxManifestBytes) {
    return absl::InvalidArgumentError(fmt::format("a manifest has 1 to {} bytes, this one {}",
                                                  kMaxManifestBytes, manifest.size()));
  }
  if (objects.size() > kMaxObjects) {
    return absl::InvalidArgumentError(
        fmt::format("a clip has at most {} objects, this one {}", kMaxObjects, objects.size()));
  }
  std::vector<PartRow> parts = {{.clip = clip_,
                                 .part = 0,
                                 .size_bytes = manifest.size(),
                                 .sha256 = Sha256::Of(manifest),
                                 .block_xxh3 = {Xxh3(manifest)},
                                 .inlined = true,
                                 .bytes = std::move(manifest)}};
  for (const auto& object : objects) {
    auto& writer = static_cast<ObjectWriterImpl&>(*object);
    if (writer.clip() != clip_ || !writer.finished()) {
      return absl::FailedPreconditionError("an object isn't finished, or is another clip's");
    }
    RETURN_IF_ERROR(writer.Finish());  // says again how it ended
    parts.push_back(writer.row());
    parts.back().clip = clip_;
    parts.back().part = static_cast<int>(parts.size()) - 1;
  }
  const absl::Status committed = sink_.CommitClip(clip_, parts);
  if (committed.ok() || absl::IsUnavailable(committed)) {
    // In doubt, the rows may be there: the blocks stay taken until the next start knows.
    if (!committed.ok()) {
      LOG_ERROR("spool: the blocks of a clip in doubt stay taken until the next start");
    }
    for (const auto& object : objects) static_cast<ObjectWriterImpl&>(*object).Disown();
  }
  return committed;
}

}  // namespace gleaner::edge
