#include "cloud/curate/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>

#include "cloud/curate/guesses.h"
#include "cloud/curate/strategy/select.h"
#include "cloud/frames/frame_facts.h"
#include "cloud/label/frame_opinions.h"
#include "cloud/label/schemas.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kClipsTogether = 500;
constexpr size_t kMostOfAKind = 100;

FrameName NameOf(const v1::SelectionPick& pick) {
  return {pick.frame().clip(), pick.frame().camera(), pick.frame().pts()};
}
using Picks = std::map<FrameName, v1::SelectionPick, decltype(&Before)>;

Picks AllPicks(Sql& sql, const SelectionRow& row) {
  Picks picks(&Before);
  for (v1::SelectionPick& pick : ReadPicks(sql, row.number, 0, kMaxBudget)) {
    FrameName name = NameOf(pick);
    picks.emplace(std::move(name), std::move(pick));
  }
  return picks;
}

// What a frame without a cluster stands for alone.
std::string ClusterOf(const FrameName& name, const v1::SelectionPick& pick) {
  return pick.cluster() != 0 ? std::to_string(pick.cluster())
                             : fmt::format("{}/{}/{}", name.clip, name.camera, name.pts);
}

std::set<std::string> Clusters(const Picks& picks) {
  std::set<std::string> clusters;
  for (const auto& [name, pick] : picks) clusters.insert(ClusterOf(name, pick));
  return clusters;
}

void AddLabels(Sql& sql, const std::vector<std::string>& clips, const v1::Selection& selection,
               const v1::LabelSchema& schema, const Picks& picks, v1::SelectionOutcome* outcome) {
  ReadLabelsOf(sql, clips, selection.schema(), [&](const FrameLabel& label) {
    const auto found = picks.find(label.frame);
    if (found == picks.end() || label.made_ns < selection.made_unix_ns()) return;
    outcome->set_human_ms(outcome->human_ms() + label.human_ms);
    if (!label.counts) return;
    outcome->set_labelled(outcome->labelled() + 1);
    if (label.verdict == v1::Label::VERDICT_ACCEPTED) {
      outcome->set_accepted(outcome->accepted() + 1);
    } else if (label.verdict == v1::Label::VERDICT_CREATED) {
      outcome->set_created(outcome->created() + 1);
    } else {
      outcome->set_corrected(outcome->corrected() + 1);
    }
    const std::string& predicted = found->second.predicted();
    if (!predicted.empty() && predicted != ClassOf(schema, label.annotation)) {
      outcome->set_class_changed(outcome->class_changed() + 1);
    }
  });
}

v1::SelectionOutcome OutcomeOf(Sql& sql, const SelectionRow& row, const Picks& picks) {
  v1::SelectionOutcome outcome;
  *outcome.mutable_selection() = row.selection;
  const auto schema = ReadSchema(sql, row.selection.schema());
  std::set<std::string> of;
  for (const auto& [name, pick] : picks) of.insert(name.clip);
  const std::vector<std::string> all(of.begin(), of.end());
  size_t there = 0;
  for (size_t at = 0; at < all.size(); at += kClipsTogether) {
    const std::vector<std::string> clips(
        all.begin() + static_cast<ptrdiff_t>(at),
        all.begin() + static_cast<ptrdiff_t>(std::min(all.size(), at + kClipsTogether)));
    ReadFrameFacts(sql, clips, {},
                   [&](const FrameFacts& facts) { there += picks.contains(facts.name) ? 1 : 0; });
    if (schema.ok()) AddLabels(sql, clips, row.selection, *schema, picks, &outcome);
  }
  outcome.set_gone(static_cast<uint32_t>(picks.size() - there));
  outcome.set_clusters(static_cast<uint32_t>(Clusters(picks).size()));
  return outcome;
}

using Counts = std::map<std::string, std::array<uint32_t, 2>>;

void AddDifferences(const char* what, const Counts& counts, v1::CompareSelectionsResponse* to) {
  std::vector<std::pair<int64_t, std::string>> order;
  for (const auto& [value, n] : counts) {
    if (n[0] != n[1]) order.emplace_back(-std::abs(int64_t{n[0]} - int64_t{n[1]}), value);
  }
  std::sort(order.begin(), order.end());
  order.resize(std::min(order.size(), kMostOfAKind));
  for (const auto& [size, value] : order) {
    v1::SelectionDifference* one = to->add_differences();
    one->set_what(what);
    one->set_value(value);
    one->set_from(counts.at(value)[0]);
    one->set_to(counts.at(value)[1]);
  }
}

}  // namespace

v1::CompareSelectionsResponse CompareRows(Sql& sql, const SelectionRow& from,
                                          const SelectionRow& to) {
  const std::array<Picks, 2> picks = {AllPicks(sql, from), AllPicks(sql, to)};
  v1::CompareSelectionsResponse response;
  *response.mutable_from() = OutcomeOf(sql, from, picks[0]);
  *response.mutable_to() = OutcomeOf(sql, to, picks[1]);
  Counts sites, devices, classes, strategies, clusters;
  for (size_t side = 0; side < 2; ++side) {
    for (const auto& [name, pick] : picks[side]) {
      ++sites[pick.site()][side];
      ++devices[pick.device()][side];
      ++classes[pick.predicted()][side];
      ++strategies[pick.strategy()][side];
      if (pick.cluster() != 0) ++clusters[std::to_string(pick.cluster())][side];
    }
  }
  for (const auto& [name, pick] : picks[0]) {
    if (picks[1].contains(name)) response.set_both(response.both() + 1);
  }
  const std::set<std::string> others = Clusters(picks[1]);
  for (const std::string& cluster : Clusters(picks[0])) {
    if (others.contains(cluster)) response.set_both_clusters(response.both_clusters() + 1);
  }
  AddDifferences("strategy", strategies, &response);
  AddDifferences("site", sites, &response);
  AddDifferences("device", devices, &response);
  AddDifferences("class", classes, &response);
  AddDifferences("cluster", clusters, &response);
  return response;
}

}  // namespace gleaner::cloud
