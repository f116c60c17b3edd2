#include "edge/spool/clip_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/crash_point.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::edge {

ObjectWriterImpl::~ObjectWriterImpl() {
  // A block must not be free while its write is under way: it would land in the next owner's data.
  sink_.store().Wait(writes_).status().IgnoreError();
  sink_.store().Free(row_.runs);
  if (buffer_ != nullptr) sink_.store().GiveBuffer(std::move(buffer_));
}

absl::Status ObjectWriterImpl::Append(std::span<const uint8_t> bytes) {
  if (finished_) return absl::FailedPreconditionError("the object is finished");
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
  if (filled_ == kBlockBytes) RETURN_IF_ERROR(FlushBlock());
  // After the block is under way: the disk works while we hash.
  hash_.Update(bytes.data(), bytes.size());
  return absl::OkStatus();
}

absl::Status ObjectWriterImpl::FlushBlock() {
  if (session_ == nullptr) {
    ASSIGN_OR_RETURN(session_, sink_.store().Session());
  }
  ASSIGN_OR_RETURN(const uint32_t block, sink_.AllocateBlock(priority_));
  AppendBlock(row_.runs, block);
  sink_.store().Write(session_, block, std::move(buffer_), std::exchange(filled_, 0), writes_);
  return absl::OkStatus();
}

absl::Status ObjectWriterImpl::Finish() {
  if (finished_) return status_;
  finished_ = true;
  if (status_.ok() && row_.size_bytes == 0) {
    status_ = absl::InvalidArgumentError("an object has at least one byte");
  }
  if (status_.ok() && row_.size_bytes < kInlineBytes) {
    row_.inlined = true;
    row_.bytes.assign(reinterpret_cast<const char*>(buffer_.get()), filled_);
    row_.block_xxh3.push_back(Xxh3(row_.bytes));
  } else if (status_.ok() && filled_ > 0) {
    status_ = FlushBlock();
  }
  row_.sha256 = hash_.Finish();
  auto written = sink_.store().Wait(writes_);
  if (status_.ok()) status_ = written.status();
  if (status_.ok() && !row_.inlined) row_.block_xxh3 = *std::move(written);
  return status_;
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
  std::shared_ptr<BlockSession> session;
  for (const auto& object : objects) {
    auto& writer = static_cast<ObjectWriterImpl&>(*object);
    if (writer.clip() != clip_ || !writer.finished()) {
      return absl::FailedPreconditionError("an object isn't finished, or is another clip's");
    }
    RETURN_IF_ERROR(writer.Finish());  // says again how it ended
    if (writer.session() != nullptr) {
      if (session != nullptr && session != writer.session()) {
        return absl::DataLossError("a write to the disk failed while the clip was being written");
      }
      session = writer.session();
    }
    parts.push_back(writer.row());
    parts.back().clip = clip_;
    parts.back().part = static_cast<int>(parts.size()) - 1;
  }
  if (session != nullptr) RETURN_IF_ERROR(sink_.store().Sync(*session));
  GLEANER_CRASH_POINT("spool.clip.blocks_synced");
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
