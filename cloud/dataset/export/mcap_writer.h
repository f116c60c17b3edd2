// MCAP, version 0 (mcap.dev/spec), as far as recordings of a fleet need it: messages in chunks
// that aren't compressed (video is already, and the same bytes come of every library), an index
// behind each chunk, metadata, and a summary with offsets. All checksums are there.
//
// Holds one chunk, and of each that is written a line for the summary.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/dataset/export/format.h"

namespace gleaner::cloud {

class McapWriter {
 public:
  using Pairs = std::map<std::string, std::string>;
  static constexpr size_t kChunkBytes = 4 << 20;

  // A file that was begun, and is empty; it must outlive this.
  explicit McapWriter(ExportFiles& file) : file_(file) {}

  absl::Status Begin(std::string_view library);
  // Their ids. The same schema, or a channel of the same topic, schema and metadata, is one.
  absl::StatusOr<uint16_t> AddSchema(std::string_view name, std::string_view encoding,
                                     std::string_view data);
  absl::StatusOr<uint16_t> AddChannel(uint16_t schema, std::string_view topic,
                                      std::string_view message_encoding, const Pairs& metadata);
  absl::Status Write(uint16_t channel, uint64_t log_time_ns, std::string_view message);
  // All that was written stands in the file, which has its true size then.
  absl::Status EndChunk();
  absl::Status AddMetadata(std::string_view name, const Pairs& metadata);
  // Nothing follows.
  absl::Status Finish();

  uint64_t messages() const { return messages_; }

 private:
  struct Definition {
    std::string record;       // the whole of it, as the summary repeats it
    bool in_a_chunk = false;  // it stands before the first message that needs it
  };
  struct Channel {
    Definition definition;
    uint16_t schema = 0;
    uint64_t messages = 0;
  };
  struct Span {
    uint64_t first_ns = 0, last_ns = 0;
    void Add(uint64_t at_ns, bool first);
  };

  absl::Status Put(std::string_view bytes);
  absl::Status WriteSummary();

  ExportFiles& file_;
  uint64_t offset_ = 0;
  uint32_t crc_ = 0;  // of all that was written
  std::map<std::string, uint16_t> schema_ids_, channel_ids_;
  std::vector<Definition> schemas_;
  std::vector<Channel> channels_;
  uint64_t messages_ = 0, metadata_ = 0;
  Span span_;

  std::string chunk_;
  uint64_t chunk_messages_ = 0;
  Span chunk_span_;
  // By channel: when, and where in the chunk.
  std::map<uint16_t, std::vector<std::pair<uint64_t, uint64_t>>> chunk_index_;

  std::vector<std::string> chunk_indexes_, metadata_indexes_;  // records of the summary
};

}  // namespace gleaner::cloud
