// A clip on its way in: objects are cut into blocks, hashed and written as they come, the ledger
// learns of them at the end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/digest.h"
#include "edge/spool/block_store.h"
#include "edge/spool/ledger_rows.h"
#include "edge/spool/object_blocks.h"
#include "edge/spool/spool.h"

namespace gleaner::edge {

// Objects below this size live in the ledger.
inline constexpr uint64_t kInlineBytes = 64 * 1024;

// What a writer needs of the spool. Thread-safe.
class ClipSink {
 public:
  virtual ~ClipSink() = default;
  virtual BlockStore& store() = 0;
  // A free block, if need be at the cost of a clip that is worth no more than `priority`.
  virtual absl::StatusOr<uint32_t> AllocateBlock(uint32_t priority) = 0;
  // The blocks that `parts` name are durable: makes the clip's rows so. UNAVAILABLE: whether it did
  // is not known.
  virtual absl::Status CommitClip(RowId id, const std::vector<PartRow>& parts) = 0;
  virtual void WriterClosed(RowId id) = 0;
};

class ObjectWriterImpl : public ObjectWriter {
 public:
  ObjectWriterImpl(ClipSink& sink, RowId clip, uint32_t priority)
      : sink_(sink), clip_(clip), priority_(priority), blocks_(std::in_place, sink.store()) {}
  ~ObjectWriterImpl() override;

  absl::Status Append(std::span<const uint8_t> bytes) override;
  absl::Status Finish() override;
  uint64_t size_bytes() const override { return row_.size_bytes; }
  const Sha256Digest& sha256() const override { return row_.sha256; }
  const std::vector<uint64_t>& block_xxh3() const override { return row_.block_xxh3; }

  RowId clip() const { return clip_; }
  bool finished() const { return finished_; }
  const PartRow& row() const { return row_; }
  // The ledger owns the blocks now.
  void Disown() { row_.runs.clear(); }

 private:
  absl::Status AppendSome(std::span<const uint8_t> bytes);
  absl::Status FlushBlock();
  absl::Status FinishRow();

  ClipSink& sink_;
  const RowId clip_;
  const uint32_t priority_;
  PartRow row_;         // grows as blocks go out
  BlockBuffer buffer_;  // the block that is being filled
  size_t filled_ = 0;
  std::optional<ObjectBlocks> blocks_;  // until the object goes
  absl::Status status_;                 // the first error
  bool finished_ = false;
};

class ClipWriterImpl : public ClipWriter {
 public:
  ClipWriterImpl(ClipSink& sink, RowId clip, uint32_t priority)
      : sink_(sink), clip_(clip), priority_(priority) {}
  ~ClipWriterImpl() override { sink_.WriterClosed(clip_); }

  std::unique_ptr<ObjectWriter> NewObject() override;
  absl::Status Commit(std::string manifest,
                      std::vector<std::unique_ptr<ObjectWriter>> objects) override;

 private:
  ClipSink& sink_;
  const RowId clip_;
  const uint32_t priority_;
};

}  // namespace gleaner::edge
