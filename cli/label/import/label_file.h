// A file that a labelling tool wrote: what a person says of frames, in the tool's own terms. One
// file a format beside this one, and one line in registry.cpp.
//
// Such a file comes from anywhere. It is read in pieces and in bounds, nothing that it names is
// opened, and what is wrong with it is told with its place.
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gleaner::cli {

inline constexpr uint64_t kMaxLabelFileBytes = 256 << 20;
inline constexpr size_t kMaxFileBoxes = 1'000'000;  // of all frames

using FileAttributes = std::vector<std::pair<std::string, std::string>>;

// From 0 to 1 of the picture, within it.
struct FileBox {
  std::string class_name;
  double x = 0, y = 0, width = 0, height = 0;
  FileAttributes attributes;
};

// What is said of one frame; nothing at all, where a person saw that nothing is there.
struct FileLabel {
  std::string clip, camera;
  int64_t pts = 0;
  std::string where;  // "line 12, column 5"
  std::vector<FileBox> boxes;
  std::vector<std::string> classes;
  std::string text;
  FileAttributes attributes;  // of the whole frame
  // So far the tool may have moved an edge without anybody's wish: it rounds.
  double slack_x = 0, slack_y = 0;
};

class LabelFileFormat {
 public:
  virtual ~LabelFileFormat() = default;
  virtual std::string_view name() const = 0;  // "cvat"
  virtual std::string_view about() const = 0;
  // INVALID_ARGUMENT says what is wrong and where; an error of `each` is returned as it is. Each
  // frame comes once. `passed_over`: frames of which nobody said anything.
  virtual absl::Status Read(std::istream& file,
                            const std::function<absl::Status(const FileLabel&)>& each,
                            uint64_t* passed_over) const = 0;
};

const std::vector<const LabelFileFormat*>& LabelFileFormats();
// INVALID_ARGUMENT names those there are.
absl::StatusOr<const LabelFileFormat*> FindLabelFileFormat(std::string_view name);

// Each in its own file.
const LabelFileFormat& CvatLabels();
const LabelFileFormat& LabelStudioLabels();

// Shared by formats.

// A number with nothing around it; nullopt for what is none, or no finite one.
std::optional<double> ParseNumber(std::string_view text);
std::string_view WithoutBlanks(std::string_view text);
// Takes `prefix` off where it is there.
bool TakePrefix(std::string_view* text, std::string_view prefix);
// "CLIP/CAMERA/PTS" as exports write it. False where it is no such thing.
bool ParseFrameId(std::string_view text, FileLabel* label);
// Edges within the picture, but for `slack`, into the box. False where they are not.
bool PlaceBox(double left, double top, double right, double bottom, double slack_x, double slack_y,
              FileBox* box);

}  // namespace gleaner::cli
