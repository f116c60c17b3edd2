// What is promised of every file of labels, whatever its format.
#pragma once

#include <set>
#include <sstream>
#include <string>

#include "cli/label/import/label_file.h"
#include "common/name.h"
#include "common/status.h"
#include "tests/fuzz/fuzz.h"

namespace gleaner::fuzz {

inline void ReadLabels(const cli::LabelFileFormat& format, std::string_view text) {
  std::istringstream file{std::string(text)};
  std::set<std::string> told;
  uint64_t passed_over = 0;
  const absl::Status read = format.Read(
      file,
      [&](const cli::FileLabel& label) {
        ++accepted;
        REQUIRE(IsName(label.camera) && !label.clip.empty() && label.clip.size() <= 40);
        REQUIRE(label.clip.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz-") ==
                std::string::npos);
        REQUIRE(
            told.insert(label.clip + "/" + label.camera + "/" + std::to_string(label.pts)).second);
        REQUIRE(IsPlain(label.where) && !label.where.empty());
        REQUIRE(label.boxes.size() <= cli::kMaxFileBoxes);
        for (const cli::FileBox& box : label.boxes) {
          REQUIRE(box.x >= 0 && box.y >= 0 && box.width > 0 && box.height > 0);
          REQUIRE(box.x + box.width <= 1 && box.y + box.height <= 1);
        }
        return absl::OkStatus();
      },
      &passed_over);
  if (read.ok()) return;
  REQUIRE(absl::IsInvalidArgument(read));
  REQUIRE(IsPlain(Message(read)) && Message(read).size() < 1024);
}

}  // namespace gleaner::fuzz
