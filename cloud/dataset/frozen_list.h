// The frozen list: what a version is. A file of lines, each a JSON object with sorted keys and
// without blanks, no number of which has a fraction; the first line is the head, every other one a
// frame, in the order of clip, camera and PTS. Lines are the leaves of the Merkle tree (merkle.h),
// so anybody who can hash lines can check a version.
//
//   {"classes":["bottle"],"gleaner_dataset":1,"filter":"","leave_out_empty":false,…,"seed":0}
//   {"boxes":[["bottle",100000,250000,50000,120000,[]]],"camera":"front","clip":"0f3a…","pts":900,…}
//
// Boxes are in millionths of the upright picture's width and height: class, left, top, width,
// height, attributes. Whole numbers are the same on every machine, and so is all that exports make
// of them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/dataset/merkle.h"
#include "cloud/dataset/parts.h"
#include "cloud/dataset/splits.h"
#include "cloud/frames/frames.h"

namespace gleaner::cloud {

inline constexpr int64_t kWholeSide = 1'000'000;
// A label comes in a request of 1 MiB at most; its line has the names of classes besides.
inline constexpr size_t kMaxLineBytes = 2 << 20;

using Attributes = std::vector<std::pair<std::string, std::string>>;

struct FrozenBox {
  std::string class_name;
  int64_t x = 0, y = 0, width = 0, height = 0;  // millionths
  Attributes attributes;
};

struct FrozenFrame {
  FrameName name;
  std::vector<FrozenBox> boxes;
  std::vector<std::string> classes;
  std::string text;
  Attributes attributes;  // of the whole frame
  Split split = Split::kTrain;
  std::string group;
  // Lineage.
  std::string device, site, rule, model, reviewer_role;
  int64_t taken_ns = 0;
  uint64_t label = 0;  // the label's number in its catalog
  // The upright picture.
  uint32_t width = 0, height = 0;
  uint64_t picture_bytes = 0;
  std::string picture_sha256;  // hex

  bool empty() const { return boxes.empty() && classes.empty() && text.empty(); }
  std::string ToLine() const;
  // DATA_LOSS for what is none.
  static absl::StatusOr<FrozenFrame> FromLine(std::string_view line);
};

struct FrozenHead {
  std::string schema, filter, least_role;
  std::vector<std::string> classes;
  bool leave_out_empty = false;
  uint64_t seed = 0, most = 0;

  std::string ToLine() const;
  static absl::StatusOr<FrozenHead> FromLine(std::string_view line);
};

// Reads lines one after the other, holding a piece of the file.
class LineReader {
 public:
  using Read = std::function<absl::Status(uint64_t offset, size_t size, std::string* piece)>;
  LineReader(uint64_t bytes, Read read) : bytes_(bytes), read_(std::move(read)) {}
  explicit LineReader(PartReader file)
      : LineReader(file.size(), [file](uint64_t offset, size_t size, std::string* piece) {
          return file.Read(offset, size, piece);
        }) {}
  // False at the end. DATA_LOSS for a line that is too long or breaks off.
  absl::StatusOr<bool> Next(std::string* line);

 private:
  uint64_t bytes_;
  Read read_;
  uint64_t offset_ = 0;
  std::string held_;
  size_t at_ = 0;
};

// Reads a version's list from its beginning, and checks its root at the end: DATA_LOSS where that
// is another one than `root` (hex; empty: not checked).
absl::Status WalkFrozen(const PartReader& file, std::string_view root,
                        const std::function<absl::Status(const FrozenHead&)>& head,
                        const std::function<absl::Status(FrozenFrame&)>& frame);

}  // namespace gleaner::cloud
