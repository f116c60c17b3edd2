#include "cloud/dataset/export/mcap_writer.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr std::string_view kMagic("\x89MCAP0\r\n", 8);

enum Opcode : uint8_t {
  kHeader = 0x01,
  kFooter = 0x02,
  kSchema = 0x03,
  kChannel = 0x04,
  kMessage = 0x05,
  kChunk = 0x06,
  kMessageIndex = 0x07,
  kChunkIndex = 0x08,
  kStatistics = 0x0b,
  kMetadata = 0x0c,
  kMetadataIndex = 0x0d,
  kSummaryOffset = 0x0e,
  kDataEnd = 0x0f,
};

// Little-endian, whatever the machine is.
template <typename T>
void Number(std::string* out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) {
    *out += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i) & 0xff);
  }
}

void Text(std::string* out, std::string_view text) {
  Number(out, static_cast<uint32_t>(text.size()));
  *out += text;
}

void Map(std::string* out, const McapWriter::Pairs& pairs) {
  std::string entries;
  for (const auto& [key, value] : pairs) {
    Text(&entries, key);
    Text(&entries, value);
  }
  Text(out, entries);
}

std::string Record(Opcode opcode, std::string_view content) {
  std::string record;
  Number<uint8_t>(&record, opcode);
  Number<uint64_t>(&record, content.size());
  record += content;
  return record;
}

uint32_t Crc(uint32_t so_far, std::string_view bytes) {
  return static_cast<uint32_t>(
      ::crc32_z(so_far, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace

void McapWriter::Span::Add(uint64_t at_ns, bool first) {
  first_ns = first ? at_ns : std::min(first_ns, at_ns);
  last_ns = first ? at_ns : std::max(last_ns, at_ns);
}

absl::Status McapWriter::Put(std::string_view bytes) {
  crc_ = Crc(crc_, bytes);
  offset_ += bytes.size();
  return file_.Append(bytes);
}

absl::Status McapWriter::Begin(std::string_view library) {
  std::string header;
  Text(&header, "");
  Text(&header, library);
  RETURN_IF_ERROR(Put(kMagic));
  return Put(Record(kHeader, header));
}

absl::StatusOr<uint16_t> McapWriter::AddSchema(std::string_view name, std::string_view encoding,
                                               std::string_view data) {
  std::string rest;
  Text(&rest, name);
  Text(&rest, encoding);
  Text(&rest, data);
  if (const auto known = schema_ids_.find(rest); known != schema_ids_.end()) return known->second;
  if (schemas_.size() + 1 >= std::numeric_limits<uint16_t>::max()) {
    return absl::ResourceExhaustedError("an MCAP file has at most 65,535 schemas");
  }
  const auto id = static_cast<uint16_t>(schemas_.size() + 1);  // 0 is none
  std::string content;
  Number(&content, id);
  schemas_.push_back({.record = Record(kSchema, content + rest)});
  schema_ids_.emplace(std::move(rest), id);
  return id;
}

absl::StatusOr<uint16_t> McapWriter::AddChannel(uint16_t schema, std::string_view topic,
                                                std::string_view message_encoding,
                                                const Pairs& metadata) {
  std::string rest;
  Number(&rest, schema);
  Text(&rest, topic);
  Text(&rest, message_encoding);
  Map(&rest, metadata);
  if (const auto known = channel_ids_.find(rest); known != channel_ids_.end()) return known->second;
  if (channels_.size() >= std::numeric_limits<uint16_t>::max()) {
    return absl::ResourceExhaustedError("an MCAP file has at most 65,535 channels");
  }
  const auto id = static_cast<uint16_t>(channels_.size());
  std::string content;
  Number(&content, id);
  channels_.push_back(
      {.definition = {.record = Record(kChannel, content + rest)}, .schema = schema});
  channel_ids_.emplace(std::move(rest), id);
  return id;
}

absl::Status McapWriter::Write(uint16_t channel, uint64_t log_time_ns, std::string_view message) {
  Channel& its = channels_.at(channel);
  for (Definition* one : {&schemas_.at(its.schema - 1u), &its.definition}) {
    if (!std::exchange(one->in_a_chunk, true)) chunk_ += one->record;
  }
  chunk_index_[channel].emplace_back(log_time_ns, chunk_.size());
  std::string head;
  Number<uint8_t>(&head, kMessage);
  Number<uint64_t>(&head, 2 + 4 + 8 + 8 + message.size());
  Number(&head, channel);
  Number(&head, static_cast<uint32_t>(its.messages));
  Number(&head, log_time_ns);
  Number(&head, log_time_ns);  // published
  chunk_ += head;
  chunk_ += message;
  chunk_span_.Add(log_time_ns, chunk_messages_++ == 0);
  span_.Add(log_time_ns, messages_++ == 0);
  ++its.messages;
  return chunk_.size() < kChunkBytes ? absl::OkStatus() : EndChunk();
}

absl::Status McapWriter::EndChunk() {
  if (chunk_.empty()) return absl::OkStatus();
  const uint64_t start = offset_;
  std::string head;
  Number<uint8_t>(&head, kChunk);
  Number<uint64_t>(&head, 8 + 8 + 8 + 4 + 4 + 8 + chunk_.size());
  Number(&head, chunk_span_.first_ns);
  Number(&head, chunk_span_.last_ns);
  Number<uint64_t>(&head, chunk_.size());
  Number(&head, Crc(0, chunk_));
  Text(&head, "");  // not compressed
  Number<uint64_t>(&head, chunk_.size());
  RETURN_IF_ERROR(Put(head));
  RETURN_IF_ERROR(Put(chunk_));
  const uint64_t end = offset_;
  std::string offsets;
  for (auto& [channel, messages] : chunk_index_) {
    std::stable_sort(messages.begin(), messages.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    Number(&offsets, channel);
    Number(&offsets, offset_);
    std::string entries, index;
    for (const auto& [at_ns, where] : messages) {
      Number(&entries, at_ns);
      Number(&entries, where);
    }
    Number(&index, channel);
    Text(&index, entries);
    RETURN_IF_ERROR(Put(Record(kMessageIndex, index)));
  }
  std::string index;
  Number(&index, chunk_span_.first_ns);
  Number(&index, chunk_span_.last_ns);
  Number(&index, start);
  Number(&index, end - start);
  Text(&index, offsets);
  Number(&index, offset_ - end);
  Text(&index, "");
  Number<uint64_t>(&index, chunk_.size());
  Number<uint64_t>(&index, chunk_.size());
  chunk_indexes_.push_back(Record(kChunkIndex, index));
  chunk_.clear();
  chunk_messages_ = 0;
  chunk_index_.clear();
  return absl::OkStatus();
}

absl::Status McapWriter::AddMetadata(std::string_view name, const Pairs& metadata) {
  RETURN_IF_ERROR(EndChunk());
  std::string content, index;
  Text(&content, name);
  Map(&content, metadata);
  const std::string record = Record(kMetadata, content);
  Number(&index, offset_);
  Number<uint64_t>(&index, record.size());
  Text(&index, name);
  metadata_indexes_.push_back(Record(kMetadataIndex, index));
  ++metadata_;
  return Put(record);
}

absl::Status McapWriter::Finish() {
  RETURN_IF_ERROR(EndChunk());
  std::string end;
  Number(&end, crc_);
  RETURN_IF_ERROR(Put(Record(kDataEnd, end)));
  return WriteSummary();
}

absl::Status McapWriter::WriteSummary() {
  const uint64_t start = offset_;
  crc_ = 0;
  std::string offsets;
  const auto group = [&](Opcode opcode, const auto& put_all) -> absl::Status {
    const uint64_t at = offset_;
    RETURN_IF_ERROR(put_all());
    if (offset_ == at) return absl::OkStatus();
    std::string content;
    Number<uint8_t>(&content, opcode);
    Number(&content, at);
    Number(&content, offset_ - at);
    offsets += Record(kSummaryOffset, content);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(group(kSchema, [&]() -> absl::Status {
    for (const Definition& one : schemas_) RETURN_IF_ERROR(Put(one.record));
    return absl::OkStatus();
  }));
  std::string counts;
  RETURN_IF_ERROR(group(kChannel, [&]() -> absl::Status {
    for (size_t i = 0; i < channels_.size(); ++i) {
      RETURN_IF_ERROR(Put(channels_[i].definition.record));
      Number(&counts, static_cast<uint16_t>(i));
      Number(&counts, channels_[i].messages);
    }
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(group(kStatistics, [&] {
    std::string content;
    Number(&content, messages_);
    Number(&content, static_cast<uint16_t>(schemas_.size()));
    Number(&content, static_cast<uint32_t>(channels_.size()));
    Number<uint32_t>(&content, 0);  // attachments
    Number(&content, static_cast<uint32_t>(metadata_));
    Number(&content, static_cast<uint32_t>(chunk_indexes_.size()));
    Number(&content, span_.first_ns);
    Number(&content, span_.last_ns);
    Text(&content, counts);
    return Put(Record(kStatistics, content));
  }));
  RETURN_IF_ERROR(group(kChunkIndex, [&]() -> absl::Status {
    for (const std::string& one : chunk_indexes_) RETURN_IF_ERROR(Put(one));
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(group(kMetadataIndex, [&]() -> absl::Status {
    for (const std::string& one : metadata_indexes_) RETURN_IF_ERROR(Put(one));
    return absl::OkStatus();
  }));
  const uint64_t offsets_start = offset_;
  RETURN_IF_ERROR(Put(offsets));
  std::string footer;
  Number<uint8_t>(&footer, kFooter);
  Number<uint64_t>(&footer, 8 + 8 + 4);
  Number(&footer, start);
  Number(&footer, offsets_start);
  RETURN_IF_ERROR(Put(footer));
  std::string crc;
  Number(&crc, crc_);
  RETURN_IF_ERROR(Put(crc));
  return Put(kMagic);
}

}  // namespace gleaner::cloud
