#include "cloud/store/file_blob_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr uint64_t kBufferBytes = BufferPool::kBufferBytes;

}  // namespace

FileBlobWriter::FileBlobWriter(BlobPlace place, std::shared_ptr<Segment> segment, BufferPool& pool,
                               Owner& owner)
    : place_(std::move(place)),
      id_(place_.id()),
      segment_(std::move(segment)),
      pool_(pool),
      owner_(owner) {}

absl::Status FileBlobWriter::WriteAt(uint64_t offset, const struct iovec* parts, int count) {
  RETURN_IF_ERROR(failed_);
  uint64_t size = 0;
  for (int i = 0; i < count; ++i) size += parts[i].iov_len;
  if (offset > place_.size || size > place_.size - offset) {
    return absl::OutOfRangeError(
        fmt::format("blob {} has {} bytes, not {} from {}", id_, place_.size, size, offset));
  }
  RETURN_IF_ERROR(GoTo(offset));
  for (int i = 0; i < count; ++i) {
    RETURN_IF_ERROR(Append(static_cast<char*>(parts[i].iov_base), parts[i].iov_len));
  }
  return absl::OkStatus();
}

std::vector<iovec> FileBlobWriter::Held(uint64_t offset) const {
  std::vector<iovec> parts;
  for (size_t i = 0; i < buffers_.size(); ++i) {
    const uint64_t begin = start_ + i * kBufferBytes;
    const uint64_t end = std::min(begin + kBufferBytes, end_);
    const uint64_t skip = std::max(begin, offset) - begin;
    if (begin + skip < end) parts.push_back({buffers_[i].get() + skip, end - begin - skip});
  }
  return parts;
}

absl::Status FileBlobWriter::Flush() {
  RETURN_IF_ERROR(failed_);
  return failed_ = Annotate(WriteHeld(), fmt::format("blob {}", id_));
}

absl::Status FileBlobWriter::Sync() {
  RETURN_IF_ERROR(failed_);
  failed_ = WriteHeld();
  if (failed_.ok()) {
    failed_ = segment_->Sync();
    if (!failed_.ok()) owner_.OnFailedSync(segment_);
  }
  return failed_ = Annotate(failed_, fmt::format("blob {}", id_));
}

absl::Status FileBlobWriter::GoTo(uint64_t offset) {
  if (!buffers_.empty() && offset > end_) {
    return absl::InternalError(fmt::format("blob {} written at {} after {}", id_, offset, end_));
  }
  if (!buffers_.empty() && offset >= start_) {
    end_ = offset;
    buffers_.resize((end_ - start_ + kBufferBytes - 1) / kBufferBytes);
    return absl::OkStatus();
  }
  buffers_.clear();
  start_ = end_ = offset - offset % kDiskBlockBytes;
  if (start_ == offset) return absl::OkStatus();
  RETURN_IF_ERROR(TakeBuffer());
  RETURN_IF_ERROR(segment_->Read(place_.offset + start_, buffers_.back().get(), kDiskBlockBytes));
  end_ = offset;
  return absl::OkStatus();
}

absl::Status FileBlobWriter::TakeBuffer() {
  BufferPool::Buffer buffer = pool_.Take();
  if (buffer == nullptr) return absl::ResourceExhaustedError("out of memory");
  buffers_.push_back(std::move(buffer));
  return absl::OkStatus();
}

absl::Status FileBlobWriter::Append(const char* data, size_t size) {
  while (size > 0) {
    const uint64_t held = end_ - start_;
    if (held == buffers_.size() * kBufferBytes) RETURN_IF_ERROR(TakeBuffer());
    const size_t at = held % kBufferBytes;
    const size_t take = std::min<size_t>(size, kBufferBytes - at);
    std::memcpy(buffers_.back().get() + at, data, take);
    data += take;
    size -= take;
    end_ += take;
  }
  return absl::OkStatus();
}

absl::Status FileBlobWriter::WriteHeld() {
  if (buffers_.empty()) return absl::OkStatus();
  uint64_t left = RoundUpToDiskBlock(end_ - start_);
  std::memset(buffers_.back().get() + (end_ - start_ - 1) % kBufferBytes + 1, 0,
              left - (end_ - start_));
  std::vector<iovec> parts;
  for (const BufferPool::Buffer& buffer : buffers_) {
    parts.push_back({buffer.get(), std::min<uint64_t>(left, kBufferBytes)});
    left -= parts.back().iov_len;
  }
  RETURN_IF_ERROR(
      segment_->Write(place_.offset + start_, parts.data(), static_cast<int>(parts.size())));
  buffers_.clear();
  return absl::OkStatus();
}

}  // namespace gleaner::cloud
