#include "cloud/dataset/frozen_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cloud/database/columns.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;  // whose keys are sorted

constexpr size_t kPieceBytes = 1 << 20;

absl::Status Broken(std::string_view line) {
  return absl::DataLossError(fmt::format("a line of the frozen list is none: {:.80}", line));
}

}  // namespace

std::string FrozenFrame::ToLine() const {
  json boxes_json = json::array();
  for (const FrozenBox& box : boxes) {
    boxes_json.push_back({box.class_name, box.x, box.y, box.width, box.height, box.attributes});
  }
  return json{{"attributes", attributes},
              {"boxes", std::move(boxes_json)},
              {"camera", name.camera},
              {"classes", classes},
              {"clip", name.clip},
              {"device", device},
              {"group", group},
              {"height", height},
              {"label", label},
              {"model", model},
              {"picture", {{"bytes", picture_bytes}, {"sha256", picture_sha256}}},
              {"pts", name.pts},
              {"reviewer_role", reviewer_role},
              {"rule", rule},
              {"site", site},
              {"split", SplitWord(split)},
              {"taken_unix_ns", taken_ns},
              {"text", text},
              {"width", width}}
      .dump();
}

absl::StatusOr<FrozenFrame> FrozenFrame::FromLine(std::string_view line) {
  const json parsed = json::parse(line, nullptr, false);
  if (!parsed.is_object()) return Broken(line);
  try {
    FrozenFrame frame;
    frame.name = {
        .clip = parsed.at("clip"), .camera = parsed.at("camera"), .pts = parsed.at("pts")};
    for (const json& box : parsed.at("boxes")) {
      frame.boxes.push_back(
          {box.at(0), box.at(1), box.at(2), box.at(3), box.at(4), box.at(5).get<Attributes>()});
    }
    frame.classes = parsed.at("classes").get<std::vector<std::string>>();
    frame.attributes = parsed.at("attributes").get<Attributes>();
    frame.label = parsed.at("label");
    frame.text = parsed.at("text");
    const std::string split = parsed.at("split");
    const auto word = std::find(kSplitWords.begin(), kSplitWords.end(), split);
    if (word == kSplitWords.end()) return Broken(line);
    frame.split = static_cast<Split>(word - kSplitWords.begin());
    frame.group = parsed.at("group");
    frame.device = parsed.at("device");
    frame.site = parsed.at("site");
    frame.rule = parsed.at("rule");
    frame.model = parsed.at("model");
    frame.reviewer_role = parsed.at("reviewer_role");
    frame.taken_ns = parsed.at("taken_unix_ns");
    frame.width = parsed.at("width");
    frame.height = parsed.at("height");
    frame.picture_bytes = parsed.at("picture").at("bytes");
    frame.picture_sha256 = parsed.at("picture").at("sha256");
    return frame;
  } catch (const json::exception&) {
    return Broken(line);
  }
}

std::string FrozenHead::ToLine() const {
  return json{{"classes", classes},       {"filter", filter},
              {"gleaner_dataset", 1},     {"leave_out_empty", leave_out_empty},
              {"least_role", least_role}, {"most", most},
              {"schema", schema},         {"seed", seed}}
      .dump();
}

absl::StatusOr<FrozenHead> FrozenHead::FromLine(std::string_view line) {
  const json parsed = json::parse(line, nullptr, false);
  if (!parsed.is_object()) return Broken(line);
  try {
    if (parsed.at("gleaner_dataset") != 1) {
      return absl::FailedPreconditionError("the frozen list is of a newer program");
    }
    FrozenHead head;
    head.classes = parsed.at("classes").get<std::vector<std::string>>();
    head.filter = parsed.at("filter");
    head.leave_out_empty = parsed.at("leave_out_empty");
    head.least_role = parsed.at("least_role");
    head.most = parsed.at("most");
    head.schema = parsed.at("schema");
    head.seed = parsed.at("seed");
    return head;
  } catch (const json::exception&) {
    return Broken(line);
  }
}

absl::StatusOr<bool> LineReader::Next(std::string* line) {
  for (;;) {
    if (const size_t end = held_.find('\n', at_); end != std::string::npos) {
      line->assign(held_, at_, end - at_);
      at_ = end + 1;
      return true;
    }
    held_.erase(0, at_);
    at_ = 0;
    if (offset_ == bytes_) {
      if (held_.empty()) return false;
      return absl::DataLossError("the frozen list breaks off");
    }
    if (held_.size() > kMaxLineBytes) return Broken(held_);
    std::string piece;
    RETURN_IF_ERROR(read_(offset_, kPieceBytes, &piece));
    offset_ += piece.size();
    held_ += piece;
  }
}

absl::Status WalkFrozen(const PartReader& file, std::string_view root,
                        const std::function<absl::Status(const FrozenHead&)>& head,
                        const std::function<absl::Status(FrozenFrame&)>& frame) {
  LineReader lines(file);
  Merkle tree;
  std::string line;
  ASSIGN_OR_RETURN(const bool any, lines.Next(&line));
  if (!any) return absl::DataLossError("the frozen list is empty");
  tree.Add(line);
  ASSIGN_OR_RETURN(const FrozenHead first, FrozenHead::FromLine(line));
  if (head) RETURN_IF_ERROR(head(first));
  for (;;) {
    ASSIGN_OR_RETURN(const bool more, lines.Next(&line));
    if (!more) break;
    tree.Add(line);
    if (!frame) continue;
    ASSIGN_OR_RETURN(FrozenFrame one, FrozenFrame::FromLine(line));
    RETURN_IF_ERROR(frame(one));
  }
  if (const std::string found = HexOf(tree.Root()); !root.empty() && found != root) {
    return absl::DataLossError(fmt::format(
        "the frozen list is damaged: its root is {}, and {} was recorded", found, root));
  }
  return absl::OkStatus();
}

}  // namespace gleaner::cloud
