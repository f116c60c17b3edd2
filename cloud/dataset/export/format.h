// An export format: a frozen list and its pictures → files that other programs read. One file a
// format beside this one, and one line in registry.cpp.
//
// What a format writes follows from the list alone: no time, no name of a machine, no order of a
// hash table, no fraction of a floating-point number. So an export that is repeated is the same,
// byte for byte.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/dataset/clip_source.h"
#include "cloud/dataset/frozen_list.h"
#include "cloud/dataset/spool_file.h"

namespace gleaner::cloud {

struct ExportSource {
  std::string name;  // the dataset's
  FrozenHead head;
  std::vector<Split> splits;  // those that are wanted
  uint64_t shard_bytes = 0;   // where a format has shards
  // All frames of those splits, in the list's order. May be called again.
  std::function<absl::Status(const std::function<absl::Status(const FrozenFrame&)>&)> walk;
  std::function<absl::StatusOr<std::string>(const FrozenFrame&)> picture;
  // The clip of a frame, for a format that has_whole_clips.
  std::function<absl::StatusOr<ClipSource>(const FrozenFrame&)> clip;
  // For what has to be known before it is written.
  std::function<absl::StatusOr<SpoolFile>()> spool;
};

// Where the files go, one after the other.
class ExportFiles {
 public:
  virtual ~ExportFiles() = default;
  // `name`: a file's, of [a-z0-9.-]. Ends the one before.
  virtual absl::Status Begin(std::string name, std::string content_type) = 0;
  virtual absl::Status Append(std::string_view bytes) = 0;
  // Of the file that was begun last.
  virtual uint64_t size() const = 0;
  // Ends the last one; its SHA-256 in hex.
  virtual absl::StatusOr<std::string> End() = 0;
};

class ExportFormat {
 public:
  virtual ~ExportFormat() = default;
  virtual std::string_view name() const = 0;  // "coco"
  // For people, one line.
  virtual std::string_view about() const = 0;
  // Whether ExportSource::shard_bytes says something to it.
  virtual bool has_shards() const { return false; }
  // Whether it takes more of a clip than the frames of the list.
  virtual bool has_whole_clips() const { return false; }
  // Whether it has a place for what is said of whole frames: classes and text. Without one, a
  // dataset of a schema that says nothing else is refused, so that nobody takes its frames for
  // empty ones.
  virtual bool has_whole_frames() const { return true; }
  virtual absl::Status Write(const ExportSource& source, ExportFiles& files) const = 0;
};

// In the order in which people are told of them.
const std::vector<const ExportFormat*>& ExportFormats();
// INVALID_ARGUMENT names those there are.
absl::StatusOr<const ExportFormat*> FindExportFormat(std::string_view name);

// Each in its own file.
const ExportFormat& CocoFormat();
const ExportFormat& YoloFormat();
const ExportFormat& WebDatasetFormat();
const ExportFormat& McapFormat();
const ExportFormat& CvatFormat();
const ExportFormat& LabelStudioFormat();

// "train/front/0f3a…-900", without an ending: where a frame's files are.
std::string PlaceOf(const FrozenFrame& frame);
// `value` millionths of `whole`, as decimal without needless zeros: "12.5".
std::string Decimal(int64_t value, int64_t whole = 1);

}  // namespace gleaner::cloud
