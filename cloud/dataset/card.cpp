#include "cloud/dataset/card.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "common/table.h"
#include "common/text.h"

namespace gleaner::cloud {
namespace {

using nlohmann::ordered_json;

// More than that of one kind are counted together.
constexpr size_t kMaxLines = 1000;
constexpr const char* kOthers = "(others)";

template <typename Counts>
auto& LineOf(Counts& counts, const std::string& name) {
  const std::string shown = name.empty() ? "(none)" : name;
  const auto found = counts.find(shown);
  if (found != counts.end()) return found->second;
  return counts[counts.size() < kMaxLines ? shown : kOthers];
}

template <typename Counts>
ordered_json LinesOf(const Counts& counts, bool boxes) {
  ordered_json all = ordered_json::object();
  for (const auto& [name, count] : counts) {
    ordered_json& line = all[name];
    line["frames"] = count.frames;
    if (boxes) line["boxes"] = count.boxes;
    for (size_t s = 0; s < kSplitWords.size(); ++s) {
      line[std::string(kSplitWords[s])] = count.by_split[s];
    }
  }
  return all;
}

std::string Words(const ordered_json& lines, std::string_view title) {
  if (lines.empty()) return "";
  Table table({{std::string(title)},
               {"FRAMES", true},
               {"TRAIN", true},
               {"VALIDATION", true},
               {"TEST", true},
               {"BOXES", true}});
  for (const auto& [name, line] : lines.items()) {
    const auto number = [&line = line](const char* key) {
      return line.contains(key) ? line[key].dump() : "";
    };
    table.Add({name, number("frames"), number("train"), number("validation"), number("test"),
               number("boxes")});
  }
  return "\n" + table.Render();
}

}  // namespace

void CardMaker::Add(const FrozenFrame& frame) {
  const auto split = static_cast<size_t>(frame.split);
  ++frames_;
  ++by_split_[split];
  boxes_ += frame.boxes.size();
  if (frame.empty()) ++empty_;
  picture_bytes_ += frame.picture_bytes;
  const auto count = [&](Counts& counts, const std::string& name, uint64_t boxes) {
    Count& line = LineOf(counts, name);
    ++line.frames;
    ++line.by_split[split];
    line.boxes += boxes;
  };
  std::map<std::string, uint64_t> of_class;
  for (const FrozenBox& box : frame.boxes) ++of_class[box.class_name];
  for (const std::string& name : frame.classes) of_class[name] += 0;
  for (const auto& [name, boxes] : of_class) count(classes_, name, boxes);
  count(sites_, frame.site, frame.boxes.size());
  count(devices_, frame.device, frame.boxes.size());
  count(rules_, frame.rule, frame.boxes.size());
  count(models_, frame.model, frame.boxes.size());
  count(roles_, frame.reviewer_role, frame.boxes.size());
}

std::string CardMaker::LeftOut() const {
  std::string words;
  for (const auto& [reason, count] : left_out_) {
    words += fmt::format("{}{} {}", words.empty() ? "" : ", ", count, reason);
  }
  return words.empty() ? "none" : words;
}

std::string CardMaker::ToJson(std::string_view name, const FrozenHead& head,
                              int64_t as_of_ns) const {
  ordered_json card;
  card["name"] = name;
  card["schema"] = head.schema;
  card["frames"] = frames_;
  card["boxes"] = boxes_;
  card["frames_without_a_label_in_them"] = empty_;
  card["picture_bytes"] = picture_bytes_;
  card["how"] = {{"filter", head.filter},
                 {"as_of_unix_ns", as_of_ns},
                 {"least_role", head.least_role},
                 {"leave_out_empty", head.leave_out_empty},
                 {"seed", head.seed},
                 {"most", head.most}};
  for (size_t s = 0; s < kSplitWords.size(); ++s) {
    card["by_split"][std::string(kSplitWords[s])] = by_split_[s];
  }
  card["by_class"] = LinesOf(classes_, true);
  card["by_site"] = LinesOf(sites_, false);
  card["by_device"] = LinesOf(devices_, false);
  card["by_rule"] = LinesOf(rules_, false);
  card["by_model"] = LinesOf(models_, false);
  card["by_reviewer_role"] = LinesOf(roles_, false);
  card["left_out"] = ordered_json::object();
  for (const auto& [reason, count] : left_out_) card["left_out"][reason] = count;
  ordered_json missing = ordered_json::array();
  for (size_t s = 0; s < kSplitWords.size(); ++s) {
    if (by_split_[s] == 0) missing.push_back(fmt::format("no frame is in {}", kSplitWords[s]));
  }
  for (const std::string& wanted : head.classes) {
    const auto found = classes_.find(wanted);
    if (found == classes_.end()) {
      missing.push_back(fmt::format("no frame has class {}", wanted));
      continue;
    }
    for (size_t s = 0; s < kSplitWords.size(); ++s) {
      if (by_split_[s] > 0 && found->second.by_split[s] == 0) {
        missing.push_back(fmt::format("class {} has no frame in {}", wanted, kSplitWords[s]));
      }
    }
  }
  if (missing.size() > kMaxLines) missing.erase(missing.begin() + kMaxLines, missing.end());
  card["missing"] = std::move(missing);
  return card.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string CardText(std::string_view json) {
  const ordered_json card = ordered_json::parse(json, nullptr, false);
  if (!card.is_object()) return "The card can't be read.\n";
  try {
    const ordered_json& how = card.at("how");
    std::string filter = how.at("filter").get<std::string>();
    std::string text = fmt::format(
        "dataset   {}, of schema {}\n"
        "holds     {}, {}, {} of pictures\n"
        "chosen    filter {}, labels of {} or above{}, {}\n",
        card.at("name").get<std::string>(), card.at("schema").get<std::string>(),
        Count(card.at("frames").get<uint64_t>(), "frame"),
        card.at("boxes").get<uint64_t>() == 1 ? "1 box" : card.at("boxes").dump() + " boxes",
        HumanBytes(card.at("picture_bytes").get<uint64_t>()), filter.empty() ? "none" : filter,
        how.at("least_role").get<std::string>(),
        how.at("leave_out_empty").get<bool>() ? ", without empty frames" : "",
        how.at("most").get<uint64_t>() == 0
            ? "all of them"
            : fmt::format("at most {} by seed {}", how.at("most").dump(), how.at("seed").dump()));
    const ordered_json& splits = card.at("by_split");
    text += fmt::format(
        "splits    train {}, validation {}, test {}; by device, site and ten minutes\n",
        splits.at("train").dump(), splits.at("validation").dump(), splits.at("test").dump());
    for (const auto& [reason, count] : card.at("left_out").items()) {
      text += fmt::format("left out  {}: {}\n", count.dump(), reason);
    }
    for (const ordered_json& one : card.at("missing")) {
      text += fmt::format("missing   {}\n", one.get<std::string>());
    }
    text += Words(card.at("by_class"), "CLASS") + Words(card.at("by_site"), "SITE") +
            Words(card.at("by_device"), "DEVICE") + Words(card.at("by_rule"), "RULE") +
            Words(card.at("by_model"), "MODEL") + Words(card.at("by_reviewer_role"), "REVIEWED AS");
    return text;
  } catch (const nlohmann::json::exception&) {
    return "The card can't be read.\n";
  }
}

}  // namespace gleaner::cloud
