#include "tests/edge/spool/fault_device.h"

#include <utility>

#include "common/status.h"

namespace gleaner::edge {

class FaultDevice::File : public BlockFile {
 public:
  File(FaultDevice& device, std::unique_ptr<BlockFile> file)
      : device_(device), file_(std::move(file)) {}

  std::unique_ptr<PendingIo> StartWrite(uint64_t offset, std::span<const uint8_t> data) override {
    {
      std::lock_guard lock(device_.mutex_);
      if (device_.faults_.write_in > 0 && --device_.faults_.write_in == 0) {
        if (const size_t n = device_.faults_.short_write_bytes; n > 0) {
          // The real file takes whole sectors only.
          const absl::Status some = WriteAll(*file_, offset, data.first(n - n % kBlockAlignment));
          return EndedIo(some.ok() ? absl::StatusOr<size_t>(n) : some);
        }
        failed_ = true;
        return EndedIo(device_.faults_.write_error);
      }
    }
    return file_->StartWrite(offset, data);
  }

  absl::StatusOr<size_t> ReadSome(uint64_t offset, std::span<uint8_t> data) override {
    {
      std::lock_guard lock(device_.mutex_);
      if (device_.faults_.read_in > 0 && --device_.faults_.read_in == 0) {
        return device_.faults_.read_error;
      }
    }
    return file_->ReadSome(offset, data);
  }

  std::unique_ptr<PendingIo> StartSync() override {
    {
      std::lock_guard lock(device_.mutex_);
      device_.syncs_after_error_ += failed_ ? 1 : 0;
      if (device_.faults_.sync_in > 0 && --device_.faults_.sync_in == 0) {
        failed_ = true;
        return EndedIo(device_.faults_.sync_error);
      }
    }
    return file_->StartSync();
  }

  absl::StatusOr<uint64_t> Size() override { return file_->Size(); }

  absl::Status Resize(uint64_t size_bytes) override {
    {
      std::lock_guard lock(device_.mutex_);
      RETURN_IF_ERROR(device_.faults_.resize_error);
    }
    return file_->Resize(size_bytes);
  }

 private:
  FaultDevice& device_;
  const std::unique_ptr<BlockFile> file_;
  bool failed_ = false;  // guarded by the device's mutex
};

absl::StatusOr<std::unique_ptr<BlockFile>> FaultDevice::Open(const std::string& path) {
  std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(faults_.open_error);
  ++opens_;
  ASSIGN_OR_RETURN(auto file, PosixBlockDevice().Open(path));
  return std::make_unique<File>(*this, std::move(file));
}

void FaultDevice::Set(Faults faults) {
  std::lock_guard lock(mutex_);
  faults_ = std::move(faults);
}

int FaultDevice::opens() const {
  std::lock_guard lock(mutex_);
  return opens_;
}

int FaultDevice::syncs_after_error() const {
  std::lock_guard lock(mutex_);
  return syncs_after_error_;
}

namespace {

class LateFile : public BlockFile {
 public:
  explicit LateFile(std::unique_ptr<BlockFile> file) : file_(std::move(file)) {}

  std::unique_ptr<PendingIo> StartWrite(uint64_t offset, std::span<const uint8_t> data) override {
    std::lock_guard lock(mutex_);
    late_.emplace_back(offset, std::vector<uint8_t>(data.begin(), data.end()));
    return EndedIo(data.size());
  }
  absl::StatusOr<size_t> ReadSome(uint64_t offset, std::span<uint8_t> data) override {
    RETURN_IF_ERROR(Flush(0));
    return file_->ReadSome(offset, data);
  }
  std::unique_ptr<PendingIo> StartSync() override {
    const absl::Status flushed = Flush(2);
    return EndedIo(flushed.ok() ? absl::StatusOr<size_t>(0) : flushed);
  }
  absl::StatusOr<uint64_t> Size() override { return file_->Size(); }
  absl::Status Resize(uint64_t size_bytes) override { return file_->Resize(size_bytes); }

 private:
  // Writes all but the last `keep`.
  absl::Status Flush(size_t keep) {
    std::lock_guard lock(mutex_);
    while (late_.size() > keep) {
      auto& [offset, data] = late_.front();
      // std::vector isn't aligned as O_DIRECT wants it.
      std::unique_ptr<uint8_t, decltype(&std::free)> aligned(
          static_cast<uint8_t*>(std::aligned_alloc(kBlockAlignment, data.size())), &std::free);
      std::copy(data.begin(), data.end(), aligned.get());
      RETURN_IF_ERROR(WriteAll(*file_, offset, {aligned.get(), data.size()}));
      late_.erase(late_.begin());
    }
    return absl::OkStatus();
  }

  const std::unique_ptr<BlockFile> file_;
  std::mutex mutex_;
  std::vector<std::pair<uint64_t, std::vector<uint8_t>>> late_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<BlockFile>> LateDevice::Open(const std::string& path) {
  ASSIGN_OR_RETURN(auto file, PosixBlockDevice().Open(path));
  return std::make_unique<LateFile>(std::move(file));
}

}  // namespace gleaner::edge
